package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/protocol"
)

// queryValidators prints who makes the heights, and who is voted on.
func queryValidators(ctx context.Context, a *app, l *light.Client, _ []string) error {
	r, err := views.Council(ctx, l)
	if err != nil {
		return err
	}
	own := "" // account of the home's ledger node, where there is one
	if keys, err := a.ledgerKeys(); err == nil {
		own = protocol.AccountOf(keys.Validator).String()
	}
	return a.result(r, func(w io.Writer) {
		for _, v := range r.Validators {
			fmt.Fprint(w, v)
			if v == own {
				fmt.Fprint(w, "  this home")
			}
			fmt.Fprintln(w)
		}
		for _, v := range r.Votes {
			what := "expel"
			if v.Admit {
				what = "admit"
			}
			fmt.Fprintf(w, "vote to %s %s: %d of %d validators so far, %d needed; open until height %d\n", what, v.Account, len(v.Yes), len(r.Validators), v.Needed, v.Expires)
		}
		for _, f := range r.Left {
			fmt.Fprintf(w, "%s has left, and can replace its key from height %d on\n", f.Account, f.Height)
		}
	})
}

func newAdmit(a *app) *cobra.Command {
	cmd := newVote(a, true)
	cmd.Use, cmd.Short = "admit ACCOUNT", "Vote to make an account a validator"
	cmd.Long = `Vote, as the validator of this home, to make an account a validator. More than
two thirds of the validators decide.

The account is that of a ledger node. There alia wallet show --validator prints
it. It must have ALIA locked: send it some (alia wallet transfer), and there
give alia wallet lock --validator AMOUNT. The genesis says how much, at most a
thousandth of all that was minted.`
	return cmd
}

func newExpel(a *app) *cobra.Command {
	cmd := newVote(a, false)
	cmd.Use, cmd.Short = "expel ACCOUNT", "Vote to take an account off the validators"
	cmd.Long = `Vote, as the validator of this home, to take an account off the validators. More
than two thirds of the validators decide. Its locked ALIA stay its own.`
	return cmd
}

// newVote is a command that votes on a validator.
func newVote(a *app, admit bool) *cobra.Command {
	t := action{owner: owner{validator: true}}
	cmd := &cobra.Command{
		Args: exactArgs("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			return t.vote(cmd, a, ledger.ValidatorVote{Account: account, Admit: admit})
		},
	}
	t.flags(cmd)
	return cmd
}

func newLeave(a *app) *cobra.Command {
	t := action{owner: owner{validator: true}}
	cmd := &cobra.Command{
		Use: "leave", SuggestFor: []string{"resign", "exit"},
		Short: "Take this home's ledger node off the validators",
		Long: `Take this home's ledger node off the validators, at once. The node then follows:
it can go on running. alia wallet unlock --validator frees its locked ALIA. The
last validator of a network cannot leave.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			me, err := t.account(a)
			if err != nil {
				return err
			}
			return t.vote(cmd, a, ledger.ValidatorVote{Account: me})
		},
	}
	t.flags(cmd)
	return cmd
}

// vote sends a vote, and prints the validators.
func (t *action) vote(cmd *cobra.Command, a *app, v ledger.ValidatorVote) error {
	err := t.do(cmd, a, v, func(ctx context.Context, l *light.Client, _ protocol.Account, _ uint64) error {
		return queryValidators(ctx, a, l, nil)
	})
	switch {
	case errors.Is(err, ledger.NotValidator), errors.Is(err, ledger.InsufficientFunds): // the vote of a validator is free
		return fmt.Errorf("only validators vote, and the ledger node of %s is none: `alia ledger validators` lists them: %w", a.home, err)
	case errors.Is(err, ledger.NoStake):
		return fmt.Errorf("%w: in the home of that ledger node, `alia wallet lock --validator` locks it", err)
	}
	return err
}

func newTake(a *app) *cobra.Command {
	var t action
	cmd := &cobra.Command{
		Use: "take RUN COORDINATOR", SuggestFor: []string{"takeover", "adopt"},
		Short: "Take over a run whose coordinator is silent",
		Long: `Take over a run whose coordinator is silent: this home coordinates it from the
next round on, and claims its rounds. The rounds that are claimed stay paid to
those who did them.

It takes locked ALIA (alia wallet lock), and a bond that comes back after the
end of the run. The coordinator must be silent for as many heights as the run
says; alia ledger run prints its last sign of life.

Then give the alia train command of the run, with the same corpus and the same
options: the same run goes on. The rounds that are claimed are computed again on
this machine, because no miner is paid for them twice.`,
		Args: exactArgs("RUN", "COORDINATOR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := runLink(args[0])
			if err != nil {
				return err
			}
			coordinator, err := parseAccount(args[1])
			if err != nil {
				return err
			}
			err = t.do(cmd, a, ledger.RunTake{Run: run, Coordinator: coordinator}, func(ctx context.Context, l *light.Client, me protocol.Account, _ uint64) error {
				return queryRun(ctx, a, l, []string{args[0], me.String()})
			})
			switch {
			case errors.Is(err, ledger.NoStake):
				return fmt.Errorf("%w: `alia wallet lock` locks it", err)
			case errors.Is(err, ledger.UnknownRun):
				return fmt.Errorf("%w: `alia ledger run` shows a run that the ledger has", err)
			}
			return err
		},
	}
	t.flags(cmd)
	return cmd
}
