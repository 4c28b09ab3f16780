package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// This file is what a customer chooses of privacy and of its own check.

const (
	// checkAuto is the share of --check that the program chooses.
	checkAuto = "auto"
	// autoPPM is that share for paid work with a model of the home, in parts per million.
	autoPPM = 30_000
)

// chosen are the miners of --miner, checked with --privacy.
func (p *buyFlags) chosen() (miners []protocol.Account, err error) {
	switch client.Privacy(p.privacy) {
	case client.PrivacyOpen, client.PrivacySealed:
	case client.PrivacyPrivate:
		if len(p.miners) == 0 {
			return nil, usagef("--privacy private: name the miners that may read the text with --miner ACCOUNT")
		}
	default:
		return nil, usagef("--privacy %q: give open, sealed or private", p.privacy)
	}
	for _, name := range p.miners {
		m, err := protocol.ParseAccount(name)
		if err != nil {
			return nil, usagef("--miner: %v", err)
		}
		miners = append(miners, m)
	}
	return miners, nil
}

// checks reads --check: a share in parts per million, or auto.
func (p *buyFlags) checks() (ppm uint32, auto bool, err error) {
	if p.check == checkAuto {
		return 0, true, nil
	}
	number, percent := strings.CutSuffix(p.check, "%")
	var f options.Fraction
	if err := f.Set(number); err != nil {
		return 0, false, usagef("--check %q: give a share of the sentences, such as 3%%, or 0 for none", p.check)
	}
	if percent {
		f /= 100
	}
	if f > options.Million {
		return 0, false, usagef("--check %q: there are no more than 100%% of the sentences", p.check)
	}
	return uint32(f), false, nil
}

// share is the share of the sentences that the customer checks, in parts per million. A model
// that is not in the home is fetched if the user asks for a check.
func (p *buyFlags) share(ctx context.Context, a *app, c *client.Client, link block.Link) (uint32, error) {
	ppm, auto, err := p.checks()
	if err != nil {
		return 0, err
	}
	if auto && p.budget > 0 {
		if _, err := os.Stat(a.home.Model(link)); err == nil {
			ppm = autoPPM
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if ppm == 0 {
		return 0, nil
	}
	if c.Recompute == nil {
		p.checker = &checker{app: a, peer: c.Peer, holders: p.holders}
		c.Recompute = p.checker.recompute
	}
	if err := p.checker.open(ctx, link); err != nil {
		return 0, fmt.Errorf("--check: %w", err)
	}
	return ppm, nil
}

// checker translates on this machine what miners have translated.
type checker struct {
	app     *app
	peer    *node.Peer
	holders []string

	mu     sync.Mutex // guards the rest
	link   block.Link
	model  *model.Translator
	engine model.Engine
}

// open opens a model: that of the home, or one that is fetched.
func (c *checker) open(ctx context.Context, link block.Link) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened(ctx, link)
}

// opened is open for who has the lock.
func (c *checker) opened(ctx context.Context, link block.Link) (err error) {
	if c.model != nil && c.link == link {
		return nil
	}
	var t *model.Translator
	dir := c.app.home.Model(link)
	if _, err = os.Stat(dir); err == nil {
		t, err = node.OpenModel(dir)
	} else if errors.Is(err, fs.ErrNotExist) {
		c.app.note("the model is fetched, to check a share of the sentences")
		c.peer.Store.Pin(node.ModelOwner(link), link.Cid)
		t, err = (&client.Client{Peer: c.peer, Report: c.app.event}).Fetch(ctx, link, c.holders)
	}
	if err != nil {
		return err
	}
	if id := t.ID(); id != link {
		return fmt.Errorf("the files of %s are those of model %s: they were changed", dir, id)
	}
	dev, err := kernel.Open("", runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	c.link, c.model, c.engine = link, t, t.Model.NewEngine(dev)
	return nil
}

// recompute is a [client.Client.Recompute].
func (c *checker) recompute(ctx context.Context, link block.Link, in unit.Text, d unit.Decoding) (out []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.opened(ctx, link); err != nil {
		return nil, err
	}
	defer kernel.Recover(&err)
	return c.model.TranslateText(c.engine, in, d)
}

// bought is [client.Client.Translate]; it tells how many sentences were checked, too.
func bought(ctx context.Context, c *client.Client, d client.Document) (*client.Translation, int, error) {
	j, err := c.Start(ctx, d)
	if err != nil {
		return nil, 0, err
	}
	defer j.Close()
	t := &client.Translation{ReceiptFile: j.ReceiptFile()}
	if t.Text, err = j.Text(ctx); err != nil {
		return nil, 0, err
	}
	if t.Receipt, err = j.Settle(ctx); err != nil {
		return nil, 0, err
	}
	return t, j.Checked(), nil
}
