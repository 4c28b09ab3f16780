package mesh_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// random returns n bytes of a fixed sequence.
func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	return data
}

func put(t testing.TB, b block.Blocks, codec block.Codec, data []byte) cid.Cid {
	t.Helper()
	c, err := b.Put(context.Background(), codec, data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// liar answers for one CID with other bytes.
type liar struct {
	block.MemoryStore
	about cid.Cid
	bytes []byte
}

func (l *liar) Has(cid.Cid) bool { return true }

func (l *liar) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if c == l.about {
		return l.bytes, nil
	}
	return l.MemoryStore.Get(ctx, c)
}

func TestFetchAsksHoldersInTurn(t *testing.T) {
	ctx := deadline(t)
	var first, second, ours block.MemoryStore
	a, b := put(t, &first, block.Raw, random(3<<20/2)), put(t, &second, block.Raw, []byte("b"))
	empty, held := put(t, &second, block.Raw, nil), put(t, &ours, block.Raw, []byte("held"))
	x := start(t, mesh.Config{Key: keyOf(1), Blocks: &first})
	y := start(t, mesh.Config{Key: keyOf(2), Blocks: &second})
	m := start(t, mesh.Config{Key: keyOf(3), Blocks: &ours})
	holders := append(append([]string{"nonsense", m.Addrs()[0]}, x.Addrs()...), y.Addrs()...)
	if err := m.Fetch(ctx, holders, a, b, a, empty, held); err != nil {
		t.Fatal(err)
	}
	for _, c := range []cid.Cid{a, b, empty} {
		if !ours.Has(c) {
			t.Errorf("%s was not fetched", c)
		}
	}
	if s := m.Traffic(); s.BlocksFetched != 3 || s.BytesFetched != 3<<20/2+1 {
		t.Errorf("stats %+v", s)
	}
	err := m.Fetch(ctx, holders, block.Sum(block.Raw, []byte("nowhere")))
	if !errors.Is(err, block.ErrNotFound) {
		t.Errorf("a block nobody has: %v", err)
	}
	if err := m.Fetch(ctx, holders, cid.Undef); err == nil {
		t.Error("an undefined CID was fetched")
	}
}

func TestFetchRefusesWrongBytes(t *testing.T) {
	ctx := deadline(t)
	good := []byte("what was asked for")
	c := block.Sum(block.Raw, good)
	for name, wrong := range map[string][]byte{"another block": []byte("what was not"), "nothing": {}, "more than a block": make([]byte, block.MaxSize+1)} {
		x := start(t, mesh.Config{Key: keyOf(1), Blocks: &liar{about: c, bytes: wrong}})
		var honest, ours block.MemoryStore
		put(t, &honest, block.Raw, good)
		y := start(t, mesh.Config{Key: keyOf(2), Blocks: &honest})
		m := start(t, mesh.Config{Key: keyOf(3), Blocks: &ours})
		if err := m.Fetch(ctx, x.Addrs(), c); err == nil || ours.Has(c) {
			t.Errorf("%s: fetched, %v", name, err)
		}
		if r := m.Traffic().Rejections; r["bad-block"]+r["too-large"] != 1 {
			t.Errorf("%s: rejections %v", name, r)
		}
		if err := m.Fetch(ctx, append(x.Addrs(), y.Addrs()...), c); err != nil || !ours.Has(c) {
			t.Errorf("%s: with an honest holder: %v", name, err)
		}
	}
}

// TestFetchFrom: a block of more bytes than wanted is not read, and others are. What is
// here already is asked for all the same, of that peer alone.
func TestFetchFrom(t *testing.T) {
	ctx := deadline(t)
	var theirs, ours block.MemoryStore
	large, small := put(t, &theirs, block.Raw, random(100_000)), put(t, &theirs, block.Raw, random(10))
	secret := put(t, &ours, block.Raw, []byte("ours"))
	x := start(t, mesh.Config{Key: keyOf(1), Blocks: &theirs})
	m := start(t, mesh.Config{Key: keyOf(2), Blocks: &ours, Bootstrap: x.Addrs()})
	eventually(t, "the peers meet", func() bool { return len(m.Peers()) == 1 })
	if err := m.FetchFrom(ctx, x.ID(), mesh.Want{CID: small, Most: 10}, mesh.Want{CID: large, Most: 99_999}); !errors.Is(err, mesh.ErrTooLarge) {
		t.Errorf("a block of 100,000 bytes within 99,999: %v", err)
	}
	if !ours.Has(small) || ours.Has(large) || m.Traffic().BytesFetched != 10 {
		t.Errorf("fetched %+v", m.Traffic())
	}
	if err := m.FetchFrom(ctx, x.ID(), mesh.Want{CID: large, Most: 100_000}, mesh.Want{CID: large, Most: 100_000}); err != nil || !ours.Has(large) {
		t.Errorf("within its own size: %v", err)
	}
	for name, c := range map[string]cid.Cid{"that nobody has": block.Sum(block.Raw, []byte("nowhere")), "that is here": secret} {
		if err := m.FetchFrom(ctx, x.ID(), mesh.Want{CID: c, Most: 10}); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("a block %s: %v", name, err)
		}
	}
}

