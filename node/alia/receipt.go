package main

import (
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// verifyReceipt checks a receipt offline.
func verifyReceipt(a *app, path string) error {
	network, err := a.openNetwork()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	proven, err := client.VerifyReceipt(network, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r := proven.Receipt
	out := report.CheckedReceipt{
		Customer: r.Account.String(), Job: r.Job.String(), Model: r.Model.String(),
		Input: r.Input.String(), Output: r.Output.String(), Units: len(r.Attestations), Paid: proven.Paid, Settled: proven.Settled,
	}
	for _, at := range r.Attestations {
		out.Miners = append(out.Miners, at.Account.String())
	}
	return a.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "the receipt is good\ncustomer %s\njob      %s\nmodel    %s\noutput   %s\n", out.Customer, out.Job, out.Model, out.Output)
		if !out.Settled {
			fmt.Fprintf(w, "%s of unpaid work: there is no payment to prove\n", english.Plural(out.Units, "unit", ""))
			return
		}
		fmt.Fprintf(w, "%s of work, %s ALIA paid to miners, settled on the ledger of %s\n", english.Plural(out.Units, "unit", ""), protocol.FormatAmount(out.Paid), network.Name)
	})
}
