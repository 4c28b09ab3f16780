package chain

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
)

// wire is a TCP connection from one node's side to another's address, which a test
// can cut.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex // guards the rest
	cut   bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); w.set(true) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(conn)
		}
	}()
	return w
}

// carry copies between a connection and the other side until one ends.
func (w *wire) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer to.Close()
	if !w.keep(from, true) {
		return
	}
	defer w.keep(from, false)
	go func() {
		io.Copy(to, from)
		to.Close()
	}()
	io.Copy(from, to)
}

func (w *wire) keep(conn net.Conn, open bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !open {
		delete(w.conns, conn)
	} else if !w.cut {
		w.conns[conn] = true
	}
	return !w.cut
}

// set cuts the wire or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for conn := range w.conns {
		if cut {
			conn.Close()
		}
	}
}

// council is a network of validators on loopback with a wire from each to each.
type council struct {
	t       *testing.T
	net     protocol.Net
	configs []Config
	nodes   []*Node // nil while stopped
	wires   [][]*wire
}

// newCouncil founds a network of n validators, and starts them.
func newCouncil(t *testing.T, n int) *council {
	t.Helper()
	c := foundCouncil(t, n, ledger.DefaultParams())
	for i := range n {
		c.start(i)
	}
	return c
}

// foundCouncil founds a network of n validators as operators do.
func foundCouncil(t *testing.T, n int, params ledger.Params) *council {
	t.Helper()
	c := &council{t: t, nodes: make([]*Node, n), wires: make([][]*wire, n)}
	// Each operator makes keys, and the first founds the network with those of all.
	var others []protocol.Account
	var addrs, ids []string
	ports, err := machine.FreePorts(n)
	check(t, err)
	for i := range n {
		home := filepath.Join(t.TempDir(), "home")
		keys, err := Keys(home)
		check(t, err)
		ids, addrs = append(ids, keys.Peer), append(addrs, fmt.Sprintf("127.0.0.1:%d", ports[i]))
		if i > 0 {
			others = append(others, protocol.AccountOf(keys.Validator))
		}
		c.configs = append(c.configs, Config{Home: home, RPCListen: "127.0.0.1:0", PeerListen: addrs[i], BlockInterval: 100 * time.Millisecond, SnapshotInterval: 40})
	}
	genesis, err := Init(c.configs[0].Home, "council", params, others...)
	check(t, err)
	c.net = Net(genesis)
	for i := range n {
		if i > 0 {
			check(t, Join(c.configs[i].Home, genesis))
		}
		c.wires[i] = make([]*wire, n)
		for j := range n {
			if i != j {
				c.wires[i][j] = newWire(t, addrs[j])
				c.configs[i].Peers = append(c.configs[i].Peers, ids[j]+"@"+c.wires[i][j].listener.Addr().String())
			}
		}
	}
	t.Cleanup(func() {
		for i := range n {
			c.stop(i)
		}
	})
	return c
}

func (c *council) start(i int) {
	c.t.Helper()
	n, err := Start(c.t.Context(), c.configs[i])
	if err != nil {
		c.t.Fatalf("validator %d: %v", i, err)
	}
	c.nodes[i] = n
}

func (c *council) stop(i int) {
	c.t.Helper()
	if c.nodes[i] == nil {
		return
	}
	if err := c.nodes[i].Close(); err != nil {
		c.t.Errorf("validator %d: %v", i, err)
	}
	c.nodes[i] = nil
}

// part cuts a validator off from all others, or connects it again.
func (c *council) part(i int, cut bool) {
	for j := range c.nodes {
		if j != i {
			c.wires[i][j].set(cut)
			c.wires[j][i].set(cut)
		}
	}
}

func (c *council) height(i int) uint64 {
	if s := c.nodes[i].State(); s != nil {
		return s.Height()
	}
	return 0
}