type tree struct {
	_     struct{} `cbor:",toarray"`
	Links []block.Link
}

func TestFetchTreeFromProviders(t *testing.T) {
	ctx := deadline(t)
	var theirs, ours block.MemoryStore
	leaves, err := block.PutBytes(ctx, &theirs, random(100_000))
	if err != nil {
		t.Fatal(err)
	}
	var node tree
	for i := range byte(200) { // more than one request
		node.Links = append(node.Links, block.Link{Cid: put(t, &theirs, block.Raw, []byte{i})})
	}
	inner, err := block.PutNode(ctx, &theirs, node)
	if err != nil {
		t.Fatal(err)
	}
	root, err := block.PutNode(ctx, &theirs, tree{Links: append(leaves, inner, inner)})
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, mesh.Config{Key: keyOf(1), Blocks: &theirs})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs(), Blocks: &ours})
	eventually(t, "they meet", func() bool { return len(b.Peers()) == 1 && len(a.Peers()) == 1 })
	a.Provide(root.Cid)
	// No holder is named: the root's provider record leads to it.
	eventually(t, "the root is announced and the tree fetched", func() bool {
		return b.FetchTree(ctx, nil, root.Cid) == nil
	})
	for _, l := range append(node.Links, leaves...) {
		if !ours.Has(l.Cid) {
			t.Errorf("%s was not fetched", l)
		}
	}
}

// BenchmarkFetch moves 64 MiB in 1 MiB leaves between two hosts and two stores
// on disk.
func BenchmarkFetch(b *testing.B) {
	ctx := context.Background()
	theirs, err := block.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer theirs.Close()
	data := random(64 << 20)
	leaves, err := block.PutBytes(ctx, theirs, data)
	if err != nil {
		b.Fatal(err)
	}
	cids := make([]cid.Cid, len(leaves))
	for i, l := range leaves {
		cids[i] = l.Cid
	}
	ours, err := block.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	x := start(b, mesh.Config{Key: keyOf(1), Blocks: theirs})
	m := start(b, mesh.Config{Key: keyOf(2), Blocks: ours})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := m.Fetch(ctx, x.Addrs(), cids...); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for _, c := range cids {
			if err := ours.Delete(c); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}

// TestServe: a peer that may not read a block gets the answer for a block that is not
// there, and goes on to read others in the same stream.
func TestServe(t *testing.T) {
	ctx := deadline(t)
	var theirs, ours block.MemoryStore
	private, public := put(t, &theirs, block.Raw, []byte("private")), put(t, &theirs, block.Raw, []byte("public"))
	nowhere := block.Sum(block.Raw, []byte("nowhere"))
	m := start(t, mesh.Config{Key: keyOf(2), Blocks: &ours})
	x := start(t, mesh.Config{Key: keyOf(1), Blocks: &theirs, Serve: func(by peer.ID, c cid.Cid) bool {
		return by == m.ID() && c == public
	}})
	missing := func(c cid.Cid) string {
		err := m.Fetch(ctx, x.Addrs(), c)
		if !errors.Is(err, block.ErrNotFound) {
			t.Errorf("block %s: %v, want %v", c, err, block.ErrNotFound)
			return ""
		}
		return strings.ReplaceAll(err.Error(), c.String(), "CID")
	}
	if here, there := missing(private), missing(nowhere); here != there {
		t.Errorf("a private block: %q, one that is not there: %q", here, there)
	}
	if err := m.Fetch(ctx, x.Addrs(), private, public); !errors.Is(err, block.ErrNotFound) || !ours.Has(public) || ours.Has(private) {
		t.Errorf("of a private and a public block: %v, public fetched %v", err, ours.Has(public))
	}
}
