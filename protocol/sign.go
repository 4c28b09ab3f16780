package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Digest returns the message that is signed for a record or transaction: the
// domain "ALIA-1", the network, the type, and the SHA-256 of its canonical
// bytes with an empty signature.
func Digest(net Net, t Type, unsigned []byte) []byte {
	sum := sha256.Sum256(unsigned)
	msg := append([]byte("ALIA-1"), net[:]...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(t))
	return append(msg, sum[:]...)
}

// Sign fills the record's Header and Seal: the version, the network, the key's
// account and its signature.
func Sign(key ed25519.PrivateKey, net Net, r Signed) error {
	*r.header() = Header{Version: Version, Net: net}
	*r.seal() = Seal{Account: AccountOf(key)}
	unsigned, err := block.Encode(r)
	if err != nil {
		return fmt.Errorf("sign %s: %w", r.Type(), err)
	}
	r.seal().Sig = ed25519.Sign(key, Digest(net, r.Type(), unsigned))
	return nil
}

// Verify reports whether the record is well-formed, of this network and signed
// by its account, and likewise every signed record inside it.
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

// sigTail is the length of an encoded signature: its head of two bytes and 64.
const sigTail = 2 + ed25519.SignatureSize

// verify is Verify for a record whose canonical bytes are data. The signature
// is the last field, so the bytes that were signed are data with an empty byte
// string in its place.
func verify(net Net, r Signed, data []byte) error {
	if got := r.header().Net; got != net {
		return Refuse(WrongNetwork, "%s of network %s, this is %s", r.Type(), got.Short(), net.Short())
	}
	s := r.seal()
	if len(s.Sig) != ed25519.SignatureSize {
		return Refuse(BadSignature, "%s of %s: signature of %d bytes", r.Type(), s.Account.Short(), len(s.Sig))
	}
	unsigned := append(data[:len(data)-sigTail:len(data)-sigTail], 0x40)
	if !ed25519.Verify(s.Account[:], Digest(net, r.Type(), unsigned), s.Sig) {
		return Refuse(BadSignature, "%s of %s", r.Type(), s.Account.Short())
	}
	if c, ok := r.(composite); ok {
		for _, part := range c.parts() {
			if err := Verify(net, part); err != nil {
				return fmt.Errorf("%s of %s: %w", r.Type(), s.Account.Short(), err)
			}
		}
	}
	return nil
}

// A composite record holds other signed records.
type composite interface{ parts() []Signed }

func (r *Bid) parts() []Signed { return []Signed{&r.Capability} }

func (r *Receipt) parts() []Signed {
	parts := make([]Signed, 0, 2*len(r.Attestations))
	for i := range r.Attestations {
		parts = append(parts, &r.Attestations[i], &r.Accepts[i])
	}
	return parts
}

// Encode returns the canonical bytes of a record. It fails on a record that
// Parse would refuse, except for its signature.
func Encode(r Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Type(), err)
	}
	data, err := block.Encode(r)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.Type(), err)
	}
	if limit := kinds[r.Type()].max; len(data) > limit {
		return nil, Refuse(TooLarge, "encode %s: %d bytes, the limit is %d", r.Type(), len(data), limit)
	}
	return data, nil
}

// Parse reads a record that a peer sent into *r. It accepts exactly the bytes
// that Encode gives, and checks, cheapest first, their size, their shape, the
// network and every signature (net counts for signed records only). An error is
// an [Error] and has a reason.
func Parse(data []byte, net Net, r Record) error {
	if limit := kinds[r.Type()].max; len(data) > limit {
		return Refuse(TooLarge, "%s of %d bytes, the limit is %d", r.Type(), len(data), limit)
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
func ID(r Record) (block.Link, error) {
	data, err := Encode(r)
	if err != nil {
		return block.Link{}, err
	}
	return block.Link{Cid: block.Sum(block.CBOR, data)}, nil
}
