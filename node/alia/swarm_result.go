package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/swarm"
	"github.com/alia-network/alia/protocol"
)

// printSwarm writes the result for a person: the translation, the receipt, every
// account, the supply and the model.
func printSwarm(w io.Writer, r *report.SwarmResult) {
	fmt.Fprintf(w, "\nTranslation\n\n")
	for l := range strings.Lines(r.Translation) {
		fmt.Fprint(w, "    "+l)
	}
	if !strings.HasSuffix(r.Translation, "\n") {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nReceipt  %s\n         %s ALIA paid to miners, checks offline\n", r.Receipt.Path, protocol.FormatAmount(r.Receipt.Paid))
	fmt.Fprintf(w, "\n%-12s %-65s %8s %16s %16s\n", "Accounts", "", "units", "earned ALIA", "balance ALIA")
	for _, m := range append(r.Miners[:len(r.Miners):len(r.Miners)], r.Customer) {
		fmt.Fprintf(w, "%-12s %-65s %8d %16s %16s\n", m.Name, m.Account, m.Units, protocol.FormatAmount(m.Earned), protocol.FormatAmount(m.Balance))
	}
	fmt.Fprintf(w, "%-12s %-65s %8s %16s %16s\n", "escrow", "what the customer set aside and did not use", "", "", protocol.FormatAmount(r.Escrowed))
	fmt.Fprintf(w, "%-12s %-65s %8s %16s %16s\n", "audit pool", "for those who recompute", "", "", protocol.FormatAmount(r.Pool))
	fmt.Fprintf(w, "\nSupply   %s ALIA at height %d, every one for work; the first after %.1f s\n", protocol.FormatAmount(r.Supply), r.Height, r.FirstMint)
	for _, t := range r.Tests {
		fmt.Fprintf(w, "Score    %s: BLEU %.2f, chrF2 %.2f on %d held-out sentences\n", t.Name, t.BLEU, t.ChrF, t.Sentences)
	}
	fmt.Fprintf(w, "Model    %s\n         %s\n", r.Model, r.Path)
	fmt.Fprintf(w, "Curves   %s\n", r.Curves)
	fmt.Fprintf(w, "Homes    %s\n         %.1f s in all\n", r.Home, r.Seconds)
}

// suggest writes what to try next while the network stays up.
func suggest(w io.Writer, r *report.SwarmResult) {
	at := func(name string) string { return filepath.Join(r.Home, name) }
	fmt.Fprintf(w, "\nThe network stays up until Ctrl-C. In another terminal:\n\n")
	for _, c := range []string{
		fmt.Sprintf("echo 'Where is the station?' | alia translate --model %s --home %s", r.Model, at(swarm.CustomerName)),
		fmt.Sprintf("alia translate --local --model %s FILE", r.Path),
		fmt.Sprintf("alia ledger supply --home %s", at(swarm.LedgerName)),
		fmt.Sprintf("alia ledger run %s --home %s", r.Run, at(swarm.LedgerName)),
		fmt.Sprintf("alia miner status --home %s", at(swarm.MinerName(1))),
		fmt.Sprintf("alia verify 0 --home %s", at(swarm.CoordinatorName)),
	} {
		fmt.Fprintf(w, "    %s\n", c)
	}
	fmt.Fprintln(w)
}
