package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func newEscrow(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use: "escrow", Short: "Look after the escrows of the home's translations",
		Long: `Look after the escrows of the home's translations. An escrow is what a customer
sets aside for a job before the work begins. The ledger pays the job's miners
from the escrow. What is left comes back when the escrow is closed; "alia wallet
reclaim" closes all escrows that can be closed.`,
	}, newEscrowList(a), newEscrowTopUp(a), newEscrowClose(a))
}

func newEscrowList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the open escrows of the home's jobs", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.customer(cmd.Context())
			if err != nil {
				return err
			}
			all, height, err := c.Escrows(cmd.Context())
			if err != nil {
				return err
			}
			out := report.Escrows{Height: height, Escrows: []report.JobEscrow{}}
			for _, e := range all {
				out.Escrows = append(out.Escrows, escrowOf(e))
			}
			return a.result(out, func(w io.Writer) {
				if len(all) == 0 {
					fmt.Fprintln(w, "no escrow is open")
				}
				for _, e := range out.Escrows {
					printEscrow(w, e)
				}
			})
		},
	}
}

func escrowOf(e client.OpenEscrow) report.JobEscrow {
	return report.JobEscrow{
		Job: e.Job.String(), Opened: e.Opened, Claimed: e.Opened - e.Left, Left: e.Left, Price: e.Price,
		Units: e.Units.Slots, Done: len(e.Claims), Deadline: e.Deadline, Closable: e.Closable,
	}
}

func printEscrow(w io.Writer, e report.JobEscrow) {
	fmt.Fprintf(w, "job %s\n  %s of %s ALIA left, %d of %s claimed\n  miners can rely on it until height %d, it can be closed from height %d on\n",
		e.Job, protocol.FormatAmount(e.Left), protocol.FormatAmount(e.Opened), e.Done, english.Plural(int(e.Units), "unit", ""), e.Deadline, e.Closable)
}

func newEscrowTopUp(a *app) *cobra.Command {
	var more amount
	var hold uint64
	cmd := &cobra.Command{
		Use: "top-up JOB", Short: "Add to an escrow, or extend its deadline", Args: exactArgs("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := jobNamed(args[0])
			if err != nil {
				return err
			}
			if more == 0 && hold == 0 {
				return usagef("give --amount, --hold or both")
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				c, err := a.customer(ctx)
				if err != nil {
					return err
				}
				e, err := c.TopUp(ctx, job, uint64(more), hold)
				if err != nil {
					return err
				}
				out := escrowOf(e)
				return a.result(out, func(w io.Writer) { printEscrow(w, out) })
			})
		},
	}
	cmd.Flags().Var(&more, "amount", "`ALIA` to add")
	cmd.Flags().Uint64Var(&hold, "hold", 0, "`HEIGHTS` from now until the deadline; a later deadline stays")
	a.completeJobs(cmd)
	return cmd
}

func newEscrowClose(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "close JOB", Short: "Take back what is left of an escrow",
		Long: `Take back what is left of an escrow. The pay of accepted units that is not
claimed yet is claimed first, and the job's receipt gets the last proof of the
ledger. An escrow can be closed when all its units are paid, or when miners have
had time to claim after its deadline, and their claims are paid.`,
		Args: exactArgs("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := jobNamed(args[0])
			if err != nil {
				return err
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				c, err := a.customer(ctx)
				if err != nil {
					return err
				}
				returned, claimed, err := c.Close(ctx, job)
				if err != nil {
					return err
				}
				out := report.ClosedEscrow{Job: job.String(), Returned: returned, Claimed: claimed}
				return a.result(out, func(w io.Writer) { fmt.Fprintf(w, "%s ALIA came back\n", protocol.FormatAmount(returned)) })
			})
		},
	}
	a.completeJobs(cmd)
	return cmd
}

// completeJobs completes the CIDs of the home's jobs.
func (a *app) completeJobs(cmd *cobra.Command) {
	cmd.ValidArgsFunction = directories(func() string { return a.home.Jobs() })
}

func jobNamed(text string) (block.Link, error) {
	job, err := block.ParseLink(text)
	if err != nil {
		return job, usagef("%q is not the CID of a job: `alia escrow list` prints those of the home", text)
	}
	return job, nil
}

// customer is the home's account and jobs, as a customer of the network.
func (a *app) customer(ctx context.Context) (*client.Customer, error) {
	w, err := a.openWallet(ctx)
	if err != nil {
		return nil, err
	}
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	l, err := dial(ctx, network)
	if err != nil {
		return nil, err
	}
	store, reader, err := a.readBlocks()
	if err != nil {
		return nil, err
	}
	if reader != nil {
		sealer, err := home.NewSealer(w.Key())
		if err != nil {
			return nil, err
		}
		reader.Unseal(sealer)
	}
	return &client.Customer{
		Home: a.home, Network: network, Key: w.Key(), Ledger: l, Sender: a.host.sender(l, w.Key()), Store: store, Report: func(node.Notice) {},
	}, nil
}
