package block

import (
	"context"
	"fmt"
)

// LeafSize is the size in bytes of every leaf of [PutBytes] but the last.
const LeafSize = 1 << 20

// PutNode encodes v and puts it as a CBOR block.
func PutNode(ctx context.Context, b Blocks, v any) (Link, error) {
	data, err := Encode(v)
	if err != nil {
		return Link{}, err
	}
	c, err := b.Put(ctx, CBOR, data)
	return Link{c}, err
}

// LinkOf is the link of the CBOR block that [PutNode] stores for v.
func LinkOf(v any) (Link, error) {
	data, err := Encode(v)
	return Link{Sum(CBOR, data)}, err
}

// GetNode decodes the CBOR block that l names into *v.
func GetNode(ctx context.Context, b Blocks, l Link, v any) error {
	if !l.Defined() || Codec(l.Type()) != CBOR {
		return fmt.Errorf("get node %s: not the CID of a CBOR block", l)
	}
	data, err := b.Get(ctx, l.Cid)
	if err != nil {
		return fmt.Errorf("get node %s: %w", l, err)
	}
	if err := Decode(data, v); err != nil {
		return fmt.Errorf("get node %s: %w", l, err)
	}
	return nil
}

// PutBytes cuts data into raw leaves of [LeafSize], puts them, and returns
// their links in order. No data is no leaves.
func PutBytes(ctx context.Context, b Blocks, data []byte) ([]Link, error) {
	leaves := make([]Link, 0, (len(data)+LeafSize-1)/LeafSize)
	for len(data) > 0 {
		n := min(LeafSize, len(data))
		c, err := b.Put(ctx, Raw, data[:n])
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, Link{c})
		data = data[n:]
	}
	return leaves, nil
}

// GetBytes returns the size bytes of the leaves that [PutBytes] returned. Another
// number of leaves, or a leaf of another length, is an error, so that data has
// only one list of leaves. If size comes from a peer, the caller must bound it.
func GetBytes(ctx context.Context, b Blocks, leaves []Link, size uint64) ([]byte, error) {
	if err := checkLeaves(leaves, size); err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	err := EachLeaf(ctx, b, leaves, size, func(leaf []byte) { data = append(data, leaf...) })
	if err != nil {
		return nil, err
	}
	return data, nil
}

// EachLeaf calls f with each of the leaves that [GetBytes] would put together, in order. On
// an error f has had the leaves before. f must not change a leaf.
func EachLeaf(ctx context.Context, b Blocks, leaves []Link, size uint64, f func(leaf []byte)) error {
	if err := checkLeaves(leaves, size); err != nil {
		return err
	}
	for i, l := range leaves {
		leaf, err := b.Get(ctx, l.Cid)
		if err != nil {
			return fmt.Errorf("get bytes: leaf %d: %w", i, err)
		}
		if want := min(LeafSize, size-uint64(i)*LeafSize); uint64(len(leaf)) != want {
			return fmt.Errorf("get bytes: leaf %d: %d bytes, want %d", i, len(leaf), want)
		}
		f(leaf)
	}
	return nil
}

// checkLeaves returns an error unless leaves may be those of size bytes.
func checkLeaves(leaves []Link, size uint64) error {
	if n := (size-1)/LeafSize + 1; size > 0 && n != uint64(len(leaves)) || size == 0 && len(leaves) > 0 {
		return fmt.Errorf("get bytes: %d leaves for %d bytes", len(leaves), size)
	}
	for i, l := range leaves {
		if !l.Defined() || Codec(l.Type()) != Raw {
			return fmt.Errorf("get bytes: leaf %d: %s is not the CID of a raw block", i, l)
		}
	}
	return nil
}
