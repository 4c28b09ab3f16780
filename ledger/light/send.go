package light

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// expiry is how many heights a transaction of a [Sender] stays valid.
const expiry = ledger.Horizon / 2

// confirmInterval is the pause between two reads of the account.
const confirmInterval = 100 * time.Millisecond

// Submit hands a signed transaction to the ledger. Without an error the transaction
// waits for the next height; it may still be refused there. A refusal wraps a
// [ledger.Code]. [ErrUnreachable] means that no ledger node answered.
func (c *Client) Submit(ctx context.Context, tx []byte) error {
	err := c.each(ctx, func(ctx context.Context, s server) error {
		res, err := s.rpc.BroadcastTxSync(ctx, tx)
		switch {
		case err == nil && res.Code == uint32(ledger.OK):
			return nil
		case err == nil:
			return refusal(ledger.Code(res.Code), res.Log)
		case strings.Contains(err.Error(), "already exists in cache"):
			return ledger.Already
		case strings.Contains(err.Error(), "mempool is full"):
			return ledger.Busy
		}
		return callError(err)
	})
	if err != nil {
		return fmt.Errorf("submit transaction: %w", err)
	}
	return nil
}

// refusal is a Code with a ledger node's own words, which usually name the Code.
func refusal(code ledger.Code, words string) error {
	if !strings.Contains(words, code.String()) {
		words = code.String() + ": " + words
	}
	return &ledger.Refusal{Code: code, Text: words}
}

// Sender numbers and submits the transactions of one account. It is safe for
// concurrent use.
type Sender struct {
	client *Client
	key    ed25519.PrivateKey

	mu   sync.Mutex // locked while sending, so that nonces arrive in sequence
	last uint64     // the last nonce used
}

// Sender returns a sender for a key's account.
func (c *Client) Sender(key ed25519.PrivateKey) *Sender { return &Sender{client: c, key: key} }

// Account returns the sender's account.
func (s *Sender) Account() protocol.Account { return protocol.AccountOf(s.key) }

// Send signs and submits a transaction, and returns its nonce. It offers twice the price
// of gas of the next height; what is burned is the price of the height that takes the
// transaction. Without tokens for that it asks for the free lane. Errors are those of
// Submit.
func (s *Sender) Send(ctx context.Context, body ledger.Body) (nonce uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.Account()
	account, height, _, err := record[ledger.AccountState](ctx, s.client, "account", me[:])
	if err != nil {
		return 0, err
	}
	rates, known, err := s.client.Schedule(ctx, height+1) // a height's rates are published in the one before
	if err != nil {
		return 0, err
	} else if !known {
		return 0, fmt.Errorf("%w: no rates of height %d", ErrProof, height+1)
	}
	// The clock keeps the nonces of a restarted process above those of transactions
	// that its predecessor has sent and that are in no height yet.
	tx := ledger.Tx{Nonce: max(s.last+1, account.Nonce+1, uint64(time.Now().UnixMilli())), ExpHeight: height + expiry, Body: body}
	data, err := ledger.Sign(s.key, s.client.Net(), tx)
	if err != nil {
		return 0, err
	}
	s.last = tx.Nonce
	if ledger.MayBeFree(body) {
		if err := s.client.Submit(ctx, data); !errors.Is(err, ledger.FeeTooLow) {
			return tx.Nonce, err
		}
	}
	tx.Fee = 2 * rates.Fee(ledger.Gas(body, len(data)+feeBytes))
	if data, err = ledger.Sign(s.key, s.client.Net(), tx); err != nil {
		return 0, err
	}
	return tx.Nonce, s.client.Submit(ctx, data)
}

// feeBytes is the bytes that a fee adds to a transaction.
const feeBytes = 8

// A transaction is in one of the next heights, or the ledger refused it there.
const (
	confirmHeights = 5
	confirmSilence = 4 * time.Second // without an answer of a ledger node
)

// Confirm returns when a height has taken the account's transaction with a nonce that
// Send returned. An error that wraps a [ledger.Code] says that a height has refused it:
// the account's proven record says so. It is an error as well if none of the next heights
// has the transaction, however long they take, if no ledger node answers, or if the
// context is done.
func (s *Sender) Confirm(ctx context.Context, nonce uint64) error {
	me := s.Account()
	var first uint64
	answered := time.Now()
	for {
		account, height, _, err := record[ledger.AccountState](ctx, s.client, "account", me[:])
		if err == nil {
			if code, known := account.Outcome(nonce); known && code != ledger.OK {
				return fmt.Errorf("transaction %d was refused: %w", nonce, code)
			} else if known {
				return nil
			}
		}
		switch {
		case err == nil && account.Nonce > nonce:
			return fmt.Errorf("confirm transaction %d: the account sent later ones, and the ledger does not say what became of it", nonce)
		case err == nil && first == 0:
			first, answered = height, time.Now()
		case err == nil && height >= first+confirmHeights:
			return fmt.Errorf("confirm transaction %d: none of the heights %d to %d has it: look at the balance before it is sent again", nonce, first, height)
		case err == nil:
			answered = time.Now()
		case time.Since(answered) > confirmSilence:
			return fmt.Errorf("confirm transaction %d: %w", nonce, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("confirm transaction %d: %w", nonce, errors.Join(ctx.Err(), err))
		case <-time.After(confirmInterval):
		}
	}
}
