package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/views"
	"github.com/alia-network/alia/protocol"
)

// owner says whose account a command is about: the home's, or that of the home's ledger
// node, whose key signs heights where the account is a validator.
type owner struct{ validator bool }

func (o *owner) flag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.validator, "validator", false, "the account of the home's ledger node, as of a validator (default: the home's account)")
}

// account is the account, without a password.
func (o owner) account(a *app) (protocol.Account, error) {
	if !o.validator {
		account, _, err := a.inspectWallet()
		return account, err
	}
	keys, err := a.ledgerKeys()
	return protocol.AccountOf(keys.Validator), err
}

func (o owner) key(ctx context.Context, a *app) (ed25519.PrivateKey, error) {
	if !o.validator {
		w, err := a.openWallet(ctx)
		if err != nil {
			return nil, err
		}
		return w.Key(), nil
	}
	keys, err := a.ledgerKeys()
	return keys.Validator, err
}

// ledgerKeys are the keys of the home's ledger node, which must be there.
func (a *app) ledgerKeys() (chain.NodeKeys, error) {
	if _, err := chain.Genesis(a.home.Chain()); err != nil {
		return chain.NodeKeys{}, a.noLedgerNode(err)
	}
	return chain.Keys(a.home.Chain())
}

// action is a command that sends one transaction.
type action struct {
	owner
	timeout time.Duration
}

func (t *action) flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&t.timeout, "timeout", 30*time.Second, "`TIME` to wait for the ledger")
}

// do sends a transaction of the account, and calls done with the client when a height has
// it. A transaction that the ledger refuses is an error.
func (t *action) do(cmd *cobra.Command, a *app, body ledger.Body, done func(ctx context.Context, l *light.Client, from protocol.Account, nonce uint64) error) error {
	return a.atHome(cmd, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, t.timeout)
		defer cancel()
		key, err := t.key(ctx, a)
		if err != nil {
			return err
		}
		l, err := a.dialLedger(ctx)
		if err != nil {
			return err
		}
		sender := a.host.sender(l, key)
		nonce, err := sender.Send(ctx, body)
		if err == nil {
			a.log.Debug("the ledger has the transaction, and no height yet", "nonce", nonce)
			err = sender.Confirm(ctx, nonce)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.Name(), err)
		}
		return done(ctx, l, sender.Account(), nonce)
	})
}

// balance prints what the account has after a transaction.
func (a *app) balance(ctx context.Context, l *light.Client, account protocol.Account, _ uint64) error {
	b, err := readBalance(ctx, l, account)
	if err != nil {
		return err
	}
	return a.result(b, func(w io.Writer) { printBalance(w, b) })
}

