package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/protocol"
)

func newWallet(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "wallet", Short: "Make, seal, recover and replace the home's key; send ALIA"},
		newWalletCreate(a), newWalletRecover(a), newWalletPhrase(a), newWalletSeal(a), newWalletUnseal(a),
		newShow(a), newBalance(a), newTransfer(a), newLock(a), newUnlock(a), newPayout(a), newRotate(a),
		&cobra.Command{
			Use: "reclaim", Short: "Take back the unspent budgets of translations", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.atHome(cmd, a.reclaim) },
		},
	)
}

// reclaim closes the escrows of the home's translations that can be closed.
func (a *app) reclaim(ctx context.Context) error {
	c, err := a.customer(ctx)
	if err != nil {
		return err
	}
	r, err := c.Reclaim(ctx)
	if err != nil {
		return err
	}
	return a.result(r, func(w io.Writer) {
		if r.Claimed > 0 {
			fmt.Fprintf(w, "the pay of %s is claimed for the miners\n", english.Plural(r.Claimed, "unit", ""))
		}
		fmt.Fprintf(w, "%s ALIA came back\n", protocol.FormatAmount(r.Returned))
		if r.Held > 0 {
			fmt.Fprintf(w, "%s ALIA are still in escrow; some of it comes back from height %d on, `alia escrow list` shows each\n", protocol.FormatAmount(r.Held), r.Due)
		}
	})
}
