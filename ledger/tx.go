package ledger

import (
	"crypto/ed25519"
	"fmt"
	"sync"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// MaxTx bounds a transaction's bytes. The table of kinds has lower bounds.
const MaxTx = 1 << 20

// Horizon is the most heights between now and a transaction's expiry. It bounds
// the time that a transaction can wait in the mempool.
const Horizon = 1200

// TxKind numbers a kind of transaction.
type TxKind uint16

// The kinds of transactions. Numbers 100 to 107 were used before the first public
// network.
const (
	KindTransfer TxKind = iota + 110
	KindLock
	KindUnlock
	KindSetPayout
	KindRotate
	KindRunPropose
	KindRunVote
	KindRunEnd
	KindRunTake
	KindHeartbeat
	KindClaim
	KindUnitClaim
	KindEscrowOpen
	KindEscrowTopUp
	KindEscrowClose
	KindJobClaim
	KindValidatorVote
)

// kindRow describes the transactions of a kind.
type kindRow struct {
	parse func([]byte) (Body, error)
	most  int    // bytes of a transaction
	grows uint64 // bytes, the most by which the transaction lets the state grow for longer than it waits for pay
	claim bool   // it goes into the lane of claims, and may be free: it reports work, or ends something
}

// kindRows is the table of kinds.
var kindRows = map[TxKind]kindRow{
	KindTransfer:      {parse: parseAs[Transfer], most: 4 << 10, grows: 200},
	KindLock:          {parse: parseAs[Lock], most: 4 << 10},
	KindUnlock:        {parse: parseAs[Unlock], most: 4 << 10, grows: 20},
	KindSetPayout:     {parse: parseAs[SetPayout], most: 4 << 10, grows: 150},
	KindRotate:        {parse: parseAs[Rotate], most: 4 << 10, grows: 350},
	KindRunPropose:    {parse: parseAs[RunPropose], most: 4 << 10, grows: 600, claim: true},
	KindRunVote:       {parse: parseAs[RunVote], most: 4 << 10, claim: true},
	KindRunEnd:        {parse: parseAs[RunEnd], most: 4 << 10, claim: true},
	KindRunTake:       {parse: parseAs[RunTake], most: 4 << 10, grows: 100},
	KindHeartbeat:     {parse: parseAs[Heartbeat], most: 4 << 10, claim: true},
	KindClaim:         {parse: parseAs[Claim], most: MaxTx, claim: true},
	KindUnitClaim:     {parse: parseAs[UnitClaim], most: 16 << 10, claim: true},
	KindEscrowOpen:    {parse: parseAs[EscrowOpen], most: 4 << 10},
	KindEscrowTopUp:   {parse: parseAs[EscrowTopUp], most: 4 << 10},
	KindEscrowClose:   {parse: parseAs[EscrowClose], most: 4 << 10, claim: true},
	KindJobClaim:      {parse: parseAs[JobClaim], most: 256 << 10, claim: true},
	KindValidatorVote: {parse: parseAs[ValidatorVote], most: 4 << 10, grows: 100, claim: true},
}

// Body is the request of a transaction: one of the structs that the table of kinds names.
type Body interface {
	// Kind returns the number that the envelope gives the body.
	Kind() TxKind
	// signatures is the number of signatures inside the body, which cost gas.
	signatures() int
	// free says whether the transaction needs no fee: it is a sign of work that was
	// approved, and cannot make the state grow without bound.
	free(d *draft, tx *Tx) bool
	// apply carries out the request on the draft, or returns an error that wraps
	// a [Code]; the transaction's writes are then dropped.
	apply(d *draft, tx *Tx) error
}

// Tx is a transaction. Sign takes one and fills in Account; ParseTx returns one
// whose signature was checked, and State.Apply takes only those.
type Tx struct {
	Account   protocol.Account
	Nonce     uint64 // above that of the account's last transaction; gaps are allowed
	Fee       uint64 // amount, the most that is burned; 0 asks for the free lane
	ExpHeight uint64 // last height that may include it
	Body      Body

	// ParseTx sets what follows.
	net    protocol.Net
	size   int // bytes
	inside *verdicts
}

// verdicts is what the checks of the signatures inside a body say. They run when the state
// says that the signatures matter, and once: a transaction is checked up to four times.
type verdicts struct {
	once sync.Once
	errs []error
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
	if most := kindRows[e.Kind].most; len(data) > most {
		return nil, fmt.Errorf("sign transaction: %w: %d bytes, the limit is %d", TooLarge, len(data), most)
	}
	return data, nil
}

// ParseTx reads the bytes of a transaction (LEDGER.md, section 4.3). It checks, cheapest
// first, their size, the envelope, the network, the account and the signature, and only
// then reads the body. Signatures inside the body are checked by Apply. An error wraps a
// [Code].
func ParseTx(data []byte, net protocol.Net) (*Tx, error) {
	if len(data) > MaxTx {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", TooLarge, len(data), MaxTx)
	}
	var e envelope
	if err := block.Decode(data, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	row, known := kindRows[e.Kind]
	switch {
	case e.Version != 1:
		return nil, fmt.Errorf("%w: version %d, want 1", Malformed, e.Version)
	case e.Net != net:
		return nil, fmt.Errorf("%w: %s, and this is %s", WrongNetwork, e.Net.Short(), net.Short())
	case !known:
		return nil, fmt.Errorf("%w: unknown kind %d", Malformed, e.Kind)
	case len(data) > row.most:
		return nil, fmt.Errorf("%w: %d bytes, the limit of kind %d is %d", TooLarge, len(data), e.Kind, row.most)
	}
	if err := e.Account.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", BadSignature, err)
	}
	// The signature is over the envelope with an empty signature.
	sig := e.Sig
	e.Sig = nil
	if len(sig) != ed25519.SignatureSize ||
		!e.Account.Verify(protocol.Digest(net, protocol.TypeTx, encode(e)), sig) {
		return nil, fmt.Errorf("%w: transaction of %s", BadSignature, e.Account.Short())
	}
	body, err := row.parse(e.Body)
	if err != nil {
		return nil, err
	}
	return &Tx{
		Account: e.Account, Nonce: e.Nonce, Fee: e.Fee, ExpHeight: e.ExpHeight, Body: body,
		net: net, size: len(data), inside: new(verdicts),
	}, nil
}

// verify returns what check says of each of n parts of the body. It asks once.
func (tx *Tx) verify(n int, check func(i int) error) []error {
	v := tx.inside
	v.once.Do(func() {
		v.errs = make([]error, n)
		for i := range n {
			v.errs[i] = check(i)
		}
	})
	return v.errs
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

// someone reports an account that nobody can own.
func someone(what string, a protocol.Account) error {
	if err := a.Check(); err != nil {
		return fmt.Errorf("%w: %s: %w", Malformed, what, err)
	}
	return nil
}

// List is a list in a body. Its length is bounded by its bytes before anything is
// allocated: otherwise a byte of a transaction could take hundreds of bytes of memory.
type List[T sized] []T

// sized says the fewest bytes that a value takes in canonical encoding.
type sized interface{ least() int }

// MarshalCBOR is the encoding of a list.
func (l List[T]) MarshalCBOR() ([]byte, error) { return block.Encode([]T(l)) }

// UnmarshalCBOR reads a list.
func (l *List[T]) UnmarshalCBOR(data []byte) error {
	n, err := block.Len(data)
	if err != nil {
		return err
	}
	var v T
	if n > len(data)/v.least() {
		return fmt.Errorf("a list announces %d values, and has %d bytes", n, len(data))
	}
	return block.Decode(data, (*[]T)(l))
}
