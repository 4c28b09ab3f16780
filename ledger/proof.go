package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/alia-network/alia/protocol/block"
)

// ProofType is the type under which a [Proof] travels as a CometBFT proof
// operation.
const ProofType = "alia:bucket"

// Proof shows the value of a key, or the key's absence, under an AppHash
// (LEDGER.md, section 9.2). It has
// the whole content of the key's bucket and the 16 hashes beside the path from the
// bucket to the root, the nearest to the bucket first.
type Proof struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Bucket  []byte
	Aunts   []hash
}

// prove returns the proof of a key.
func (t *tree) prove(key []byte) Proof {
	pi, bi := bucketOf(key)
	p := t.pages[pi]
	proof := Proof{Version: 1, Bucket: encodeBucket(p.buckets[bi])}
	for i := bi + pageSize; i > 1; i /= 2 {
		proof.Aunts = append(proof.Aunts, p.nodes[i^1])
	}
	for i := pi + pageSize; i > 1; i /= 2 {
		proof.Aunts = append(proof.Aunts, t.nodes[i^1])
	}
	return proof
}

// ParseProof reads the canonical bytes of a proof.
func ParseProof(data []byte) (Proof, error) {
	var p Proof
	if err := block.Decode(data, &p); err != nil {
		return Proof{}, fmt.Errorf("parse state proof: %w", err)
	}
	if p.Version != 1 || len(p.Aunts) != treeDepth {
		return Proof{}, fmt.Errorf("parse state proof: version %d with %d hashes, want version 1 with %d",
			p.Version, len(p.Aunts), treeDepth)
	}
	if _, err := decodeBucket(p.Bucket); err != nil {
		return Proof{}, fmt.Errorf("parse state proof: %w", err)
	}
	return p, nil
}

// Encode returns the canonical bytes.
func (p Proof) Encode() ([]byte, error) { return block.Encode(p) }

// Value returns the root that the proof leads to and the value of a key under this
// root; found is false when the state has no such key. The caller compares the root
// with a trusted AppHash.
func (p Proof) Value(key []byte) (root []byte, value []byte, found bool, err error) {
	pairs, err := decodeBucket(p.Bucket)
	if err != nil {
		return nil, nil, false, err
	}
	if len(p.Aunts) != treeDepth {
		return nil, nil, false, fmt.Errorf("proof has %d hashes, want %d", len(p.Aunts), treeDepth)
	}
	pi, bi := bucketOf(key)
	at := pi<<pageBits | bi
	h := leafHash(p.Bucket)
	for level, aunt := range p.Aunts {
		if at>>level&1 == 0 {
			h = innerHash(h, aunt)
		} else {
			h = innerHash(aunt, h)
		}
	}
	i, found := slices.BinarySearchFunc(pairs, key, comparePair)
	if found {
		value = pairs[i].Value
	}
	return h[:], value, found, nil
}

// encodeBucket returns the bytes of a bucket, over which the leaf hash goes: for
// each pair the key's length, the key, the value's length and the value. Lengths
// are unsigned varints. An empty bucket has no bytes.
func encodeBucket(bucket []KeyValue) []byte {
	var b []byte
	for _, p := range bucket {
		b = binary.AppendUvarint(b, uint64(len(p.Key)))
		b = append(b, p.Key...)
		b = binary.AppendUvarint(b, uint64(len(p.Value)))
		b = append(b, p.Value...)
	}
	return b
}

// decodeBucket reads the bytes of encodeBucket and refuses all others: keys must
// ascend strictly, and lengths must have their shortest form.
func decodeBucket(data []byte) ([]KeyValue, error) {
	var pairs []KeyValue
	var last []byte
	for rest := data; len(rest) > 0; {
		var p KeyValue
		var err error
		if p.Key, rest, err = cutString(rest); err != nil {
			return nil, err
		}
		if p.Value, rest, err = cutString(rest); err != nil {
			return nil, err
		}
		if len(pairs) > 0 && bytes.Compare(last, p.Key) >= 0 {
			return nil, errors.New("bucket's keys do not ascend")
		}
		pairs, last = append(pairs, p), p.Key
	}
	return pairs, nil
}

// cutString splits a string with its length in front off data.
func cutString(data []byte) (head, rest []byte, err error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || size > 1 && data[size-1] == 0 || n > uint64(len(data)-size) {
		return nil, nil, errors.New("bucket is truncated or not canonical")
	}
	return data[size : size+int(n)], data[size+int(n):], nil
}

// ProofOperator is a [Proof] of one key as an operation of CometBFT's Merkle proof
// runtime. Run with a value checks that the key has this value, Run without one
// that the key is absent.
type ProofOperator struct {
	Key   []byte
	Proof Proof
}

var _ merkle.ProofOperator = ProofOperator{}

// ProofRuntime returns a CometBFT proof runtime that knows [ProofType].
func ProofRuntime() *merkle.ProofRuntime {
	prt := merkle.NewProofRuntime()
	prt.RegisterOpDecoder(ProofType, func(op cmtcrypto.ProofOp) (merkle.ProofOperator, error) {
		p, err := ParseProof(op.Data)
		return ProofOperator{Key: op.Key, Proof: p}, err
	})
	return prt
}

// Run returns the root that the proof leads to. It fails when the key has another
// value than the argument, or, without an argument, when the key is present.
func (o ProofOperator) Run(args [][]byte) ([][]byte, error) {
	root, value, found, err := o.Proof.Value(o.Key)
	switch {
	case err != nil:
		return nil, err
	case len(args) == 0 && found:
		return nil, errors.New("key is present, not absent")
	case len(args) == 1 && !found:
		return nil, errors.New("key is absent")
	case len(args) == 1 && !bytes.Equal(args[0], value):
		return nil, errors.New("key has another value")
	case len(args) > 1:
		return nil, fmt.Errorf("%d values given, want one or none", len(args))
	}
	return [][]byte{root}, nil
}

// GetKey returns the operation's key.
func (o ProofOperator) GetKey() []byte { return o.Key }

// ProofOp returns the operation in CometBFT's form.
func (o ProofOperator) ProofOp() cmtcrypto.ProofOp {
	data, err := o.Proof.Encode()
	if err != nil {
		panic(err) // bytes and hashes always encode
	}
	return cmtcrypto.ProofOp{Type: ProofType, Key: o.Key, Data: data}
}
