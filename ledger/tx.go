package ledger

import (
	"crypto/ed25519"
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// MaxTx bounds a transaction's bytes.
const MaxTx = protocol.MaxMessage

// Horizon is the most heights between now and a transaction's expiry. It bounds
// the time that a transaction can wait in the mempool.
const Horizon = 1200

// TxKind numbers a kind of transaction.
type TxKind uint16

// The kinds of transactions.
const (
	KindTransfer TxKind = iota + 100
	KindRunPropose
	KindRunVote
	_ // 103 is not used again
	KindRoundCommit
	KindSettle
	KindEscrowOpen
	KindEscrowClose
)

// Body is the request of a transaction: a [Transfer], [RunPropose], [RunVote],
// [RoundCommit], [Settle], [EscrowOpen] or [EscrowClose].
type Body interface {
	// Kind returns the number that the envelope gives the body.
	Kind() TxKind
	// apply carries out the request on the draft, or returns an error that wraps
	// a [Code]; the transaction's writes are then dropped.
	apply(d *draft, tx *Tx) error
}

// Tx is a transaction. Sign takes one and fills in Account; ParseTx returns one
// whose signatures were checked, and State.Apply takes only those.
type Tx struct {
	Account   protocol.Account
	Nonce     uint64 // above that of the account's last transaction; gaps are allowed
	Fee       uint64 // amount, burned
	ExpHeight uint64 // last height that may include it
	Body      Body

	net      protocol.Net // set by ParseTx
	verdicts []error      // of a Settle's entries without the state, set by ParseTx
}

// envelope is a transaction's canonical form (LEDGER.md, section 4.1).
type envelope struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16
	Net       protocol.Net
	Kind      TxKind
	Account   protocol.Account
	Nonce     uint64
	Fee       uint64
	ExpHeight uint64
	Body      []byte // the body's canonical bytes
	Sig       []byte // over the envelope with Sig empty, see protocol.Digest
}

// Sign returns the bytes of a transaction for a network, signed by key. It sets
// the account, whatever tx.Account is.
func Sign(key ed25519.PrivateKey, net protocol.Net, tx Tx) ([]byte, error) {
	body, err := block.Encode(tx.Body)
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	e := envelope{
		Version: 1, Net: net, Kind: tx.Body.Kind(), Account: protocol.AccountOf(key),
		Nonce: tx.Nonce, Fee: tx.Fee, ExpHeight: tx.ExpHeight, Body: body,
	}
	e.Sig = ed25519.Sign(key, protocol.Digest(net, protocol.TypeTx, encode(e)))
	data := encode(e)
	if len(data) > MaxTx {
		return nil, fmt.Errorf("sign transaction: %w: %d bytes, the limit is %d", TooLarge, len(data), MaxTx)
	}
	return data, nil
}

// ParseTx reads the bytes of a transaction (LEDGER.md, section 4.3) and checks,
// cheapest first, their size,
// their shape, the network and the signature. Of a [Settle] it also checks every
// entry's signatures; an entry with a wrong signature is refused alone, later, by
// Apply. An error wraps a [Code].
func ParseTx(data []byte, net protocol.Net) (*Tx, error) {
	if len(data) > MaxTx {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", TooLarge, len(data), MaxTx)
	}
	var e envelope
	if err := block.Decode(data, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	if e.Version != 1 {
		return nil, fmt.Errorf("%w: version %d, want 1", Malformed, e.Version)
	}
	if e.Net != net {
		return nil, fmt.Errorf("%w: %s, and this is %s", WrongNetwork, e.Net.Short(), net.Short())
	}
	body, err := parseBody(e.Kind, e.Body)
	if err != nil {
		return nil, err
	}
	// The signature is over the envelope with an empty signature.
	sig := e.Sig
	e.Sig = nil
	if len(sig) != ed25519.SignatureSize ||
		!ed25519.Verify(e.Account[:], protocol.Digest(net, protocol.TypeTx, encode(e)), sig) {
		return nil, fmt.Errorf("%w: transaction of %s", BadSignature, e.Account.Short())
	}
	tx := &Tx{
		Account: e.Account, Nonce: e.Nonce, Fee: e.Fee, ExpHeight: e.ExpHeight, Body: body, net: net,
	}
	if s, ok := body.(Settle); ok {
		tx.verdicts = s.verify(net)
	}
	return tx, nil
}

// parseBody reads a body of a kind.
func parseBody(k TxKind, data []byte) (Body, error) {
	switch k {
	case KindTransfer:
		return parseAs[Transfer](data)
	case KindRunPropose:
		return parseAs[RunPropose](data)
	case KindRunVote:
		return parseAs[RunVote](data)
	case KindRoundCommit:
		return parseAs[RoundCommit](data)
	case KindSettle:
		return parseAs[Settle](data)
	case KindEscrowOpen:
		return parseAs[EscrowOpen](data)
	case KindEscrowClose:
		return parseAs[EscrowClose](data)
	}
	return nil, fmt.Errorf("%w: unknown kind %d", Malformed, k)
}

// checked is a body that checks its own shape.
type checked interface {
	Body
	check() error
}

func parseAs[B checked](data []byte) (Body, error) {
	var b B
	if err := block.Decode(data, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	return b, b.check()
}

// need reports a missing link.
func need(what string, l block.Link) error {
	if !l.Defined() {
		return fmt.Errorf("%w: no %s", Malformed, what)
	}
	return nil
}
