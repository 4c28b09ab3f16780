package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

func newWallet(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "wallet", Short: "Show the home's account, its balance, and send ALIA"},
		&cobra.Command{
			Use: "new", Short: "Make the home's key; a home that has one is refused", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				if _, err := wallet.Open(a.home.Wallet()); !errors.Is(err, fs.ErrNotExist) {
					return errors.Join(fmt.Errorf("the home %s has a wallet: `alia wallet show` prints its account; for another choose another --home", a.home), err)
				}
				return a.showAccount()
			},
		},
		&cobra.Command{
			Use: "show", Short: "Print the home's account", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				if _, err := a.openWallet(); err != nil {
					return err
				}
				return a.showAccount()
			},
		},
		&cobra.Command{
			Use: "balance [ACCOUNT]", Short: "Print the balance of an account (default: the home's)", Args: someArgs(0, "ACCOUNT"),
			RunE: func(cmd *cobra.Command, args []string) error { return a.showBalance(cmd.Context(), args) },
		},
		newTransfer(a),
		&cobra.Command{
			Use: "reclaim", Short: "Take back the unspent budgets of translations", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.atHome(cmd, a.reclaim) },
		},
	)
}

// reclaim closes the escrows of the home's translations whose deadline is past.
func (a *app) reclaim(ctx context.Context) error {
	w, err := a.openWallet()
	if err != nil {
		return err
	}
	l, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	r, err := client.Reclaim(ctx, l, a.host.sender(l, w.Key()), a.home)
	if err != nil {
		return err
	}
	return a.result(r, func(w io.Writer) {
		if r.Settled > 0 {
			fmt.Fprintf(w, "the miners of %s are paid\n", english.Plural(r.Settled, "unit", ""))
		}
		fmt.Fprintf(w, "%s ALIA came back\n", protocol.FormatAmount(r.Returned))
		if r.Held > 0 {
			fmt.Fprintf(w, "%s ALIA are still in escrow; some of it comes back from height %d on\n", protocol.FormatAmount(r.Held), r.Due)
		}
	})
}

func (a *app) showAccount() error {
	key, err := a.home.Key()
	if err != nil {
		return err
	}
	account := protocol.AccountOf(key)
	return a.result(report.Identity{Account: account.String(), Key: hex.EncodeToString(account[:])}, func(w io.Writer) { fmt.Fprintln(w, account.String()) })
}

// openWallet opens the home's wallet, which must be there.
func (a *app) openWallet() (*wallet.Wallet, error) {
	w, err := wallet.Open(a.home.Wallet())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the home %s has no wallet: `alia init` or `alia wallet new` makes one, or name another home with --home", a.home)
	}
	return w, err
}

// accountOr is the account named by the first argument, or the home's.
func (a *app) accountOr(args []string) (protocol.Account, error) {
	if len(args) > 0 {
		return parseAccount(args[0])
	}
	w, err := a.openWallet()
	if err != nil {
		return protocol.Account{}, err
	}
	return w.Account(), nil
}

// parseAccount reads an account that the user gave.
func parseAccount(s string) (protocol.Account, error) {
	account, err := protocol.ParseAccount(s)
	if err != nil {
		return account, usageError{err.Error()}
	}
	return account, nil
}

func (a *app) showBalance(ctx context.Context, args []string) error {
	account, err := a.accountOr(args)
	if err != nil {
		return err
	}
	c, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	record, err := c.Account(ctx, account)
	if err != nil {
		return err
	}
	h := report.Balance{Account: account.String(), Balance: record.Balance, Nonce: record.Nonce}
	return a.result(h, func(w io.Writer) { fmt.Fprintf(w, "%s  %s ALIA\n", h.Account, protocol.FormatAmount(h.Balance)) })
}

func newTransfer(a *app) *cobra.Command {
	var memo string
	var timeout time.Duration
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
			amount, err := protocol.ParseAmount(args[1])
			if err != nil {
				return usageError{err.Error()}
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				return a.transfer(ctx, ledger.Transfer{To: to, Amount: amount, Memo: memo})
			})
		},
	}
	cmd.Flags().StringVar(&memo, "memo", "", "`TEXT` that everyone can read")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "`TIME` to wait for the ledger")
	return cmd
}

func (a *app) transfer(ctx context.Context, t ledger.Transfer) error {
	w, err := a.openWallet()
	if err != nil {
		return err
	}
	c, err := a.dialLedger(ctx)
	if err != nil {
		return err
	}
	sender := a.host.sender(c, w.Key())
	nonce, err := sender.Send(ctx, t)
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	if err := sender.Confirm(ctx, nonce); err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	r := report.Transferred{From: w.Account().String(), To: t.To.String(), Amount: t.Amount, Nonce: nonce}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s ALIA from %s to %s\n", protocol.FormatAmount(r.Amount), r.From, r.To)
	})
}