// advance waits until the validators have some heights more than the highest of all
// has now.
func (c *council) advance(what string, more uint64, validators ...int) {
	c.t.Helper()
	var top uint64
	for i := range c.nodes {
		if c.nodes[i] != nil {
			top = max(top, c.height(i))
		}
	}
	for _, i := range validators {
		waitFor(c.t, fmt.Sprintf("%s: validator %d at height %d", what, i, top+more), func() bool { return c.height(i) >= top+more })
	}
}

// others are the validators but one.
func (c *council) others(i int) (others []int) {
	for j := range c.nodes {
		if j != i {
			others = append(others, j)
		}
	}
	return others
}

// down stops a validator. The others go on, and it catches up when it starts again.
func (c *council) down(i int) {
	c.stop(i)
	c.advance("one stopped", 5, c.others(i)...)
	c.start(i)
	c.advance("started again", 3, i)
}

// away cuts a validator off. It stands still, the others go on with work, and it
// catches up when it is back.
func (c *council) away(i int) {
	c.part(i, true)
	first := c.others(i)[0]
	submit(c.t, c.nodes[first].RPC(), c.net, "proposer", propose(fmt.Sprint("run", c.height(first))), c.height(first))
	c.advance("one cut off", 5, c.others(i)...)
	if stood, top := c.height(i), c.height(first); stood+3 > top {
		c.t.Errorf("a validator that is cut off is at height %d of %d", stood, top)
	}
	c.part(i, false)
	c.advance("connected again", 3, i)
}

