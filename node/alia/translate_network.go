package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

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
	f.Uint64Var(&p.price, "price", client.DefaultPrice, "price offered for a GFLOP, in units of 1e-8 ALIA")
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
	peer, err := p.join(ctx, a, home.Customer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	c := &client.Client{Peer: peer, Report: newWatch(a, "of the miners").report}
	t, err := c.Translate(ctx, client.Document{
		Text: input, Source: p.src, Target: p.tgt, Model: model, Holders: p.hints, Decoding: d,
		Budget: budget, Price: p.price,
	})
	if err != nil {
		return err
	}
	r := report.Translated{
		Model: model.String(), Job: t.Job.String(), Translation: t.Text, Receipt: t.ReceiptFile,
		Paid: t.Paid, Units: t.Units, Seconds: t.Seconds,
	}
	return a.result(r, func(w io.Writer) {
		printText(w, r.Translation)
		a.note("%d units, %s ALIA to the miners, receipt %s", r.Units, protocol.FormatAmount(r.Paid), r.Receipt)
	})
}
