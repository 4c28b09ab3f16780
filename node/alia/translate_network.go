package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// buyFlags is the flags of a translation that a network makes.
type buyFlags struct {
	peerFlags
	src, tgt, budget string
	price            uint64
	hints            []string
}

func (p *buyFlags) flags(cmd *cobra.Command) {
	p.peerFlags.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&p.src, "src", "en", "language of the text")
	f.StringVar(&p.tgt, "tgt", "de", "language to translate into")
	f.StringVar(&p.budget, "budget", "0.5", "most ALIA to pay; what is not used comes back; 0 asks for a gift")
	f.Uint64Var(&p.price, "price", 200_000, "price offered for a GFLOP, in units of 1e-8 ALIA")
	f.StringSliceVar(&p.hints, "holder", nil, "multiaddresses of peers that hold the model (default: found by the DHT)")
}

// translateNetwork publishes a job, waits for it, pays, and keeps the receipt.
func translateNetwork(ctx context.Context, a *app, o decodeFlags, d unit.Decoding, p *buyFlags, input string) (err error) {
	model, err := block.ParseLink(o.model)
	if err != nil {
		return usagef("--model %q: give the CID of a model of the network", o.model)
	}
	budget, err := protocol.ParseAmount(p.budget)
	if err != nil {
		return usagef("--budget: %v", err)
	}
	network, err := a.openNetwork()
	if err != nil {
		return err
	}
	peer, err := p.join(ctx, a, home.Customer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	dir := a.home.Receipts()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	if err := findModel(ctx, peer, model, p.hints); err != nil {
		return err
	}
	w := newWatch(a, "of the miners")
	c := &client.Client{Peer: peer, Dir: dir, Report: w.report}
	t, err := c.Translate(ctx, client.Document{
		Text: input, Source: p.src, Target: p.tgt, Model: model, Hints: p.hints, Decoding: d,
		Budget: budget, Price: p.price, Sequence: uint64(time.Now().UnixMilli()),
	})
	if err != nil {
		return err
	}
	receipt, err := protocol.Encode(t.Receipt)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if _, _, err := client.VerifyReceipt(network, receipt); err != nil {
		return err // better now than in years
	}
	path := a.home.Receipt(t.Job)
	if err := node.WriteFile(path, receipt); err != nil {
		return err
	}
	r := report.Translated{
		Model: model.String(), Job: t.Job.String(), Translation: t.Text, Receipt: path,
		Paid: t.Paid, Units: t.Units, Seconds: t.Seconds,
	}
	return a.result(r, func(w io.Writer) {
		printText(w, r.Translation)
		a.note("%d units, %s ALIA to the miners, receipt %s", r.Units, protocol.FormatAmount(r.Paid), r.Receipt)
	})
}

// findTime is how long a customer that has just come looks for the model.
const findTime = 30 * time.Second

// findModel fetches the model. A peer that has just joined knows nobody who
// has it, and nobody who knows.
func findModel(ctx context.Context, peer *node.Peer, model block.Link, holders []string) error {
	for deadline := time.Now().Add(findTime); ; {
		err := peer.Mesh.FetchTree(ctx, holders, model.Cid)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
}
