package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/run"
)

// trainNetwork coordinates a run: miners do the units, this process combines,
// and a relay carries the attestations to the ledger. With stay it then serves
// the model until it is stopped.
func trainNetwork(ctx context.Context, a *app, l *trainFlags, c *deviceFlags, n *peerFlags, keep, stay bool) (err error) {
	var peer *node.Peer
	if link, ok := l.elsewhere(a); ok {
		if peer, err = n.join(ctx, a); err != nil {
			return err
		}
		if err := l.fetchBase(ctx, a, peer, link); err != nil {
			return err
		}
	}
	size, err := l.open(a) // reports a mistake in the flags before the network is joined
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	// This process combines, and holds few large tensors. At 20 per cent it would spend
	// a quarter of its time on collections, which save little memory.
	collect(50)
	if peer == nil {
		if peer, err = n.join(ctx, a); err != nil {
			return err
		}
	}
	if err := size.decide(ctx, a, a.home.Decisions(), dev, peer, 1); err != nil {
		return err
	}
	plan, err := size.plan(ctx, a, peer.Store)
	if err != nil {
		return err
	}
	dir, done, err := a.openRun(plan.Link, keep)
	if err != nil {
		return err
	}
	defer done()
	w := newWatch(ctx, a, dev.Name())
	defer w.close()
	if err := w.draw(ctx, peer.Store, plan, dir); err != nil {
		return err
	}
	home := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(peer.Store), Clock: milliseconds, Account: peer.Account()}
	run, err := node.NewTraining(ctx, peer, plan, home, w.report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	out, err := run.Train(ctx)
	if err != nil {
		return w.stopped(ctx, err)
	}
	path, err := node.SaveModel(ctx, peer.Store, a.home.Models(), plan, out)
	if err != nil {
		return err
	}
	// The model is saved. A failure from here on is reported and loses nothing.
	if err := run.Pin(ctx, out); err != nil {
		a.log.Warn("others are not told of the model", "err", err)
	}
	if err := run.Settle(ctx); err != nil {
		a.log.Warn("not everything is claimed", "err", err) // the journal keeps the rest
	}
	w.close()
	t := w.sum(plan, out, path)
	if t.Miners, err = minersOf(ctx, peer, out); err != nil {
		return err
	}
	if err := a.trained(t); err != nil {
		return err
	}
	a.serve(ctx, path, stay)
	return nil
}

// serve serves the model of a finished run until ctx ends, or says who could.
func (a *app) serve(ctx context.Context, path string, stay bool) {
	if !stay {
		a.note("nobody serves the model now: `alia miner run --hold %s` does, and so would --stay have", path)
		return
	}
	a.note("serving the model; Ctrl-C ends")
	<-ctx.Done()
}

// minersOf counts, from the run's logs, who did how many units, by account.
func minersOf(ctx context.Context, peer *node.Peer, out *node.TrainingResult) ([]report.MinerUnits, error) {
	history, err := run.History(ctx, peer.Store, out.Head)
	if err != nil {
		return nil, fmt.Errorf("count units: %w", err)
	}
	units := map[string]int{}
	for _, r := range history {
		for _, e := range slices.Concat(r.Lines, r.Valid, r.Translated) {
			units[protocol.Account(e.Miner).String()]++
		}
	}
	miners := make([]report.MinerUnits, 0, len(units))
	for account, n := range units {
		miners = append(miners, report.MinerUnits{Account: account, Units: n})
	}
	slices.SortFunc(miners, func(x, y report.MinerUnits) int { return strings.Compare(x.Account, y.Account) })
	return miners, nil
}
