package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
)

// receipted is what a receipt shows.
type receipted struct {
	Customer string   `json:"customer"`
	Job      string   `json:"job"`
	Model    string   `json:"model"`
	Input    string   `json:"input"`
	Output   string   `json:"output"`
	Units    int      `json:"units"`
	Miners   []string `json:"miners"` // one a unit
	Paid     uint64   `json:"paid"`   // units of the token, to miners
}

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
	r, paid, err := client.VerifyReceipt(network, data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	out := receipted{
		Customer: r.Account.String(), Job: r.Job.String(), Model: r.Model.String(),
		Input: r.Input.String(), Output: r.Output.String(), Units: len(r.Attestations), Paid: paid,
	}
	for _, at := range r.Attestations {
		out.Miners = append(out.Miners, at.Account.String())
	}
	return a.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "the receipt is good\ncustomer %s\njob      %s\nmodel    %s\noutput   %s\n", out.Customer, out.Job, out.Model, out.Output)
		fmt.Fprintf(w, "%d units of work, %s ALIA paid to miners, settled on the ledger of %s\n", out.Units, protocol.FormatAmount(paid), network.Name)
	})
}
