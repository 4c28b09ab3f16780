package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
)

// buyFlags is the flags of a translation that a network makes.
type buyFlags struct {
	peerFlags
	budget, price amount
	holders       []string
	privacy       string
	miners        []string
	check         string
	checker       *checker // nil until something is checked
}

// onlyNetwork are the flags of alia translate that mean nothing with --local.
var onlyNetwork = append([]string{"budget", "price-max", "holder", "privacy", "miner", "check"}, onlyPeer...)

func (p *buyFlags) flags(cmd *cobra.Command) {
	p.peerFlags.flags(cmd)
	f := cmd.Flags()
	p.budget, p.price = protocol.Coin/2, client.DefaultPrice
	f.Var(&p.budget, "budget", "most `ALIA` to pay; a text that may cost more is refused; 0 asks for unpaid work, of miners with --work-for-free")
	f.Var(&p.price, "price-max", "most `ALIA` to pay for a GFLOP of work, which is 10^9 operations")
	f.StringSliceVar(&p.holders, "holder", nil, "`ADDRESSES` (multiaddresses) of peers that hold the model, separated by commas (default: the network is searched)")
	f.StringVar(&p.privacy, "privacy", string(client.PrivacySealed), "`LEVEL`: who may read the text: open, everybody; sealed, the miners that translate parts of it; private, those of --miner alone")
	f.StringSliceVar(&p.miners, "miner", nil, "`ACCOUNTS` of the only miners that may do the work, separated by commas (default: every miner)")
	f.StringVar(&p.check, "check", checkAuto, "`SHARE` of the sentences, such as 3%, that this machine translates again before it takes a result; auto is 3% of paid work if the model is in the home")
}

// buyText has a plain text translated: it publishes a job, waits for its results, pays, and
// keeps the receipt.
func (o *translateFlags) buyText(ctx context.Context, a *app, name string, stdin io.Reader) error {
	d, err := o.decoding()
	if err != nil {
		return err
	}
	model, err := o.check()
	if err != nil {
		return err
	}
	if !model.Defined() {
		return usagef("--model is missing: give the CID of a model that the network's miners hold; with --output the models of the home are looked up")
	}
	if name != "-" {
		name = a.path(name)
	}
	input, err := readText(name, stdin)
	if err != nil {
		return err
	}
	if !text.HasLetters(input) { // nothing to translate needs no job
		return a.result(report.Translated{Model: model.String(), Translation: input, Privacy: o.privacy, Flags: noDoubts().Flags}, func(w io.Writer) { printText(w, input) })
	}
	from := o.from
	if from == auto {
		from = ""
	}
	miners, err := o.chosen()
	if err != nil {
		return err
	}
	g, err := openGlossary(a.path(o.glossary))
	if err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	defer c.Close()
	ppm, err := o.share(ctx, a, c, model)
	if err != nil {
		return err
	}
	var t *client.Translation
	checked := 0
	began := time.Now()
	err = node.Together(ctx, func(ctx context.Context) (err error) {
		t, checked, err = bought(ctx, c, client.Document{
			Privacy: client.Privacy(o.privacy), Miners: miners, CheckPPM: ppm,
			Text: input, Source: from, Target: o.to, Model: model, Holders: o.holders, Decoding: d, Terms: g.Lines(),
			Budget: uint64(o.budget), Price: uint64(o.price),
		})
		return err
	}, c.Tend)
	if err != nil {
		left := "the text is not translated; the same command continues"
		if o.budget > 0 {
			left += ", and `alia wallet reclaim` takes back the unspent part"
		}
		return undone(ctx, poor(err), "%s", left)
	}
	receipt := t.Receipt
	r := report.Translated{
		Model: model.String(), Job: receipt.Link.String(), Translation: t.Text, Receipt: t.ReceiptFile, Status: string(receipt.Status),
		Paid: receipt.Paid, Due: receipt.Due, Units: len(receipt.Receipt.Units), Privacy: o.privacy, Checked: checked, Seconds: time.Since(began).Seconds(),
	}
	looks := noDoubts()
	looks.addLines(a, input, t.Text, from, o.to)
	looks.end(a)
	r.Flagged, r.Flags = looks.Flagged, looks.Flags
	return a.result(r, func(w io.Writer) {
		printText(w, r.Translation)
		a.note("%s, %s; receipt %s", english.Plural(r.Units, "unit", ""), inWords(receipt, c.Peer.Network.Name), r.Receipt)
		o.noteLeft(a, r.Paid)
	})
}

// noteLeft says where the part of the budget is that was not spent.
func (o *translateFlags) noteLeft(a *app, paid uint64) {
	if paid > 0 && paid < uint64(o.budget) {
		a.note("what was set aside and is not spent stays in escrow for now; `alia wallet reclaim` takes it back")
	}
}

// client joins the network as its customer.
func (o *translateFlags) client(ctx context.Context, a *app) (*client.Client, error) {
	peer, err := o.buyFlags.join(ctx, a)
	if err != nil {
		return nil, err
	}
	return &client.Client{Peer: peer, Report: newWatch(ctx, a, "of the miners").report}, nil
}

// network has a network's miners translate documents. The client looks after its jobs while
// [client.Client.Tend] runs.
func (o *translateFlags) network(ctx context.Context, a *app, c *translate.Config) (*client.Client, error) {
	model, err := o.check()
	if err != nil {
		return nil, err
	}
	customer, err := o.client(ctx, a)
	if err != nil {
		return nil, err
	}
	if c.Miners, err = o.chosen(); err != nil {
		return nil, errors.Join(err, customer.Close())
	}
	c.Privacy = client.Privacy(o.privacy)
	n := &engine.Network{Client: customer, Holders: o.holders, From: c.From, To: c.To, CheckPPM: func(ctx context.Context, model block.Link) (uint32, error) {
		return o.share(ctx, a, customer, model)
	}}
	if c.From == auto {
		n.From = ""
	}
	if model.Defined() {
		n.Named = []block.Link{model}
	}
	c.Engine, c.Model, c.Budget, c.Price = n, model, uint64(o.budget), uint64(o.price)
	return customer, nil
}

// check checks what a network needs, and returns the model, if one is named.
func (o *translateFlags) check() (model block.Link, err error) {
	if o.model != "" {
		if model, err = block.ParseLink(o.model); err != nil {
			return model, usagef("--model %q: miners need the CID of a model that their network holds; a directory goes with --local", o.model)
		}
	}
	if _, err := o.chosen(); err != nil {
		return model, err
	}
	if _, _, err := o.checks(); err != nil {
		return model, err
	}
	if o.budget > 0 && o.price == 0 {
		return model, usagef("--price-max 0: give a price above 0, or --budget 0 to ask for unpaid work")
	}
	return model, nil
}

// poor says what to do about an account without money.
func poor(err error) error {
	if errors.Is(err, ledger.InsufficientFunds) {
		return fmt.Errorf("%w: get ALIA (a miner earns it, `alia wallet transfer` sends it), translate less at once, or ask for unpaid work with --budget 0", err)
	}
	return err
}
