package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// buyFlags is the flags of a translation that a network makes.
type buyFlags struct {
	peerFlags
	src, tgt      string
	budget, price amount
	holders       []string
}

// onlyNetwork are the flags of alia translate that mean nothing with --local.
var onlyNetwork = append([]string{"budget", "price", "holder"}, onlyPeer...)

func (p *buyFlags) flags(cmd *cobra.Command) {
	p.peerFlags.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&p.src, "src", "", "`LANGUAGE` of the text; another than the model's is an error (default: the model's)")
	f.StringVar(&p.tgt, "tgt", "", "`LANGUAGE` to translate into (default: the model's)")
	p.budget, p.price = protocol.Coin/2, client.DefaultPrice
	f.Var(&p.budget, "budget", "most `ALIA` to pay; a text that may cost more is refused; 0 asks for unpaid work, of miners with --work-for-free")
	f.Var(&p.price, "price", "`ALIA` to pay for a GFLOP of work")
	f.StringSliceVar(&p.holders, "holder", nil, "`ADDRESSES` (multiaddresses) of peers that hold the model, separated by commas (default: the network is searched)")
}

// translateNetwork publishes a job, waits for its results, pays, and keeps the
// receipt.
func translateNetwork(ctx context.Context, a *app, o decodeFlags, d unit.Decoding, p *buyFlags, input string) error {
	model, err := block.ParseLink(o.model)
	if err != nil {
		return usagef("--model %q: miners need the CID of a model that their network holds; a directory goes with --local", o.model)
	}
	if p.budget > 0 && p.price == 0 {
		return usagef("--price 0: give a price above 0, or --budget 0 to ask for unpaid work")
	}
	peer, err := p.join(ctx, a)
	if err != nil {
		return err
	}
	c := &client.Client{Peer: peer, Report: newWatch(ctx, a, "of the miners").report}
	t, err := c.Translate(ctx, client.Document{
		Text: input, Source: p.src, Target: p.tgt, Model: model, Holders: p.holders, Decoding: d,
		Budget: uint64(p.budget), Price: uint64(p.price),
	})
	if errors.Is(err, ledger.InsufficientFunds) {
		return fmt.Errorf("%w: get ALIA (a miner earns it, `alia wallet transfer` sends it), translate less at once, or ask for unpaid work with --budget 0", err)
	} else if err != nil {
		text := "the text is not translated; the same command continues"
		if p.budget > 0 {
			text += ", and `alia wallet reclaim` takes back the unspent part"
		}
		return undone(ctx, err, "%s", text)
	}
	r := report.Translated{
		Model: model.String(), Job: t.Job.String(), Translation: t.Text, Receipt: t.ReceiptFile,
		Paid: t.Paid, Units: t.Units, Seconds: t.Seconds,
	}
	return a.result(r, func(w io.Writer) {
		printText(w, r.Translation)
		a.note("%s, %s ALIA to the miners, receipt %s", english.Plural(r.Units, "unit", ""), protocol.FormatAmount(r.Paid), r.Receipt)
		if r.Paid > 0 && r.Paid < uint64(p.budget) {
			a.note("what was set aside and is not spent stays in escrow for now; `alia wallet reclaim` takes it back")
		}
	})
}
