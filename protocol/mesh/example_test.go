package mesh_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// A peer has a block, and another peer of the network fetches it by its CID.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	listen := []string{"/ip4/127.0.0.1/tcp/0"}

	var theirs block.MemoryStore
	holder, err := mesh.New(ctx, mesh.Config{Key: keyOf(1), Net: net, Listen: listen, Blocks: &theirs})
	if err != nil {
		log.Fatal(err)
	}
	defer holder.Close()
	id, err := theirs.Put(ctx, block.Raw, []byte("good morning"))
	if err != nil {
		log.Fatal(err)
	}

	var ours block.MemoryStore
	m, err := mesh.New(ctx, mesh.Config{Key: keyOf(2), Net: net, Listen: listen, Bootstrap: holder.Addrs(), Blocks: &ours})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.Fetch(ctx, holder.Addrs(), id); err != nil {
		log.Fatal(err)
	}
	data, err := ours.Get(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", data)
	// Output: good morning
}
