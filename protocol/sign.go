package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	ed25519zip "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/alia-network/alia/protocol/block"
)

// Digest returns the message that is signed for a record or transaction
// (PROTOCOL.md, section 3.2): the domain "ALIA-1", the network, the type, and
// the SHA-256 of its canonical bytes with an empty signature.
func Digest(net Net, t RecordType, unsigned []byte) []byte {
	sum := sha256.Sum256(unsigned)
	msg := append([]byte("ALIA-1"), net[:]...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(t))
	return append(msg, sum[:]...)
}

// Sign fills the record's Header and Seal (the version, the network, the key's
// account and its signature) and returns the record's canonical bytes. It fails
// on a record that [Parse] would refuse.
func Sign(key ed25519.PrivateKey, net Net, r Signed) ([]byte, error) {
	*r.header() = Header{Version: Version, Net: net}
	*r.seal() = Seal{Account: AccountOf(key)}
	unsigned, err := Encode(r)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	sig := ed25519.Sign(key, Digest(net, r.Type(), unsigned))
	r.seal().Sig = sig
	signed := append(append(unsigned[:len(unsigned)-1], sigHead...), sig...)
	return signed, checkSize(r.Type(), len(signed))
}

// sigHead is the CBOR head of a signature, a byte string of 64 bytes. The
// signature is a record's last field, so that only the end of the bytes differs
// between a signed record and the same record with an empty signature (0x40).
var sigHead = []byte{0x58, ed25519.SignatureSize}

// Verify reports whether the record is well-formed, of this network and signed
// by its account.
func Verify(net Net, r Signed) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%s: %w", r.Type(), err)
	}
	data, err := block.Encode(r)
	if err != nil {
		return Refuse(Malformed, "%s: %w", r.Type(), err)
	}
	return verify(net, r, data)
}

// verify is Verify for a record that is checked and whose canonical bytes are
// data. The bytes that were signed are data with an empty byte string in place
// of the signature.
func verify(net Net, r Signed, data []byte) error {
	message, err := signedMessage(net, r, data)
	if err != nil {
		return err
	}
	s := r.seal()
	if !s.Account.Verify(message, s.Sig) {
		return badSignature(r)
	}
	return nil
}

func badSignature(r Signed) error {
	return Refuse(BadSignature, "%s of %s", r.Type(), r.seal().Account.Short())
}

// signedMessage returns what the account of a record must have signed, and checks all but
// that.
func signedMessage(net Net, r Signed, data []byte) ([]byte, error) {
	if got := r.header().Net; got != net {
		return nil, Refuse(WrongNetwork, "%s of network %s, this network is %s", r.Type(), got.Short(), net.Short())
	}
	s := r.seal()
	if len(s.Sig) != ed25519.SignatureSize {
		return nil, Refuse(BadSignature, "%s of %s: signature of %d bytes, want %d", r.Type(), s.Account.Short(), len(s.Sig), ed25519.SignatureSize)
	}
	if err := s.Account.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Type(), err)
	}
	body := len(data) - len(sigHead) - len(s.Sig)
	unsigned := append(data[:body:body], 0x40)
	return Digest(net, r.Type(), unsigned), nil
}

// SignatureBatch checks the signatures of many records at once, which takes a third of the time. The
// zero batch is empty.
type SignatureBatch struct {
	records    []Signed
	signatures *ed25519zip.BatchVerifier
}

// Add takes a record in, and checks all but its signature.
func (b *SignatureBatch) Add(net Net, r Signed) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%s: %w", r.Type(), err)
	}
	data, err := block.Encode(r)
	if err != nil {
		return Refuse(Malformed, "%s: %w", r.Type(), err)
	}
	message, err := signedMessage(net, r, data)
	if err != nil {
		return err
	}
	if b.signatures == nil {
		b.signatures = ed25519zip.NewBatchVerifier()
	}
	s := r.seal()
	b.records = append(b.records, r)
	b.signatures.AddWithOptions(s.Account[:], message, s.Sig, zip215)
	return nil
}

// Verify returns the first record whose signature is not its account's, with the same error
// as the function Verify, or nothing if there is none. The verdict does not depend on the
// random numbers that a batch takes, but with a chance of 2^-128.
func (b *SignatureBatch) Verify() (bad int, err error) {
	if b.signatures == nil {
		return 0, nil
	}
	if _, valid := b.signatures.Verify(nil); slices.Contains(valid, false) {
		bad = slices.Index(valid, false)
		return bad, badSignature(b.records[bad])
	}
	return 0, nil
}

// Encode returns the canonical bytes of a record. It fails on a record that
// [Parse] would refuse, except for its signature.
func Encode(r Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Type(), err)
	}
	data, err := block.Encode(r)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Type(), err)
	}
	return data, checkSize(r.Type(), len(data))
}

// checkSize refuses more bytes than a record of the type may have.
func checkSize(t RecordType, bytes int) error {
	if limit := types[t].max; bytes > limit {
		return Refuse(TooLarge, "%s of %d bytes, the limit is %d", t, bytes, limit)
	}
	return nil
}

// Parse reads a record that a peer sent into *r (PROTOCOL.md, section 3.3). It
// accepts exactly the bytes that Encode gives, and checks, cheapest first,
// their size, their shape, the network and the signature (net counts for
// signed records only). An error is an [Error] and has a reason.
func Parse(data []byte, net Net, r Record) error {
	if err := checkSize(r.Type(), len(data)); err != nil {
		return err
	}
	if err := block.Decode(data, r); err != nil {
		return Refuse(Malformed, "%w", err)
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("%s: %w", r.Type(), err)
	}
	if s, ok := r.(Signed); ok {
		return verify(net, s, data)
	}
	return nil
}

// ID returns the CID of a record's canonical bytes.
func ID(data []byte) block.Link { return block.Link{Cid: block.Sum(block.CBOR, data)} }
