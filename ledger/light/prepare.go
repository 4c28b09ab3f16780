package light

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/alia-network/alia/ledger"
)

// Prepared is a signed transaction that is not sent yet. Who keeps it before sending it can
// find out after a crash what became of it, and never sends the same money twice.
type Prepared struct {
	Nonce   uint64
	Expires uint64 // the last height that may have it
	Tx      []byte
}

// Prepare signs a transaction that pays a fee, as Send does, and sends nothing.
func (s *Sender) Prepare(ctx context.Context, body ledger.Body) (Prepared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.Account()
	account, height, _, err := record[ledger.AccountState](ctx, s.client, "account", me[:])
	if err != nil {
		return Prepared{}, err
	}
	rates, known, err := s.client.Schedule(ctx, height+1)
	if err != nil {
		return Prepared{}, err
	} else if !known {
		return Prepared{}, fmt.Errorf("%w: no rates of height %d", ErrProof, height+1)
	}
	// The gap keeps the nonce apart from those of another process of the account: the ledger
	// tells what became of a nonce, not of which transaction it was.
	nonce := max(s.last, account.Nonce, uint64(time.Now().UnixMilli())) + 1 + rand.Uint64N(1000)
	tx := ledger.Tx{Nonce: nonce, ExpHeight: height + expiry, Body: body}
	data, err := ledger.Sign(s.key, s.client.Net(), tx)
	if err == nil {
		tx.Fee = 2 * rates.Fee(ledger.Gas(body, len(data)+feeBytes))
		data, err = ledger.Sign(s.key, s.client.Net(), tx)
	}
	if err != nil {
		return Prepared{}, err
	}
	s.last = tx.Nonce
	return Prepared{Nonce: tx.Nonce, Expires: tx.ExpHeight, Tx: data}, nil
}

// Submit sends a prepared transaction. Sending it again does no harm.
func (s *Sender) Submit(ctx context.Context, p Prepared) error {
	return s.client.Submit(ctx, p.Tx)
}

// Fate says what became of a prepared transaction, by the account's proven record.
func (s *Sender) Fate(ctx context.Context, p Prepared) (ledger.Fate, ledger.Code, error) {
	me := s.Account()
	account, height, _, err := record[ledger.AccountState](ctx, s.client, "account", me[:])
	if err != nil {
		return ledger.Waiting, ledger.OK, err
	}
	f, code := account.Fate(p.Nonce, p.Expires, height)
	return f, code, nil
}
