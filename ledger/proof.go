package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/alia-network/alia/protocol/block"
)

// ProofType is the type under which a [Proof] travels as a CometBFT proof
// operation.
const ProofType = "alia:tree"

// maxProof is more than the bytes of any proof: a path has at most 256 nodes, each
// with a hash and its head, and the number of its bit.
const maxProof = 9 << 10

// Proof shows the record of a key, or the key's absence, under an AppHash
// (LEDGER.md, section 9.2). The record itself travels beside the proof. Bits and
// Aunts are the path from the root to the key's leaf: for each inner node the bit
// that it branches at, and the hash of its child beside the path.
type Proof struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Bits    []byte
	Aunts   []hash
	// Other is for an absent key the leaf in its place: the SHA-256 of the leaf's key
	// and of its record. It is empty for a key that is present and in an empty tree.
	Other []hash
}

// prove returns the proof of a key.
func (t *tree) prove(key []byte) Proof {
	sum := hash(sha256.Sum256(key))
	p := Proof{Version: 1}
	n := t.top
	for {
		switch at := n.(type) {
		case *inner:
			p.Bits = append(p.Bits, at.bit)
			aunt := at.left
			if n = at.child(&sum); n == at.left {
				aunt = at.right
			}
			p.Aunts = append(p.Aunts, aunt.sum())
			continue
		case *leaf:
			if at.key != sum {
				p.Other = []hash{at.key, at.value}
			}
		}
		return p
	}
}

// ParseProof reads the canonical bytes of a proof.
func ParseProof(data []byte) (Proof, error) {
	if len(data) > maxProof {
		return Proof{}, fmt.Errorf("parse state proof: %d bytes, the most is %d", len(data), maxProof)
	}
	var p Proof
	if err := block.Decode(data, &p); err != nil {
		return Proof{}, fmt.Errorf("parse state proof: %w", err)
	}
	if err := p.check(); err != nil {
		return Proof{}, fmt.Errorf("parse state proof: %w", err)
	}
	return p, nil
}

// check checks the shape of a proof.
func (p Proof) check() error {
	if p.Version != 1 {
		return fmt.Errorf("version %d, want 1", p.Version)
	}
	if len(p.Aunts) != len(p.Bits) {
		return fmt.Errorf("%d hashes beside a path of %d nodes", len(p.Aunts), len(p.Bits))
	}
	for i := 1; i < len(p.Bits); i++ {
		if p.Bits[i] <= p.Bits[i-1] {
			return fmt.Errorf("bit %d follows bit %d on the path", p.Bits[i], p.Bits[i-1])
		}
	}
	if n := len(p.Other); n != 0 && n != 2 {
		return fmt.Errorf("%d hashes of another leaf, want none or 2", n)
	}
	return nil
}

// Encode returns the canonical bytes.
func (p Proof) Encode() ([]byte, error) { return block.Encode(p) }

// Root returns the root under which the proof shows that a key has a record or,
// when value is empty, that the key is absent. The caller compares the root with a
// trusted AppHash: only this comparison proves anything. Root fails when the proof
// cannot be one of this claim.
func (p Proof) Root(key, value []byte) ([sha256.Size]byte, error) {
	if err := p.check(); err != nil {
		return hash{}, fmt.Errorf("state proof: %w", err)
	}
	sum := hash(sha256.Sum256(key))
	var h hash
	switch {
	case len(value) > 0 && len(p.Other) > 0:
		return hash{}, errors.New("the proof is of a key's absence, and a record is given")
	case len(value) > 0:
		h = leafHash(sum, sha256.Sum256(value))
	case len(p.Other) > 0 && p.Other[0] == sum:
		return hash{}, errors.New("the proof says that the key is absent, and has its leaf")
	case len(p.Other) > 0:
		h = leafHash(p.Other[0], p.Other[1])
	case len(p.Bits) == 0:
		h = emptyRoot
	default:
		return hash{}, errors.New("the proof is of a key's record, and no record is given")
	}
	for i, bit := range slices.Backward(p.Bits) {
		if bitOf(&sum, bit) == 0 {
			h = innerHash(bit, h, p.Aunts[i])
		} else {
			h = innerHash(bit, p.Aunts[i], h)
		}
	}
	return h, nil
}

// Op returns the proof of a key as an operation of CometBFT, which carries it. Its data is
// empty, and proves nothing, when the proof is larger than any that a state makes.
func (p Proof) Op(key []byte) cmtcrypto.ProofOp {
	data, err := p.Encode()
	if err != nil {
		data = nil
	}
	return cmtcrypto.ProofOp{Type: ProofType, Key: key, Data: data}
}
