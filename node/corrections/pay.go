package corrections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// A payment is a transfer on the ledger. It is signed, written to the pool with its bytes
// and its nonce, and only then sent. So a process that is killed at any moment leaves a
// payment that the next one can settle: the ledger takes a nonce once. No correction gets
// into a second payment before the ledger has shown that the first one never happens.

// Bank is what paying needs of the ledger. A [light.Sender] is one.
type Bank interface {
	Account() protocol.Account
	Prepare(ctx context.Context, body ledger.Body) (light.Prepared, error)
	Submit(ctx context.Context, p light.Prepared) error
	Fate(ctx context.Context, p light.Prepared) (ledger.Fate, ledger.Code, error)
}

// ErrUntold says that the ledger no longer tells whether a payment was made.
var ErrUntold = errors.New("the ledger does not tell any more whether it was made")

// Found is what a person found out about a payment of [ErrUntold].
type Found int

const (
	NotLooked Found = iota
	WasPaid
	WasNotPaid
)

// Payment is a transfer that the ledger has carried out.
type Payment struct {
	Payee       protocol.Account `json:"payee"`
	Amount      uint64           `json:"amount"`
	Corrections []block.Link     `json:"corrections"`
	Nonce       uint64           `json:"nonce"`
	Memo        string           `json:"memo"` // what the ledger has
}

// poll is the time between two looks at the ledger, and again the looks after which a
// transaction is sent again.
const (
	poll  = 100 * time.Millisecond
	again = 30
)

// Pay pays what is due for approved corrections: one transfer for up to 200 corrections of
// one payee. It first finds out what became of transfers that an earlier call has left. An
// error leaves a transfer that may have been sent for the next call. found is for a payment
// of [ErrUntold] alone.
func (p *Pool) Pay(ctx context.Context, bank Bank, found Found) (paid []Payment, err error) {
	if bank.Account() != p.Collector {
		return nil, fmt.Errorf("pay corrections: the account %s is not that of this home", bank.Account().Short())
	}
	// One process pays at a time: two would wait for each other's nonces.
	unlock, err := lockedfile.MutexAt(filepath.Join(p.Dir, "pay.lock")).Lock()
	if err != nil {
		return nil, fmt.Errorf("pay corrections: %w", err)
	}
	defer unlock()
	if _, err := p.Learn(ctx); err != nil {
		return nil, err
	}
	for {
		t, err := p.nextPayment(ctx, bank)
		if err != nil || t == nil {
			return paid, err
		}
		ok, err := p.finish(ctx, bank, t, found)
		if ok {
			paid = append(paid, Payment{t.Payee, t.Amount, t.Corrections, t.Nonce, t.Memo()})
		}
		if err != nil {
			return paid, fmt.Errorf("pay %s ALIA to %s for %d corrections: %w", protocol.FormatAmount(t.Amount), t.Payee, len(t.Corrections), err)
		}
	}
}

// nextPayment is a transfer that waits, or else a new one, which is in the pool; nil when
// nothing is due.
func (p *Pool) nextPayment(ctx context.Context, bank Bank) (next *Remittance, err error) {
	var to protocol.Account
	var some []*Item
	err = p.locked(func() error {
		if nonces := slices.Sorted(maps.Keys(p.book.pending)); len(nonces) > 0 {
			next = p.book.pending[nonces[0]]
			return nil
		}
		payees, list := p.book.dues()
		if len(payees) > 0 {
			to = payees[0]
			some = list[to][:min(len(list[to]), maxTogether)]
		}
		return nil
	})
	if err != nil || next != nil || len(some) == 0 {
		return next, err
	}
	t := Remittance{Version: 1, From: bank.Account(), Payee: to}
	for _, e := range some {
		t.Amount += e.Due
		t.Corrections = append(t.Corrections, e.ID)
	}
	tx, err := bank.Prepare(ctx, ledger.Transfer{To: to, Amount: t.Amount, Memo: t.Memo()})
	if err != nil {
		return nil, fmt.Errorf("pay corrections: %w", err)
	}
	t.Nonce, t.Expires, t.Tx = tx.Nonce, tx.Expires, tx.Tx
	data, err := block.Encode(t)
	if err != nil {
		return nil, err
	}
	return &t, p.locked(func() error { return p.add(entry{kindTransfer, data}) })
}

