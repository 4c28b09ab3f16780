package main

import (
	"fmt"
	"io"
	"strconv"
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
	fmt.Fprintf(w, "\nReceipt  %s\n         %s ALIA paid to miners; it can be checked without the network\n", r.Receipt.Path, protocol.FormatAmount(r.Receipt.Paid))
	printAccounts(w, r)
	fmt.Fprintf(w, "\nSupply   %s ALIA at height %d, all of it minted for work,\n         the first after %.1f s\n", protocol.FormatAmount(r.Supply), r.Height, r.FirstMint)
	for _, t := range r.Tests {
		fmt.Fprintf(w, "Score    %s: %s, chrF2 %.2f on %d held-out sentences\n", t.Name, t.BLEUText(), t.ChrF, t.Sentences)
	}
	fmt.Fprintf(w, "Model    %s\n         %s\n", r.Model, r.Path)
	fmt.Fprintf(w, "Curves   %s\n", r.Curves)
	fmt.Fprintf(w, "Homes    %s\n         %.1f s in all\n", r.Home, r.Seconds)
}

// printAccounts writes the accounts as a table of less than 80 columns, the address of
// each below its line.
func printAccounts(w io.Writer, r *report.SwarmResult) {
	const row = "%-12s %8s %16s %16s\n"
	fmt.Fprintf(w, "\n"+row, "Accounts", "units", "earned ALIA", "balance ALIA")
	for _, m := range append(r.Miners[:len(r.Miners):len(r.Miners)], r.Coordinator, r.Customer) {
		fmt.Fprintf(w, row, m.Name, strconv.Itoa(m.Units), protocol.FormatAmount(m.Earned), protocol.FormatAmount(m.Balance))
		fmt.Fprintf(w, "    %s\n", m.Account)
	}
	fmt.Fprintf(w, row, "escrow", "", "", protocol.FormatAmount(r.Escrowed))
	fmt.Fprintf(w, "    set aside by the customer and not spent\n")
	fmt.Fprintf(w, row, "audit pool", "", "", protocol.FormatAmount(r.Pool))
	fmt.Fprintf(w, "    for those who will recompute units\n")
}

// suggest writes commands to try while the network stays up. Variables of the shell
// keep the lines short.
func suggest(w io.Writer, r *report.SwarmResult) {
	fmt.Fprintf(w, "\nThe network stays up until Ctrl-C. In another terminal:\n\n")
	for _, c := range []string{
		"H=" + r.Home,
		"M=" + r.Model,
		"R=" + r.Run,
		"echo 'Where is the station?' | alia translate --model $M --home $H/" + swarm.CustomerName,
		"alia translate --local --model $H/" + swarm.CoordinatorName + "/models/$M FILE",
		"alia ledger supply --home $H/" + swarm.LedgerName,
		"alia ledger run $R --home $H/" + swarm.LedgerName,
		"alia miner status --home $H/" + swarm.MinerName(1),
		"alia verify 0 --home $H/" + swarm.CoordinatorName,
	} {
		fmt.Fprintf(w, "    %s\n", c)
	}
	fmt.Fprintln(w)
}
