// Package block stores bytes under their hash (CID), and encodes structs as
// canonical bytes.
//
// A block is at most [MaxSize] bytes. Its name is a CIDv1 over SHA-256, with a
// codec: Raw is opaque bytes, CBOR is one node of a strict DAG-CBOR subset
// ([Encode]) that may link to other blocks ([Link]). Large data is cut into raw
// leaves of [LeafSize] ([PutBytes]). [MemoryStore] and [Store] are two
// implementations of [Blocks].
//
//	type manifest struct {
//		_       struct{} `cbor:",toarray"`
//		Version uint16
//		Size    uint64
//		Leaves  []block.Link
//	}
//	leaves, err := block.PutBytes(ctx, store, data)
//	root, err := block.PutNode(ctx, store, manifest{Version: 1, Size: uint64(len(data)), Leaves: leaves})
package block

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// MaxSize is the largest block in bytes. Bitswap peers refuse larger ones.
const MaxSize = 2 << 20

// Codec is the multicodec of a block's bytes.
type Codec uint64

// The codecs of the network.
const (
	Raw  Codec = 0x55 // opaque bytes
	CBOR Codec = 0x71 // DAG-CBOR, the subset of [Encode]
)

// ErrNotFound is returned, wrapped, by Get when the block is not in the store.
var ErrNotFound = errors.New("block not found")

// ErrInUse is wrapped by the error of [Open] when another process has the store open, or
// this one.
var ErrInUse = errors.New("in use")

// ErrDamaged is returned, wrapped, by [Store.Get] when the stored bytes do not
// match their CID. It wraps [ErrNotFound]: Get has deleted the bytes, and the
// block may be fetched again.
var ErrDamaged = fmt.Errorf("damaged on disk: %w", ErrNotFound)

// ErrMismatch is returned, wrapped, when a CID names other bytes.
var ErrMismatch = errors.New("the CID names other bytes")

// Blocks stores blocks. Get returns bytes that match the CID, or an error, which
// wraps [ErrNotFound] when the block is not in the store. The caller must not
// change the bytes. Put returns the CID of data and keeps a copy of data; to put
// a block again does nothing. Implementations are safe for concurrent use.
type Blocks interface {
	Get(ctx context.Context, c cid.Cid) ([]byte, error)
	Put(ctx context.Context, codec Codec, data []byte) (cid.Cid, error)
}

// Sum returns the CID of data: version 1, SHA-256.
func Sum(codec Codec, data []byte) cid.Cid {
	digest := sha256.Sum256(data)
	hash, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // a 32-byte SHA-256 always encodes
	}
	return cid.NewCidV1(uint64(codec), hash)
}

// Check returns an error unless c is a CIDv1 over SHA-256 with codec Raw or CBOR.
func Check(c cid.Cid) error {
	if !c.Defined() {
		return errors.New("undefined CID")
	}
	want := cid.Prefix{Version: 1, Codec: c.Type(), MhType: multihash.SHA2_256, MhLength: sha256.Size}
	if c.Prefix() != want || (Codec(c.Type()) != Raw && Codec(c.Type()) != CBOR) {
		return fmt.Errorf("CID %s is not a CIDv1 of raw or dag-cbor bytes under sha2-256", c)
	}
	return nil
}

// Verify returns an error unless data are the bytes that c names.
func Verify(c cid.Cid, data []byte) error {
	if err := Check(c); err != nil {
		return err
	}
	if len(data) > MaxSize {
		return fmt.Errorf("block %s: %w: these are %d, the limit is %d", c, ErrMismatch, len(data), MaxSize)
	}
	if got := Sum(Codec(c.Type()), data); got != c {
		return fmt.Errorf("block %s: %w: these have CID %s", c, ErrMismatch, got)
	}
	return nil
}

// checkPut returns an error if data cannot be stored as a block.
func checkPut(codec Codec, data []byte) error {
	if codec != Raw && codec != CBOR {
		return fmt.Errorf("put block: unknown codec %#x", uint64(codec))
	}
	if len(data) > MaxSize {
		return fmt.Errorf("put block: %d bytes, the limit is %d", len(data), MaxSize)
	}
	return nil
}

// Link is a CID as a field of a node or record, in the encoding of DAG-CBOR: CBOR
// tag 42 over the byte 0x00 and the binary CID. The zero Link means "none" and is
// encoded as the empty byte string. Links are comparable.
type Link struct{ cid.Cid }

// ParseLink reads the text form of a block's CID. Each CID has one text form.
func ParseLink(s string) (Link, error) {
	c, err := cid.Decode(s)
	if err != nil {
		return Link{}, fmt.Errorf("parse CID %q: %w", s, err)
	}
	if c.String() != s { // the last letter of base32 has bits to spare
		return Link{}, fmt.Errorf("parse CID %q: not in its text form, copy the CID again", s)
	}
	return Link{c}, Check(c)
}

// linkHead are the bytes before the 36 bytes of a CID in a node: tag 42, a byte
// string of 37 bytes, the identity multibase prefix.
var linkHead = []byte{0xd8, 42, 0x58, 37, 0x00}

// linkSize is the encoded size of a link that is not zero.
const linkSize = 5 + 4 + sha256.Size

// MarshalCBOR encodes the link.
func (l Link) MarshalCBOR() ([]byte, error) {
	if !l.Defined() {
		return []byte{0x40}, nil
	}
	if err := Check(l.Cid); err != nil {
		return nil, err
	}
	return append(bytes.Clone(linkHead), l.Bytes()...), nil
}

// UnmarshalCBOR decodes the one encoding of a link.
func (l *Link) UnmarshalCBOR(data []byte) error {
	if len(data) == 1 && data[0] == 0x40 {
		*l = Link{}
		return nil
	}
	if len(data) != linkSize || !bytes.HasPrefix(data, linkHead) {
		return errors.New("not a link")
	}
	c, err := cid.Cast(data[len(linkHead):])
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if err := Check(c); err != nil {
		return err
	}
	*l = Link{c}
	return nil
}
