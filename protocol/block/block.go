// Package block is bytes named by their CID: canonical encoding, chunking,
// the local store.
//
// A block is at most [MaxSize] bytes and is named by a CIDv1 over SHA-256.
// Its codec says what it holds: Raw is opaque bytes, CBOR is one node of a
// strict DAG-CBOR subset ([Encode]) that may link to other blocks ([Link]).
// Large data is cut into raw leaves of [LeafSize] ([PutBytes]). [Memory] and
// [Store] keep blocks; anything else that can is a [Blocks].
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

// ErrNotFound is returned, wrapped, by Get when the block is not held.
var ErrNotFound = errors.New("block not found")

// ErrDamaged is returned, wrapped, by [Store.Get] when the stored bytes do not
// match their CID. It is an [ErrNotFound] too: the block is gone from the store
// and may be fetched again.
var ErrDamaged = fmt.Errorf("damaged on disk: %w", ErrNotFound)

// Blocks keeps blocks. Get returns bytes that match the CID or an error, which
// is [ErrNotFound] when the block is not held; the caller must not change the
// bytes. Put returns the CID of data, does not keep data, and may be repeated.
// Implementations are safe for concurrent use.
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

// Check reports why c cannot name a block of the network: it must be a CIDv1
// over SHA-256 with codec Raw or CBOR.
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

// Verify reports whether data are the bytes that c names.
func Verify(c cid.Cid, data []byte) error {
	if err := Check(c); err != nil {
		return err
	}
	if len(data) > MaxSize {
		return fmt.Errorf("block %s: %d bytes, the limit is %d", c, len(data), MaxSize)
	}
	if got := Sum(Codec(c.Type()), data); got != c {
		return fmt.Errorf("block %s: bytes have CID %s", c, got)
	}
	return nil
}

// checkPut reports why data cannot be put.
func checkPut(codec Codec, data []byte) error {
	if codec != Raw && codec != CBOR {
		return fmt.Errorf("put block: unknown codec %#x", uint64(codec))
	}
	if len(data) > MaxSize {
		return fmt.Errorf("put block: %d bytes, the limit is %d", len(data), MaxSize)
	}
	return nil
}

// Link is a CID as a field of a node or record: CBOR tag 42 over the byte 0x00
// and the binary CID, as DAG-CBOR has it. The zero Link, "none", encodes as the
// empty byte string. Links are comparable.
type Link struct{ cid.Cid }

// ParseLink reads the text form of a CID that can name a block.
func ParseLink(s string) (Link, error) {
	c, err := cid.Decode(s)
	if err != nil {
		return Link{}, fmt.Errorf("parse CID %q: %w", s, err)
	}
	return Link{c}, Check(c)
}

// linkHead is what precedes the 36 bytes of a CID in a node: tag 42, a byte
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
