package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

// rotating is the rotation of a home, in a process of its own.
func rotating(dir home.Dir) *rotation {
	a := &app{
		home: dir, network: dir.Network(), env: os.LookupEnv, stdout: io.Discard, stderr: io.Discard,
		guest: true, // nobody is asked at the terminal of the test
		log:   slog.New(slog.DiscardHandler),
	}
	return &rotation{app: a, timeout: 30 * time.Second}
}

// runSteps runs the first n steps of a rotation.
func runSteps(ctx context.Context, r *rotation, n int) error {
	for _, step := range r.steps()[:n] {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// TestRotateInterrupted: a rotation that ends between any two steps is finished by the
// next one, over a real ledger. No key is lost on the way, and the account's money is
// that of the key in the home.
func TestRotateInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network: go test without -short does")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l, err := light.Dial(ctx, light.Config{Addrs: n.File.Ledger, Genesis: n.File.Genesis})
	if err != nil {
		t.Fatal(err)
	}
	const sent = 3 // steps before the transaction
	for _, c := range []struct {
		done int  // steps before the end
		sent bool // the transaction is sent then, and nobody waits for its height
	}{{done: 0}, {done: 1}, {done: 2}, {done: 3}, {done: sent, sent: true}, {done: 4}, {done: 5}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			dir, err := n.Customer(ctx, fmt.Sprint("customer", c))
			if err != nil {
				t.Fatal(err)
			}
			old, _, err := wallet.Inspect(dir.Wallet())
			if err != nil {
				t.Fatal(err)
			}
			first := rotating(dir)
			if err := runSteps(ctx, first, c.done); err != nil {
				t.Fatal(err)
			}
			if c.sent {
				if _, err := l.Sender(first.old.Key()).Send(ctx, ledger.Rotate{To: first.next.Account()}); err != nil {
					t.Fatal(err)
				}
			}
			var meant protocol.Account // the new key, if it is made
			if next, _, err := wallet.Inspect(dir.NextWallet()); err == nil {
				meant = next
			} else if c.done >= sent || !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			err = errors.New("not tried yet")
			for tries := 0; err != nil; tries++ {
				again := rotating(dir)
				if err = runSteps(ctx, again, len(again.steps())); err != nil && (!c.sent || tries > 100) {
					t.Fatal(err)
				}
			}
			now, _, err := wallet.Inspect(dir.Wallet())
			if err != nil || now == old || meant != (protocol.Account{}) && now != meant {
				t.Errorf("the home's key is of %s, %v; the old one was of %s, the new one of %s", now, err, old, meant)
			}
			if kept, _, err := wallet.Inspect(dir.OldWallet(old)); err != nil || kept != old {
				t.Errorf("the old key that is kept is of %s, %v", kept, err)
			}
			if _, err := os.Lstat(dir.NextWallet()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the new key has two names: %v", err)
			}
			p, set, err := l.Payout(ctx, old)
			if err != nil || !set || !p.Final || p.To != now {
				t.Errorf("the ledger has %+v, %v, want %s", p, err, now)
			}
			a, err := l.Account(ctx, now)
			if err != nil || a.Balance < protocol.Coin/2 {
				t.Errorf("the new account has %d, %v", a.Balance, err)
			}
		})
	}
}
