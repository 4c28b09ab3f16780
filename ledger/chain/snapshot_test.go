package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// senders are the keys of the first accounts of populate.
var senders = func() []ed25519.PrivateKey {
	keys := make([]ed25519.PrivateKey, 1000)
	for i := range keys {
		keys[i] = key(fmt.Sprint("sender ", i))
	}
	return keys
}()

// accountAt returns one of the accounts of populate.
func accountAt(i int) protocol.Account {
	if i < len(senders) {
		return protocol.AccountOf(senders[i])
	}
	return protocol.Account(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
}

// populate returns the state of an app with n more accounts that have a balance, in memory.
func populate(t testing.TB, a *app, n int, balance uint64) *ledger.State {
	t.Helper()
	pairs := slices.Collect(a.latest().All())
	value, err := block.Encode(ledger.AccountState{Version: 1, Balance: balance})
	if err != nil {
		t.Fatal(err)
	}
	supply, err := block.Encode(ledger.Supply{Version: 1, Minted: uint64(n) * balance, Balances: uint64(n) * balance})
	if err != nil {
		t.Fatal(err)
	}
	for i := range pairs {
		if bytes.Equal(pairs[i].Key, ledger.SupplyKey()) {
			pairs[i].Value = supply
		}
	}
	for i := range n {
		pairs = append(pairs, ledger.KeyValue{Key: ledger.AccountKey(accountAt(i)), Value: value})
	}
	type row struct {
		sum  [sha256.Size]byte
		pair ledger.KeyValue
	}
	rows := make([]row, len(pairs))
	for i, p := range pairs {
		rows[i] = row{sha256.Sum256(p.Key), p}
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	state, err := ledger.Load(a.net, a.latest().Height(), nil, func(yield func(ledger.KeyValue, error) bool) {
		for _, r := range rows {
			if !yield(r.pair, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// offer is a snapshot in the hands of a stranger.
type offer struct {
	snapshot *abci.Snapshot
	appHash  []byte
	chunks   [][]byte
}

// take exports a snapshot of a state.
func take(t testing.TB, a *app, state *ledger.State) offer {
	t.Helper()
	if err := a.snapshots.export(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	return fetch(t, a, state.Height(), state.AppHash())
}

// fetch reads a snapshot of a height, as another node does.
func fetch(t testing.TB, a *app, height uint64, appHash []byte) offer {
	t.Helper()
	list, err := a.ListSnapshots(t.Context(), &abci.RequestListSnapshots{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Snapshots {
		if s.Height != height {
			continue
		}
		o := offer{snapshot: s, appHash: appHash}
		for i := range s.Chunks {
			r, err := a.LoadSnapshotChunk(t.Context(), &abci.RequestLoadSnapshotChunk{Height: s.Height, Format: s.Format, Chunk: i})
			if err != nil || len(r.Chunk) == 0 || len(r.Chunk) > maxChunk {
				t.Fatalf("chunk %d has %d bytes, %v", i, len(r.Chunk), err)
			}
			o.chunks = append(o.chunks, r.Chunk)
		}
		return o
	}
	t.Fatalf("no snapshot of height %d among %d", height, len(list.Snapshots))
	return offer{}
}

// sign makes the sums of an offer fit its chunks again.
func (o *offer) sign() {
	o.snapshot.Metadata = nil
	for _, c := range o.chunks {
		sum := sha256.Sum256(c)
		o.snapshot.Metadata = append(o.snapshot.Metadata, sum[:]...)
	}
	sum := sha256.Sum256(o.snapshot.Metadata)
	o.snapshot.Hash, o.snapshot.Chunks = sum[:], uint32(len(o.chunks))
}

// accept offers a snapshot, which must be accepted.
func accept(t testing.TB, a *app, o offer) {
	t.Helper()
	r, err := a.OfferSnapshot(t.Context(), &abci.RequestOfferSnapshot{Snapshot: o.snapshot, AppHash: o.appHash})
	if err != nil || r.Result != abci.ResponseOfferSnapshot_ACCEPT {
		t.Fatalf("offer: %v, %v", r, err)
	}
}

// apply applies a chunk and returns the result.
func apply(t testing.TB, a *app, number int, chunk []byte) *abci.ResponseApplySnapshotChunk {
	t.Helper()
	r, err := a.ApplySnapshotChunk(t.Context(), &abci.RequestApplySnapshotChunk{Index: uint32(number), Chunk: chunk, Sender: "liar"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// adopt restores a whole snapshot.
func adopt(t testing.TB, a *app, o offer) {
	t.Helper()
	accept(t, a, o)
	for i, c := range o.chunks {
		if r := apply(t, a, i, c); r.Result != abci.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatalf("chunk %d: %v", i, r)
		}
	}
}

// reopen starts an app again on the same files.
func reopen(t testing.TB, a *app) *app {
	t.Helper()
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	home := filepath.Dir(filepath.Dir(a.store.path))
	again, err := openApp(Config{Home: home, Log: a.log}, a.net)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.close() })
	return again
}

// A node that joins has the same state, and makes the same heights after it.
func TestSnapshotRestores(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 3)
	big := populate(t, a, 100_000, 0)
	o := take(t, a, big)
	if len(o.chunks) < 2 {
		t.Fatalf("%d chunks, want several", len(o.chunks))
	}
	var joined []*app
	for range 2 {
		b := newAppOf(t, a, Config{})
		adopt(t, b, o)
		joined = append(joined, b)
	}
	joined[1] = reopen(t, joined[1])
	for i, b := range joined {
		if r, err := b.Info(t.Context(), &abci.RequestInfo{}); err != nil || r.LastBlockHeight != 3 || !bytes.Equal(r.LastBlockAppHash, big.AppHash()) {
			t.Errorf("node %d: %v, %v, want height 3 and root %x", i, r, err, big.AppHash())
		}
		heights(t, b, 2)
	}
	if x, y := joined[0].latest().AppHash(), joined[1].latest().AppHash(); !bytes.Equal(x, y) {
		t.Errorf("the next heights have roots %x and %x", x, y)
	}
	// All nodes cut the state alike.
	again := take(t, joined[0], big)
	if !bytes.Equal(again.snapshot.Hash, o.snapshot.Hash) {
		t.Errorf("another node's snapshot is %x, want %x", again.snapshot.Hash, o.snapshot.Hash)
	}
}

// While a snapshot is made the chain goes on, and the snapshot has the records of its
// own height. The two newest are kept.
func TestSnapshotsOfARunningChain(t *testing.T) {
	a := newApp(t, Config{SnapshotInterval: 2})
	roots := map[uint64][]byte{}
	for range 4 {
		heights(t, a, 2)
		roots[a.latest().Height()] = a.latest().AppHash()
		heights(t, a, 1) // while the snapshot is made
		heights(t, a, 1)
		roots[a.latest().Height()] = a.latest().AppHash()
		a.exports.Wait()
	}
	list, err := a.ListSnapshots(t.Context(), &abci.RequestListSnapshots{})
	if err != nil || len(list.Snapshots) != keepSnapshots {
		t.Fatalf("%d snapshots, %v, want %d", len(list.Snapshots), err, keepSnapshots)
	}
	for _, s := range list.Snapshots {
		b := newAppOf(t, a, Config{})
		adopt(t, b, fetch(t, a, s.Height, roots[s.Height]))
		if _, err := b.latest().Audit(); err != nil {
			t.Error(err)
		}
	}
	for _, req := range []*abci.RequestLoadSnapshotChunk{
		{Height: list.Snapshots[0].Height, Format: snapshotFormat, Chunk: 1 << 31},
		{Height: list.Snapshots[0].Height, Format: snapshotFormat + 1},
		{Height: 1, Format: snapshotFormat},
	} {
		if r, err := a.LoadSnapshotChunk(t.Context(), req); err != nil || r.Chunk != nil {
			t.Errorf("%v: %d bytes, %v, want none", req, len(r.Chunk), err)
		}
	}
}

// A chunk with one bit changed is asked for again, from somebody else.
func TestDamagedChunkIsFetchedAgain(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 3)
	o := take(t, a, populate(t, a, 100_000, 0))
	b := newAppOf(t, a, Config{})
	accept(t, b, o)
	for i, c := range o.chunks {
		for _, at := range []int{0, len(c) / 2, len(c) - 1} {
			bad := bytes.Clone(c)
			bad[at] ^= 1
			r := apply(t, b, i, bad)
			if r.Result != abci.ResponseApplySnapshotChunk_RETRY || !slices.Equal(r.RefetchChunks, []uint32{uint32(i)}) || !slices.Equal(r.RejectSenders, []string{"liar"}) {
				t.Errorf("chunk %d, byte %d: %v", i, at, r)
			}
		}
		if r := apply(t, b, i, c); r.Result != abci.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatalf("chunk %d: %v", i, r)
		}
	}
	if got := b.latest().AppHash(); !bytes.Equal(got, o.appHash) {
		t.Errorf("root %x, want %x", got, o.appHash)
	}
	if _, err := b.ApplySnapshotChunk(t.Context(), &abci.RequestApplySnapshotChunk{}); err == nil {
		t.Error("a chunk of no snapshot is applied")
	}
}

// A snapshot whose sums fit its chunks, but not what the validators signed, leaves
// the node as it was.
func TestFalseSnapshotIsRefused(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 3)
	for name, lie := range map[string]func(*offer){
		"another record": func(o *offer) { o.chunks[0][len(o.chunks[0])-1] ^= 1 },
		"a record more": func(o *offer) {
			high := ledger.KeyValue{Value: []byte{1}}
			for i := 0; ; i++ {
				high.Key = fmt.Append(nil, i)
				if sum := sha256.Sum256(high.Key); sum[0] == 0xff && sum[1] == 0xff {
					break
				}
			}
			o.chunks[0] = appendRecord(o.chunks[0], high)
		},
		"a record less": func(o *offer) {
			_, rest, err := cutRecord(o.chunks[0])
			if err != nil {
				t.Fatal(err)
			}
			o.chunks[0] = rest
		},
		"records twice":      func(o *offer) { o.chunks = append(o.chunks, o.chunks[0]) },
		"a record cut short": func(o *offer) { o.chunks[0] = o.chunks[0][:len(o.chunks[0])-1] },
		"an empty record":    func(o *offer) { o.chunks[0] = []byte{1, 1, 0} },
		"nothing":            func(o *offer) { o.chunks[0] = nil },
		"another root":       func(o *offer) { o.appHash = make([]byte, sha256.Size) },
	} {
		o := take(t, a, a.latest())
		lie(&o)
		o.sign()
		b := newAppOf(t, a, Config{})
		before := b.latest().AppHash()
		accept(t, b, o)
		var last abci.ResponseApplySnapshotChunk_Result
		for i, c := range o.chunks {
			last = apply(t, b, i, c).Result
		}
		if last != abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT {
			t.Errorf("%s: %v", name, last)
		}
		if !bytes.Equal(b.latest().AppHash(), before) {
			t.Errorf("%s: the node has another state", name)
		}
		if _, err := os.Stat(restorePath(b.store.path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the refused file is still there: %v", name, err)
		}
		// An honest snapshot is restored all the same.
		adopt(t, b, take(t, a, a.latest()))
		if !bytes.Equal(b.latest().AppHash(), a.latest().AppHash()) {
			t.Errorf("%s: an honest snapshot does not restore after it", name)
		}
	}
}

// A node that stops while it restores has its old state.
func TestInterruptedRestoreLeavesTheOldState(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 3)
	o := take(t, a, populate(t, a, 100_000, 0))
	b := newAppOf(t, a, Config{})
	heights(t, b, 1)
	before := b.latest().AppHash()
	accept(t, b, o)
	apply(t, b, 0, o.chunks[0])
	// A killed process does not tidy up, so its file is still there.
	left, err := os.ReadFile(restorePath(b.store.path))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Dir(filepath.Dir(b.store.path))
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(restorePath(b.store.path), left, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := openApp(Config{Home: home, Log: b.log}, b.net)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.close() })
	if got := again.latest(); got.Height() != 1 || !bytes.Equal(got.AppHash(), before) {
		t.Errorf("height %d with root %x, want height 1 with %x", got.Height(), got.AppHash(), before)
	}
	if _, err := os.Stat(restorePath(again.store.path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished file is still there: %v", err)
	}
	adopt(t, again, o)
	if !bytes.Equal(again.latest().AppHash(), o.appHash) {
		t.Error("the snapshot does not restore afterwards")
	}
}

// What a stranger says of a snapshot is checked before anything is written.
func TestOffersAreRefused(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 1)
	for name, c := range map[string]struct {
		lie  func(*offer)
		want abci.ResponseOfferSnapshot_Result
	}{
		"no snapshot":     {func(o *offer) { o.snapshot = nil }, abci.ResponseOfferSnapshot_REJECT_FORMAT},
		"another format":  {func(o *offer) { o.snapshot.Format++ }, abci.ResponseOfferSnapshot_REJECT_FORMAT},
		"height 0":        {func(o *offer) { o.snapshot.Height = 0 }, abci.ResponseOfferSnapshot_REJECT},
		"no chunks":       {func(o *offer) { o.chunks = nil; o.sign() }, abci.ResponseOfferSnapshot_REJECT},
		"chunks unknown":  {func(o *offer) { o.snapshot.Chunks++ }, abci.ResponseOfferSnapshot_REJECT},
		"another hash":    {func(o *offer) { o.snapshot.Hash[0] ^= 1 }, abci.ResponseOfferSnapshot_REJECT},
		"no root":         {func(o *offer) { o.appHash = nil }, abci.ResponseOfferSnapshot_REJECT},
		"too many chunks": {func(o *offer) { o.chunks = make([][]byte, maxChunks+1); o.sign() }, abci.ResponseOfferSnapshot_REJECT},
	} {
		o := take(t, a, a.latest())
		c.lie(&o)
		r, err := a.OfferSnapshot(t.Context(), &abci.RequestOfferSnapshot{Snapshot: o.snapshot, AppHash: o.appHash})
		if err != nil || r.Result != c.want {
			t.Errorf("%s: %v, %v, want %v", name, r, err, c.want)
		}
	}
}
