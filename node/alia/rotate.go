package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/mesh"
)

func newRotate(a *app) *cobra.Command {
	var noPhrase bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "rotate", SuggestFor: []string{"replace", "renew"},
		Short: "Replace the home's key by a new one, which gets all money",
		Long: `Replace the home's key by a new one, for example because others may know it. The
account of the new key gets all money of the old one, and from then on all its
pay. The old key can never spend again. Nothing undoes that.

The new key has a recovery phrase of its own, and the seal and password of the
old key. The old key stays in the home as wallet.old-ACCOUNT. If the command is
interrupted, the same command goes on with the same new key.

First end what the home does: its runs (alia train to the end), its translations
(alia wallet reclaim), and the process that serves it (alia node stop). The new
account is another peer, and another coordinator and customer. The key of the
home's ledger node is another one, and stays.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if _, _, err := a.inspectWallet(); err != nil {
				return err
			}
			// No process may go on with the old key.
			store, err := a.home.Store()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			r := rotation{app: a, noPhrase: noPhrase, timeout: timeout}
			for _, step := range r.steps() {
				if err := step(cmd.Context()); err != nil {
					return err
				}
			}
			return r.tell()
		},
	}
	cmd.Flags().BoolVar(&noPhrase, "no-phrase", false, "do not show the recovery phrase of the new key: alia wallet phrase prints it later")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "`TIME` to wait for the ledger")
	return cmd
}

// rotation replaces the key of a home. The new key is on disk before the ledger hears of
// it, and the old key is never deleted. So a rotation that ended between any two steps is
// finished by the next one.
type rotation struct {
	app      *app
	noPhrase bool
	timeout  time.Duration

	ledger    *light.Client
	password  string // of the old wallet; empty if it is plain
	old, next *wallet.Wallet
	successor protocol.Account // of the old account, as the ledger has it
	replaced  bool             // there is a successor
}

// steps are the parts of a rotation, in their sequence.
func (r *rotation) steps() []func(context.Context) error {
	return []func(context.Context) error{r.open, r.look, r.make, r.send, r.keep, r.replace}
}

// open opens the home's wallet.
func (r *rotation) open(ctx context.Context) (err error) {
	r.old, err = wallet.Open(r.app.home.Wallet(), func() (string, error) {
		password, err := r.app.password(ctx)
		r.password = password
		return password, err
	})
	return err
}

// look asks the ledger whether the key was replaced before, or can be.
func (r *rotation) look(ctx context.Context) (err error) {
	if r.ledger, err = r.app.dialLedger(ctx); err != nil {
		return err
	}
	p, set, err := r.ledger.Payout(ctx, r.old.Account())
	if err != nil {
		return err
	}
	if set && p.Final {
		r.successor, r.replaced = p.To, true
		return nil
	}
	b, err := readBalance(ctx, r.ledger, r.old.Account())
	if err == nil && b.Balance == 0 {
		return fmt.Errorf("rotate: %s has no ALIA for the fee: send it some, or begin with another --home", b.Account)
	}
	return err
}

// make makes the new key and has it written down. A key of an earlier rotation is taken.
func (r *rotation) make(ctx context.Context) error {
	path := r.app.home.NextWallet()
	next, err := wallet.Open(path, func() (string, error) {
		if r.password != "" {
			return r.password, nil
		}
		return r.app.password(ctx)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.replaced:
		return fmt.Errorf("the ledger has replaced the key of %s by that of %s, and the home has no file %s with that key: `alia wallet recover` makes it from its recovery phrase, in another home",
			r.old.Account(), r.successor, path)
	case errors.Is(err, fs.ErrNotExist):
		next = wallet.New()
		err = next.Save(path, r.password)
	case err == nil && r.replaced && next.Account() != r.successor:
		return fmt.Errorf("the ledger has replaced the key of %s by that of %s, and not by that in %s: `alia wallet recover` makes the right key from its recovery phrase, in another home",
			r.old.Account(), r.successor, path)
	}
	if err != nil {
		return err
	}
	if r.next = next; r.replaced {
		return nil
	}
	if err = r.app.showPhrase(ctx, next, r.noPhrase); errors.As(err, new(interruption)) {
		return interruption{"the new key is made, and nothing is replaced yet: the same command goes on"}
	}
	return err
}

// send has the ledger replace the key.
func (r *rotation) send(ctx context.Context) error {
	if r.replaced {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	sender := r.ledger.Sender(r.old.Key())
	nonce, err := sender.Send(ctx, ledger.Rotate{To: r.next.Account()})
	if err == nil {
		err = sender.Confirm(ctx, nonce)
	}
	if err != nil { // the transaction of an interrupted rotation may have been first
		if p, set, err := r.ledger.Payout(ctx, r.old.Account()); err == nil && set && p.Final && p.To == r.next.Account() {
			return nil
		}
	}
	if errors.Is(err, ledger.NotDue) {
		return fmt.Errorf("rotate: %w: `alia ledger validators` says from which height on the key can be replaced; until the validators have expelled the account (alia ledger expel) it cannot be: then give the same command again", err)
	} else if err != nil {
		return fmt.Errorf("rotate: %w: the home has its old key; the same command goes on", err)
	}
	return nil
}

// keep gives the old wallet the name under which it stays.
func (r *rotation) keep(context.Context) error {
	return wallet.Keep(r.app.home.Wallet(), r.app.home.OldWallet(r.old.Account()))
}

// replace puts the new wallet in the place of the old one.
func (r *rotation) replace(context.Context) error {
	return wallet.Replace(r.app.home.Wallet(), r.app.home.NextWallet())
}

// tell says what is new, and what is left to do.
func (r *rotation) tell() error {
	a := r.app
	out := report.Rotated{Old: r.old.Account().String(), New: r.next.Account().String(), Kept: a.home.OldWallet(r.old.Account())}
	notes, err := r.notes()
	if err != nil {
		return err
	}
	for _, n := range notes {
		a.note("%s", n)
	}
	return a.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s\nis the home's account now. All money of\n%s\nis there, and later pay goes there. The old key is kept in\n%s\n", out.New, out.Old, out.Kept)
	})
}

// notes says what the home still has of the old account.
func (r *rotation) notes() ([]string, error) {
	a := r.app
	var notes []string
	network, err := a.openNetwork()
	if err != nil {
		return nil, err
	}
	was, err := mesh.PeerOf(r.old.Account())
	if err != nil {
		return nil, err
	}
	is, err := mesh.PeerOf(r.next.Account())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(network.Bootstrap, func(addr string) bool { return strings.HasSuffix(addr, "/p2p/"+was.String()) }) {
		notes = append(notes, fmt.Sprintf("members find this node as peer %s, and it is %s now: change that in bootstrap of %s, sign the file (alia ledger sign) and give it to the members", was, is, a.network))
	}
	for _, what := range []struct{ dir, text string }{
		{a.home.Runs(), "the runs of this home belong to the old account: `alia train` proposes an unfinished one anew"},
		{a.home.Jobs(), "escrows of this home's translations belong to the old account: the old key closes them, in a home of its own (`alia wallet reclaim`), and the money goes to the new account"},
	} {
		found, err := home.Named(what.dir)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			notes = append(notes, what.text)
		}
	}
	return notes, nil
}

// settledKey refuses to touch the home's wallet while a rotation is not finished.
func (a *app) settledKey() error {
	path := a.home.NextWallet()
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s holds a key that is about to replace the home's key: finish that with `alia wallet rotate` first", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
