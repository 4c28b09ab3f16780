package light

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TestConfirm: a transaction is confirmed by what the account's record says of it, and
// never because a later one has come.
func TestConfirm(t *testing.T) {
	key := ed25519.NewKeyFromSeed(fill(1))
	me := protocol.AccountOf(key)
	record, err := block.Encode(ledger.AccountState{Version: 1, Nonce: 40, Outcomes: []ledger.TxOutcome{
		{Nonce: 20, Code: ledger.OK},
		{Nonce: 30, Code: ledger.InsufficientFunds},
		{Nonce: 40, Code: ledger.OK},
	}})
	check(t, err)
	p := newPaper(t, 20, always(validator(1)), ledger.KeyValue{Key: ledger.AccountKey(me), Value: record})
	for _, c := range []struct {
		nonce uint64
		code  error  // the error wraps it
		text  string // of the error; "" means that there is none
	}{
		{nonce: 20},
		{nonce: 40},
		{nonce: 30, code: ledger.InsufficientFunds, text: "refused"},
		{nonce: 10, text: "does not say"}, // too old for the list
		{nonce: 35, text: "does not say"}, // lost: a later one was first
		{nonce: 50, text: "none of the heights"},
	} {
		n := p.serve(t)
		n.newest, n.growing = 5, true
		err := dial(t, 5, n).Sender(key).Confirm(t.Context(), c.nonce)
		switch {
		case c.text == "" && err != nil:
			t.Errorf("transaction %d: %v", c.nonce, err)
		case c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)):
			t.Errorf("transaction %d: %v, want an error with %q", c.nonce, err, c.text)
		case c.code != nil && !errors.Is(err, c.code):
			t.Errorf("transaction %d: %v, want %v", c.nonce, err, c.code)
		}
	}
}
