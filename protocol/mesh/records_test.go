package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	ds "github.com/ipfs/go-datastore"
	dsq "github.com/ipfs/go-datastore/query"
	dht "github.com/libp2p/go-libp2p-kad-dht"

	"github.com/alia-network/alia/protocol/block"
)

// TestRecordsAreBounded: a stranger that announces a thousand blocks has few records at
// a node, and what others announce is found.
func TestRecordsAreBounded(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		h := bare(t, n, simIP(1), 1)
		hostile, err := dht.New(h, dht.ProtocolPrefix(hub.protocol("")), dht.Mode(dht.ModeClient), dht.DisableValues())
		if err != nil {
			t.Fatal(err)
		}
		defer hostile.Close()
		if err := h.Connect(ctx, infoOf(hub)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		for i := range 1000 {
			if err := hostile.Provide(ctx, block.Sum(block.Raw, fmt.Append(nil, i)), true); err != nil {
				t.Fatal(err)
			}
		}
		hub.records.mu.Lock()
		kept := slices.Max(slices.Collect(maps.Values(hub.records.of)))
		hub.records.mu.Unlock()
		if kept != recordsOfPeer {
			t.Errorf("%d records of one peer are kept, want %d", kept, recordsOfPeer)
		}
		m := startSim(t, n, simIP(2), Config{Key: simKey(2), Bootstrap: hub.Addrs()})
		c, err := m.cfg.Blocks.Put(ctx, block.Raw, []byte("root"))
		if err != nil {
			t.Fatal(err)
		}
		m.Provide(c)
		<-time.After(time.Minute)
		if err := startSim(t, n, simIP(3), Config{Key: simKey(3), Bootstrap: hub.Addrs()}).Fetch(ctx, nil, c); err != nil {
			t.Error(err)
		}
	})
}

// TestRecordsOfManyPeers: a crowd of strangers fills the records of a node, and no more.
func TestRecordsOfManyPeers(t *testing.T) {
	r := newRecords()
	key := func(i int) ds.Key { return ds.NewKey(fmt.Sprintf("/providers/%d/%d", i, i)) }
	for i := range 2 * maxRecords {
		if err := r.Put(t.Context(), key(i), []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		found, err := r.Query(t.Context(), dsq.Query{KeysOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		all, err := found.Rest()
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := count(); n != maxRecords || len(r.keys) != n || len(r.of) != n {
		t.Errorf("%d records are kept, and counted as %d of %d peers, want %d", n, len(r.keys), len(r.of), maxRecords)
	}
	for i := range 2 * maxRecords {
		if err := r.Delete(t.Context(), key(i)); err != nil {
			t.Fatal(err)
		}
	}
	if count() != 0 || len(r.keys) != 0 || len(r.of) != 0 {
		t.Errorf("left behind: %d records, counted as %d of %d peers", count(), len(r.keys), len(r.of))
	}
}
