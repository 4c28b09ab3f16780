package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/bench"
)

func newBenchLedger(a *app) *cobra.Command {
	var o ledgerBenchOptions
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Measure a ledger on this machine",
		Long: `Measure a ledger on this machine. The validators are real nodes in this process,
which talk over the loopback device and keep their files in a temporary
directory. The disk of that directory counts, and so does all that runs beside.

First four coordinators claim rounds of 64 slots, which as many miners have
signed, as fast as the free lane of the heights takes claims. Then the miners
send transfers, as many as the mempool takes. At last a node applies heights of
1,000 transfers to a state of many accounts: the share of its time is of the
time between the heights that had claims.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = undone(cmd.Context(), err, "nothing is measured") }()
			return o.bench(cmd.Context(), a)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.validators, "validators", 1, "`NUMBER` of validators, 1 to 16")
	f.IntVar(&o.seconds, "seconds", 20, "`SECONDS` that the claims last, and the transfers as well")
	f.DurationVar(&o.interval, "interval", 500*time.Millisecond, "`TIME` between heights, which a node waits after each")
	f.IntVar(&o.accounts, "accounts", 100_000, "`NUMBER` of accounts of the large state, 1,000 or more; a million take a minute")
	return cmd
}

// ledgerBenchOptions is the flags of alia bench ledger.
type ledgerBenchOptions struct {
	validators, seconds, accounts int
	interval                      time.Duration
}

// bench checks the flags, measures, and prints the measurement.
func (o *ledgerBenchOptions) bench(ctx context.Context, a *app) error {
	switch {
	case o.validators < 1 || o.validators > 16:
		return usagef("--validators %d: give 1 to 16", o.validators)
	case o.seconds < 1 || o.seconds > 600:
		return usagef("--seconds %d: give 1 to 600", o.seconds)
	case o.interval < 50*time.Millisecond || o.interval > time.Minute:
		return usagef("--interval %v: give 50ms to 1m", o.interval)
	case o.accounts < bench.Transfers || o.accounts > 10_000_000:
		return usagef("--accounts %d: give %d to 10000000", o.accounts, bench.Transfers)
	}
	dir, err := os.MkdirTemp("", "alia-bench-")
	if err != nil {
		return fmt.Errorf("directory of the validators: %w", err)
	}
	defer os.RemoveAll(dir)
	b := bench.LedgerBench{
		Dir: dir, Validators: o.validators, Interval: o.interval, Window: time.Duration(o.seconds) * time.Second,
		Accounts: o.accounts, Note: a.note,
	}
	r, err := b.Run(ctx)
	if err != nil {
		return err
	}
	return a.result(r, ledgerText{r}.print)
}

// ledgerText is a report for people.
type ledgerText struct{ *bench.LedgerReport }

func (r ledgerText) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s of %.2f s with claims; %.1f s of processor time\n",
		english.Plural(r.Validators, "validator", ""), english.Plural(r.Heights, "height", ""), r.HeightSeconds, r.CPUSeconds)
	fmt.Fprintf(w, "%10.0f slots claimed a second\n", r.SlotsPerSecond)
	fmt.Fprintf(w, "%10.0f transfers a second\n", r.TransactionsPerSecond)
	fmt.Fprintf(w, "%10.1f %% of a height to apply 1,000 transfers to a state of %d accounts: %.0f ms\n", 100*r.ApplyShare, r.Accounts, 1000*r.ApplySeconds)
	fmt.Fprintf(w, "%10d bytes of a proof from this state, but for 1 of 100\n", r.ProofBytesP99)
	fmt.Fprintf(w, "%10.0f bytes left in the state by a million paid units\n", r.StateBytes)
}
