package mesh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/alia-network/alia/protocol/block"
)

// putNoise stores n blocks of the given size, and returns them.
func putNoise(t *testing.T, b block.Blocks, n, size int) []cid.Cid {
	t.Helper()
	r := rand.NewChaCha8([32]byte{byte(n)})
	cids := make([]cid.Cid, n)
	for i := range cids {
		data := make([]byte, size)
		_, _ = r.Read(data)
		var err error
		if cids[i], err = b.Put(t.Context(), block.Raw, data); err != nil {
			t.Fatal(err)
		}
	}
	return cids
}

// TestSlowUplink: forty nodes fetch from one behind a slow line. Each block takes
// longer than a silent peer is waited for, and all arrive, sent once.
func TestSlowUplink(t *testing.T) {
	simulate(t, 20*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		const nodes, rate = 40, 100_000
		n.line(simIP(0), rate, rate)
		var store block.MemoryStore
		cids := putNoise(t, &store, 1, 1<<20)
		hub := light(t, n, simIP(0), 0, &store)
		began := time.Now()
		errs := make(chan error)
		for i := range nodes {
			m := light(t, n, simIP(1+i), 1+i, new(block.MemoryStore))
			go func() { errs <- m.Fetch(ctx, hub.Addrs(), cids...) }()
		}
		for range nodes {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		ideal := time.Duration(nodes) * time.Second * (1 << 20) / rate
		if took := time.Since(began); took > ideal*11/10 {
			t.Errorf("took %v, the line could do it in %v", took, ideal)
		}
		if served := hub.Traffic().BlocksServed; served != nodes {
			t.Errorf("%d blocks were sent to %d nodes", served, nodes)
		}
	})
}

// TestBrokenStream: the link to the only holder breaks in the middle of a block, again
// and again. The fetch goes on.
func TestBrokenStream(t *testing.T) {
	simulate(t, 20*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		n.line(simIP(0), 200_000, 200_000)
		var store block.MemoryStore
		hub := light(t, n, simIP(0), 0, &store)
		m := startSim(t, n, simIP(1), Config{Key: simKey(1)})
		cids := putNoise(t, &store, 10, 200_000)
		done := make(chan error)
		go func() { done <- m.Fetch(ctx, hub.Addrs(), cids...) }()
		for cuts := 0; ; cuts++ {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
				if cuts < 3 {
					t.Errorf("the link was cut %d times: nothing was tested", cuts)
				}
				return
			case <-time.After(3500 * time.Millisecond):
				n.cut(simIP(1), false)
			}
		}
	})
}

// TestHolderThatIsGone: without any other holder, the fetch gives up after some
// seconds.
func TestHolderThatIsGone(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		m := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		id, err := PeerOf(accountOf(1))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = m.Fetch(ctx, []string{fmt.Sprintf("/ip4/%s/tcp/1/p2p/%s", simIP(1), id)}, block.Sum(block.Raw, nil))
		if !errors.Is(err, block.ErrNotFound) {
			t.Errorf("fetch: %v", err)
		}
		if took := time.Since(began); took < 3*time.Second || took > 10*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestSlowHolder: beside a slow holder the next one is asked too. Nearly no block is
// sent twice.
func TestSlowHolder(t *testing.T) {
	for name, c := range map[string]struct {
		slow, fast int // bytes per second
		most       time.Duration
	}{
		"slow":         {20_000, 1_000_000, 10 * time.Second},
		"equally slow": {1_000_000, 1_000_000, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, 20*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
				n.line(simIP(0), c.slow, c.slow)
				n.line(simIP(1), c.fast, c.fast)
				var store block.MemoryStore
				const blocks, size = 64, 100_000
				cids := putNoise(t, &store, blocks, size)
				first, second := light(t, n, simIP(0), 0, &store), light(t, n, simIP(1), 1, &store)
				m := light(t, n, simIP(2), 2, new(block.MemoryStore))
				began := time.Now()
				if err := m.Fetch(ctx, append(first.Addrs(), second.Addrs()...), cids...); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("took %v", took)
				}
				if got := m.bytes.received.Load(); got > blocks*size*11/10 {
					t.Errorf("%d bytes came for blocks of %d", got, blocks*size)
				}
			})
		})
	}
}

// TestSilentHolder: a holder that takes the request and never answers delays a fetch
// by seconds, not by its timeout.
func TestSilentHolder(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		var store block.MemoryStore
		cids := putNoise(t, &store, 3, 1000)
		silent := bare(t, n, simIP(0), 0)
		good := light(t, n, simIP(1), 1, &store)
		m := light(t, n, simIP(2), 2, new(block.MemoryStore))
		silent.SetStreamHandler(m.protocol(blocksProtocol), func(network.Stream) {})
		began := time.Now()
		if err := m.Fetch(ctx, append(fullAddrs(infoOfHost(silent)), good.Addrs()...), cids...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*hedgeAfter {
			t.Errorf("took %v", took)
		}
	})
}