// restore copies a validator's disk, and puts the validator back to this copy when the
// others are some heights further.
func (c *council) restore(i int) {
	home, old := c.configs[i].Home, filepath.Join(c.t.TempDir(), "old")
	c.stop(i)
	check(c.t, os.CopyFS(old, os.DirFS(home)))
	c.start(i)
	c.advance("before the copy is used", 3, i)
	c.stop(i)
	c.advance("without the one to restore", 3, c.others(i)...)
	check(c.t, os.RemoveAll(home))
	check(c.t, os.CopyFS(home, os.DirFS(old)))
	c.start(i)
	c.advance("an old disk", 3, i)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCouncil: of four validators one at a time is stopped, cut off, and put back to
// an old copy of its disk. The chain goes on, and all have the same history.
func TestCouncil(t *testing.T) {
	if testing.Short() {
		t.Skip("four validators take half a minute: go test without -short runs them")
	}
	t.Parallel()
	c := newCouncil(t, 4)
	c.advance("start", 3, 0, 1, 2, 3)
	c.down(1)
	c.away(2)
	c.restore(3)
	c.same()
}

// TestHalfCouncil: two of four validators make no height, and all four go on.
func TestHalfCouncil(t *testing.T) {
	if testing.Short() {
		t.Skip("four validators take half a minute: go test without -short runs them")
	}
	t.Parallel()
	c := newCouncil(t, 4)
	c.advance("start", 3, 0, 1, 2, 3)
	c.part(2, true)
	c.stop(1)
	before := c.height(0)
	select {
	case <-t.Context().Done():
	case <-time.After(2 * time.Second): // in which all four make ten heights
	}
	for _, i := range []int{0, 2, 3} {
		if h := c.height(i); h > before+1 {
			t.Errorf("validator %d is at height %d: half of the validators made one after %d", i, h, before+1)
		}
	}
	c.part(2, false)
	c.start(1)
	c.advance("all again", 3, 0, 1, 2, 3)
	c.same()
}

// TestJoinBySnapshot: a node that joins late begins with a snapshot, which it trusts by
// a header alone, and goes on from there. It starts again without one.
func TestJoinBySnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("a node waits five seconds for snapshots: go test without -short runs it")
	}
	t.Parallel()
	c := newCouncil(t, 2)
	interval := c.configs[0].SnapshotInterval
	c.advance("start", 1, 0, 1)
	submit(t, c.nodes[0].RPC(), c.net, "proposer", propose("run"), c.height(0))
	c.advance("snapshots", 3*interval, 0, 1)
	genesis, err := Genesis(c.configs[0].Home)
	check(t, err)
	late := Config{
		Home: filepath.Join(t.TempDir(), "home"), RPCListen: "127.0.0.1:0", SnapshotInterval: interval,
		Peers: slices.Concat(c.configs[0].Peers, c.configs[1].Peers), BlockInterval: c.configs[0].BlockInterval,
	}
	check(t, Join(late.Home, genesis))
	asked := 0
	late.StateSync = func(ctx context.Context) (StateSync, error) {
		asked++
		head, err := dial(t, c.nodes[0].RPC()).Commit(ctx, nil)
		if err != nil {
			return StateSync{}, err
		}
		return StateSync{Height: uint64(head.Height), BlockID: [32]byte(head.Commit.BlockID.Hash), Servers: []string{c.nodes[0].RPC()}}, nil
	}
	c.stop(1) // the chain pauses, so that its snapshots stay until the late node has one
	for range 2 {
		n, err := Start(t.Context(), late)
		check(t, err)
		defer n.Close()
		waitFor(t, "the late node's state", func() bool { return n.State() != nil })
		if c.nodes[1] == nil {
			c.start(1)
		}
		blocks, target := n.comet.BlockStore(), int64(c.height(0)+3)
		waitFor(t, "the late node", func() bool { return blocks.Height() >= target && n.State().Height() >= uint64(target) })
		if _, ok := n.State().Run(link("run"), protocol.AccountOf(key("proposer"))); !ok {
			t.Error("the late node does not know what happened before it joined")
		}
		if base := uint64(blocks.Base()); base < interval {
			t.Errorf("the late node has the heights from %d", base)
		}
		others := c.nodes[0].comet.BlockStore()
		height := min(blocks.Height(), others.Height())
		if got, want := blocks.LoadBlockMeta(height), others.LoadBlockMeta(height); !bytes.Equal(got.BlockID.Hash, want.BlockID.Hash) {
			t.Errorf("the late node has another block at height %d", height)
		}
		check(t, n.Close())
	}
	// A node that serves another chain is found out.
	at, err := late.StateSync(t.Context())
	check(t, err)
	want, err := at.before(t.Context(), 3)
	check(t, err)
	if got := c.nodes[1].comet.BlockStore().LoadBlockMeta(3).BlockID.Hash; !bytes.Equal(got, want) {
		t.Errorf("header 3 has hash %X, want %X", want, got)
	}
	at.BlockID[0] ^= 1
	if _, err := at.before(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "it is of another chain") {
		t.Errorf("a header that is not the trusted one: %v", err)
	}
	if asked != 2 {
		t.Errorf("the late node asked %d times for a header to trust", asked-1)
	}
}

// TestCouncilSoak goes through many such faults in a random sequence.
func TestCouncilSoak(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("takes minutes: make soak runs it")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := newCouncil(t, 4)
	c.advance("start", 3, 0, 1, 2, 3)
	for range 20 {
		i := random.IntN(len(c.nodes))
		switch random.IntN(3) {
		case 0:
			c.down(i)
		case 1:
			c.away(i)
		case 2:
			c.restore(i)
		}
	}
	c.same()
}

// same checks that all validators have the same blocks and states at every height.
func (c *council) same() {
	c.t.Helper()
	lowest := c.height(0)
	for i := range c.nodes {
		lowest = min(lowest, c.height(i))
	}
	for h := int64(1); h <= int64(lowest); h++ {
		want := c.nodes[0].comet.BlockStore().LoadBlockMeta(h)
		for i := range c.nodes {
			got := c.nodes[i].comet.BlockStore().LoadBlockMeta(h)
			if got == nil || !bytes.Equal(got.BlockID.Hash, want.BlockID.Hash) || !bytes.Equal(got.Header.AppHash, want.Header.AppHash) {
				c.t.Errorf("validators 0 and %d differ at height %d", i, h)
			}
		}
	}
}
