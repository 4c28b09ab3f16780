package block_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/alia-network/alia/protocol/block"
)

// A manifest links to the leaves of a file. The CID of the manifest names all
// bytes of the file.
func Example() {
	type manifest struct {
		_       struct{} `cbor:",toarray"`
		Version uint16
		Size    uint64
		Leaves  []block.Link
	}
	ctx := context.Background()
	var store block.MemoryStore
	data := []byte(strings.Repeat("a long text ", 200_000)) // 2.4 MB
	leaves, err := block.PutBytes(ctx, &store, data)
	if err != nil {
		log.Fatal(err)
	}
	root, err := block.PutNode(ctx, &store, manifest{Version: 1, Size: uint64(len(data)), Leaves: leaves})
	if err != nil {
		log.Fatal(err)
	}

	var got manifest
	if err := block.GetNode(ctx, &store, root, &got); err != nil {
		log.Fatal(err)
	}
	again, err := block.GetBytes(ctx, &store, got.Leaves, got.Size)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(root)
	fmt.Println(len(got.Leaves), "leaves,", len(again), "bytes")
	// Output:
	// bafyreia7mexgwqx7hsptudwvv2jx3ltnr6ftrigsmrodcdiuay5ocitg7y
	// 3 leaves, 2400000 bytes
}