func newBalance(a *app) *cobra.Command {
	var o owner
	cmd := &cobra.Command{
		Use: "balance [ACCOUNT]", Short: "Print what an account has (default: the home's)",
		Long: `Print what an account has: the ALIA that it can spend, those that are locked,
those that will be free again and from which height on, what its work has
earned, and where its pay goes. Lines that say nothing are left out.`,
		Args: someArgs(0, "ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.showBalance(cmd.Context(), o, args) },
	}
	o.flag(cmd)
	return cmd
}

func (a *app) showBalance(ctx context.Context, o owner, args []string) error {
	if o.validator && len(args) > 0 {
		return usagef("--validator and ACCOUNT both name an account: leave one out")
	}
	account, err := a.accountOr(o, args)
	if err != nil {
		return err
	}
	l, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	return a.balance(ctx, l, account, 0)
}

// accountOr is the account named by the first argument, or else the owner's.
func (a *app) accountOr(o owner, args []string) (protocol.Account, error) {
	if len(args) > 0 {
		return parseAccount(args[0])
	}
	return o.account(a)
}

// parseAccount reads an account that the user gave.
func parseAccount(s string) (protocol.Account, error) {
	account, err := protocol.ParseAccount(s)
	if err != nil {
		return account, usageError{err.Error()}
	}
	return account, nil
}

// readBalance asks the ledger what an account has.
func readBalance(ctx context.Context, l *light.Client, account protocol.Account) (report.Balance, error) {
	return views.Balance(ctx, l, account.String())
}

// printBalance prints what an account has, for people.
func printBalance(w io.Writer, b report.Balance) {
	fmt.Fprintf(w, "%s  %s ALIA\n", b.Account, protocol.FormatAmount(b.Balance))
	if b.Locked > 0 {
		fmt.Fprintf(w, "%s ALIA locked\n", protocol.FormatAmount(b.Locked))
	}
	for _, u := range b.Unlocking {
		fmt.Fprintf(w, "%s ALIA free from height %d on, and this is height %d\n", protocol.FormatAmount(u.Amount), u.Height, b.Height)
	}
	if b.Earned > 0 {
		fmt.Fprintf(w, "%s ALIA earned by work so far\n", protocol.FormatAmount(b.Earned))
	}
	switch {
	case b.Replaced:
		fmt.Fprintf(w, "the key was replaced: all money goes to %s\n", b.Payout)
	case b.Payout != "":
		fmt.Fprintf(w, "pay goes to %s\n", b.Payout)
	}
}

func newTransfer(a *app) *cobra.Command {
	var t action
	var memo string
	cmd := &cobra.Command{
		Use:        "transfer ACCOUNT AMOUNT",
		SuggestFor: []string{"send", "pay"},
		Short:      "Send ALIA from the home's account",
		Args:       exactArgs("ACCOUNT", "AMOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			amount, err := parseAmount(args[1])
			if err != nil {
				return err
			}
			return t.do(cmd, a, ledger.Transfer{To: to, Amount: amount, Memo: memo}, func(_ context.Context, _ *light.Client, from protocol.Account, nonce uint64) error {
				r := report.Transferred{From: from.String(), To: to.String(), Amount: amount, Nonce: nonce}
				return a.result(r, func(w io.Writer) {
					fmt.Fprintf(w, "%s ALIA from %s to %s\n", protocol.FormatAmount(r.Amount), r.From, r.To)
				})
			})
		},
	}
	cmd.Flags().StringVar(&memo, "memo", "", "`TEXT` that everyone can read")
	t.flags(cmd)
	t.flag(cmd)
	return cmd
}

// parseAmount reads an amount that the user gave.
func parseAmount(s string) (uint64, error) {
	amount, err := protocol.ParseAmount(s)
	if err != nil {
		return 0, usageError{err.Error()}
	}
	return amount, nil
}

func newLock(a *app) *cobra.Command {
	return newAmount(a, &cobra.Command{
		Use: "lock AMOUNT", SuggestFor: []string{"stake", "bond"},
		Short: "Lock ALIA of the home's account",
		Long: `Lock ALIA of the home's account. Locked ALIA stand for the account's honesty: a
validator must have some, and so must who takes a run over (alia ledger take).
alia wallet unlock frees them again.`,
	}, func(amount uint64) ledger.Body { return ledger.Lock{Amount: amount} })
}

func newUnlock(a *app) *cobra.Command {
	return newAmount(a, &cobra.Command{
		Use: "unlock AMOUNT", SuggestFor: []string{"unstake", "unbond"},
		Short: "Begin to free locked ALIA of the home's account",
		Long: `Begin to free locked ALIA of the home's account. They can be spent some time
later: the command says from which height on. The network's genesis says after
how many heights, 50,000 unless its founder chose another number.`,
	}, func(amount uint64) ledger.Body { return ledger.Unlock{Amount: amount} })
}

// newAmount is a command that sends a transaction with an amount.
func newAmount(a *app, cmd *cobra.Command, body func(amount uint64) ledger.Body) *cobra.Command {
	var t action
	cmd.Args = exactArgs("AMOUNT")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		amount, err := parseAmount(args[0])
		if err != nil {
			return err
		}
		return t.do(cmd, a, body(amount), a.balance)
	}
	t.flags(cmd)
	t.flag(cmd)
	return cmd
}

func newPayout(a *app) *cobra.Command {
	var t action
	cmd := &cobra.Command{
		Use:   "payout [ACCOUNT]",
		Short: "Show or choose the account that gets the home's pay",
		Long: `Show the account that gets the pay of the home's work, or choose another one,
such as one whose key is on paper. The ledger pays later work there; what the
home's account has stays. With the home's own account the pay comes to the home
again.`,
		Args: someArgs(0, "ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.showPayout(cmd.Context(), t.owner)
			}
			to, err := parseAccount(args[0])
			if err != nil {
				return err
			}
			err = t.do(cmd, a, ledger.SetPayout{To: to}, a.printPayout)
			if errors.Is(err, ledger.Already) { // there was none to end
				return a.showPayout(cmd.Context(), t.owner)
			}
			return err
		},
	}
	t.flags(cmd)
	t.flag(cmd)
	return cmd
}

func (a *app) showPayout(ctx context.Context, o owner) error {
	account, err := o.account(a)
	if err != nil {
		return err
	}
	l, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	return a.printPayout(ctx, l, account, 0)
}

// printPayout prints where the pay of an account goes.
func (a *app) printPayout(ctx context.Context, l *light.Client, account protocol.Account, _ uint64) error {
	b, err := readBalance(ctx, l, account)
	if err != nil {
		return err
	}
	return a.result(b, func(w io.Writer) {
		to := "the account itself"
		if b.Payout != "" {
			to = b.Payout
		}
		fmt.Fprintf(w, "the pay of %s goes to %s\n", b.Account, to)
	})
}