// finish sends a transfer until the ledger says what became of it.
func (p *Pool) finish(ctx context.Context, bank Bank, t *Remittance, found Found) (paid bool, err error) {
	tx := light.Prepared{Nonce: t.Nonce, Expires: t.Expires, Tx: t.Tx}
	for n := 0; ; n++ {
		fate, code, err := bank.Fate(ctx, tx)
		if err != nil {
			return false, waits(err)
		}
		if t.From != bank.Account() { // the home has another key since: its account tells nothing of the transfer
			fate = ledger.Untold
		}
		switch {
		case fate == ledger.Taken || fate == ledger.Untold && found == WasPaid:
			return true, p.settled(t, true, "paid")
		case fate == ledger.Refused:
			return false, errors.Join(code, p.settled(t, false, code.Error()))
		case fate == ledger.Untold && found == NotLooked:
			return false, fmt.Errorf("%w: look for a transfer of %s with the memo %q, and say what you found: --held paid or --held unpaid", ErrUntold, t.From, t.Memo())
		case fate == ledger.Gone, fate == ledger.Untold:
			return false, p.settled(t, false, "no height has it")
		}
		if n%again == 0 {
			err := bank.Submit(ctx, tx)
			// These say that the ledger has it, or what the next look shows.
			known := errors.Is(err, ledger.Already) || errors.Is(err, ledger.Busy) || errors.Is(err, ledger.BadNonce) || errors.Is(err, ledger.BadExpiry)
			if err != nil && !known {
				return false, waits(err)
			}
			if err == nil && n == 0 {
				continue // a ledger of one process is done
			}
		}
		select {
		case <-ctx.Done():
			return false, waits(ctx.Err())
		case <-time.After(poll):
		}
	}
}

func waits(err error) error {
	return fmt.Errorf("%w: the transfer may have been made; the same command finds out, and pays nothing twice", err)
}

func (p *Pool) settled(t *Remittance, paid bool, text string) error {
	data, err := block.Encode(settled{Version: 1, Nonce: t.Nonce, Paid: paid, Text: text})
	if err != nil {
		return err
	}
	return p.locked(func() error { return p.add(entry{kindSettled, data}) })
}

// Terms are what a budget says, and what of it is spent.
type Terms struct {
	Budget protocol.Budget
	ID     block.Link
	Signed []byte // the budget's bytes, for everybody to check
	// SetAside is for approved corrections, Paid of it is paid.
	SetAside, Paid uint64
	Published      bool
}

// Left is what can still be set aside.
func (t Terms) Left() uint64 { return t.Budget.Amount - t.SetAside }

// Terms returns the budget in force.
func (p *Pool) Terms() (t Terms, err error) {
	err = p.locked(func() error {
		b := p.book.budget
		if b == nil {
			return nil
		}
		t = Terms{Budget: b.record, ID: b.id, SetAside: b.due, Published: true}
		for _, e := range p.book.order {
			if e.Paid && e.Budget == b.id {
				t.Paid += e.Due
			}
		}
		var err error
		t.Signed, err = protocol.Encode(&b.record)
		return err
	})
	return t, err
}

// Publish signs a budget, and puts it in force for corrections that are approved from now
// on. What earlier budgets owe stays owed.
func (p *Pool) Publish(b protocol.Budget) (Terms, error) {
	err := p.locked(func() error {
		b.Time = p.now()
		if old := p.book.budget; old != nil {
			b.Time = max(b.Time, old.record.Time+1)
		}
		e, err := p.sign(kindBudget, &b)
		if err != nil {
			return err
		}
		return p.add(e)
	})
	if err != nil {
		return Terms{}, err
	}
	return p.Terms()
}

// Transfers returns the payments of the pool in their sequence, and those of them that the
// ledger has not confirmed.
func (p *Pool) Transfers() (all []Remittance, waiting []uint64, err error) {
	err = p.locked(func() error {
		for _, t := range p.book.transfers {
			all = append(all, *t)
		}
		waiting = slices.Sorted(maps.Keys(p.book.pending))
		return nil
	})
	return all, waiting, err
}
