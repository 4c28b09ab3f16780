package state

import (
	"context"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// File is bytes of any length as raw leaves of 1 MiB.
type File struct {
	_      struct{} `cbor:",toarray"`
	Size   uint64
	Leaves []block.Link
}

// PutFile stores data as a file.
func PutFile(ctx context.Context, b block.Blocks, data []byte) (File, error) {
	leaves, err := block.PutBytes(ctx, b, data)
	return File{Size: uint64(len(data)), Leaves: leaves}, err
}

// append adds a leaf at the end of the file.
func (f *File) append(leaf []byte, c cid.Cid) {
	f.Size += uint64(len(leaf))
	f.Leaves = append(f.Leaves, block.Link{Cid: c})
}

// Read reads the whole file.
func (f File) Read(ctx context.Context, b block.Blocks) ([]byte, error) {
	return block.GetBytes(ctx, b, f.Leaves, f.Size)
}