// TestUploadsInTurn: no more than maxUploads blocks are sent at a time, and a peer
// with many requests does not hold up another.
func TestUploadsInTurn(t *testing.T) {
	var u uploads
	has := func(up *upload) bool {
		select {
		case <-up.turn:
			return true
		default:
			return false
		}
	}
	var greedy, others []*upload
	for range 100 {
		greedy = append(greedy, u.enter("greedy", "line"))
	}
	for i := range 100 {
		others = append(others, u.enter(peer.ID(fmt.Sprint(i)), fmt.Sprint(i)))
	}
	count := func(list []*upload) (n int) {
		for _, up := range list {
			if has(up) {
				n++
			}
		}
		return n
	}
	if g, o := count(greedy), count(others); g != uploadsOfPeer || g+o != maxUploads || !has(others[0]) {
		t.Errorf("%d blocks of one peer and %d of others have their turn", g, o)
	}
	u.leave(greedy[len(greedy)-1]) // which waits
	u.leave(greedy[0])
	if has(greedy[uploadsOfPeer]) || !has(others[maxUploads-uploadsOfPeer]) {
		t.Error("the turn is not given to a peer that has none")
	}
	for _, list := range [][]*upload{others, greedy[1 : len(greedy)-1]} {
		for _, up := range list {
			u.leave(up)
		}
	}
	if u.busy != 0 || len(u.of) != 0 || len(u.on) != 0 || len(u.queue) != 0 {
		t.Errorf("left behind: %+v", &u)
	}
}

// TestLines: peers of one line share half of the turns.
func TestLines(t *testing.T) {
	for a, want := range map[string]string{
		"/ip4/192.0.2.7/tcp/1":        "192.0.2.7",
		"/ip6/2001:db8::1:2:3/tcp/1":  "2001:db8::",
		"/ip6/2001:db8:0:0:9::/tcp/1": "2001:db8::",
		"/dns4/example.org/tcp/1":     "",
	} {
		if got := lineOf(ma.StringCast(a)); got != want {
			t.Errorf("line of %s: %q, want %q", a, got, want)
		}
	}
}

// TestSlowReaders: eight peers of one line that ask for many blocks, and read as slowly as
// they may, do not hold up a peer of another line.
func TestSlowReaders(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		store := new(block.MemoryStore)
		cids := putNoise(t, store, 1, block.MaxSize)
		hub := light(t, n, simIP(0), 0, store)
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for i := range 8 {
			h := bare(t, n, simIP(10), 10+i)
			if err := h.Connect(ctx, infoOf(hub)); err != nil {
				t.Fatal(err)
			}
			for range 16 {
				s, err := h.NewStream(ctx, hub.host.ID(), hub.protocol(blocksProtocol))
				if err != nil {
					t.Fatal(err)
				}
				if err := writeWants(s, slices.Repeat(cids, 4)); err != nil {
					t.Fatal(err)
				}
				readers.Go(func() {
					defer s.Reset()
					for buf := make([]byte, blockPiece); ; {
						if _, err := s.Read(buf); err != nil {
							return
						}
						select {
						case <-stop:
							return
						case <-time.After(50 * time.Second):
						}
					}
				})
			}
		}
		time.Sleep(time.Minute)
		m := light(t, n, simIP(1), 1, new(block.MemoryStore))
		began := time.Now()
		if err := m.Fetch(ctx, hub.Addrs(), cids...); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > hedgeAfter {
			t.Errorf("took %v", took)
		}
		close(stop)
		readers.Wait()
	})
}

// TestStrangerHoldsNobodyUp: a peer that says for ever that a block waits for its turn
// does not hold up another fetch of the block, from a peer that sends it.
func TestStrangerHoldsNobodyUp(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		var store block.MemoryStore
		cids := putNoise(t, &store, 1, 1000)
		hostile := bare(t, n, simIP(0), 0)
		good := light(t, n, simIP(1), 1, &store)
		m := light(t, n, simIP(2), 2, new(block.MemoryStore))
		asked := make(chan struct{}, 1)
		hostile.SetStreamHandler(m.protocol(blocksProtocol), func(s network.Stream) {
			select {
			case asked <- struct{}{}:
			default: // it is asked again when a stream breaks
			}
			for writeLength(s, queued) == nil {
				time.Sleep(queuedEvery)
			}
		})
		held, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- m.Fetch(held, fullAddrs(infoOfHost(hostile)), cids...) }()
		<-asked
		began := time.Now()
		if err := m.Fetch(ctx, good.Addrs(), cids...); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > hedgeAfter {
			t.Errorf("took %v", took)
		}
		stop()
		<-ended
	})
}

// counting is blocks that count how many are read.
type counting struct {
	block.MemoryStore
	read atomic.Int32
}

func (c *counting) Get(ctx context.Context, id cid.Cid) ([]byte, error) {
	c.read.Add(1)
	return c.MemoryStore.Get(ctx, id)
}

// TestWaitingBlocksAreNotRead: a block is read when it is its turn to be sent, so that
// strangers who ask for many fill no memory.
func TestWaitingBlocksAreNotRead(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		var store counting
		cids := putNoise(t, &store, 1, 1000)
		hub := light(t, n, simIP(0), 0, &store)
		var busy []*upload
		for i := range maxUploads {
			busy = append(busy, hub.uploads.enter(peer.ID(fmt.Sprint(i)), fmt.Sprint(i)))
		}
		m := light(t, n, simIP(1), 1, new(block.MemoryStore))
		ended := make(chan error)
		go func() { ended <- m.Fetch(ctx, hub.Addrs(), cids...) }()
		<-time.After(time.Minute)
		if read := store.read.Load(); read != 0 {
			t.Errorf("%d blocks are in memory that wait for their turn", read)
		}
		hub.uploads.leave(busy[0])
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
