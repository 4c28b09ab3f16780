package chain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
	"go.etcd.io/bbolt"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// heights makes n heights of an app, as CometBFT does. Each has one transaction of
// alice, whose account it overwrites, or to her.
func heights(t testing.TB, a *app, n int) {
	t.Helper()
	for range n {
		height := a.latest().Height() + 1
		var body ledger.Body = propose("run") // and takes it back at the next height
		if _, open := a.latest().Run(link("run"), protocol.AccountOf(key("alice"))); open {
			body = ledger.RunEnd{Run: link("run")}
		}
		who, fee := key("alice"), uint64(0)
		if a.latest().Supply().Minted > 0 { // a state of populate, where proposals are not free
			who, fee, body = senders[0], 1<<20, ledger.Transfer{To: protocol.AccountOf(key("alice")), Amount: 1}
		}
		tx, err := ledger.Sign(who, a.net, ledger.Tx{Nonce: height, Fee: fee, ExpHeight: height, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: int64(height), Txs: [][]byte{tx}})
		if err != nil || r.TxResults[0].Code != 0 {
			t.Fatal(r, err)
		}
		if _, err := a.Commit(t.Context(), &abci.RequestCommit{}); err != nil {
			t.Fatal(err)
		}
	}
}

// A file whose records were changed or taken away does not open.
func TestOpenRefusesOtherRecords(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 3)
	path := a.store.path
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	supply := sha256.Sum256(ledger.SupplyKey())
	for name, do := range map[string]func(*bbolt.Bucket) error{
		"a record is gone": func(b *bbolt.Bucket) error { return b.Delete(supply[:]) },
		"a record is another": func(b *bbolt.Bucket) error {
			return b.Put(supply[:], appendRecord(nil, ledger.KeyValue{Key: ledger.SupplyKey(), Value: []byte{1}}))
		},
		"a record is cut short": func(b *bbolt.Bucket) error { return b.Put(supply[:], []byte{9, 1}) },
		"a record too many":     func(b *bbolt.Bucket) error { return b.Put(make([]byte, 32), []byte{1, 0, 1, 0}) },
	} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := openStore(path, a.net)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.db.Update(func(tx *bbolt.Tx) error { return do(tx.Bucket(recordBucket)) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.load(a.net); err == nil {
			t.Errorf("%s: loads", name)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openStore(path, a.net)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if state, err := s.load(a.net); err != nil || state.Height() != 3 {
		t.Errorf("undamaged: %v", err)
	}
}

// A disk that fails under a running node halts it, wherever the failure is met,
// and no record is taken for absent.
func TestFailingDiskHalts(t *testing.T) {
	for name, fail := range map[string]func(*app) error{
		"file cut short": func(a *app) error { return os.Truncate(a.store.path, 0) },
		"record gone": func(a *app) error {
			return a.store.db.Update(func(tx *bbolt.Tx) error {
				supply := sha256.Sum256(ledger.SupplyKey())
				return tx.Bucket(recordBucket).Delete(supply[:])
			})
		},
	} {
		for _, do := range []func(*app) error{
			func(a *app) error {
				_, err := a.Query(t.Context(), &abci.RequestQuery{Path: "supply"})
				return err
			},
			func(a *app) error {
				_, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: int64(a.latest().Height()) + 1})
				return err
			},
		} {
			a := newApp(t, Config{})
			heights(t, a, 1)
			if err := fail(a); err != nil {
				t.Fatal(err)
			}
			var damage *ledger.DamageError
			if err := do(a); !errors.As(err, &damage) {
				t.Errorf("%s: %v, want a DamageError", name, err)
			}
			select {
			case err := <-a.failed:
				t.Logf("%s: %v", name, err)
			default:
				t.Errorf("%s: the node goes on", name)
			}
		}
	}
}

// The last heights answer with their own records, after newer heights have
// overwritten these on disk.
func TestOldHeightsAnswer(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 2*keepStates)
	alice := protocol.AccountOf(key("alice"))
	last := int64(a.latest().Height())
	for h := last - keepStates + 1; h <= last; h++ {
		r, err := a.Query(t.Context(), &abci.RequestQuery{Path: "account", Data: alice[:], Height: h})
		if err != nil || r.Code != 0 {
			t.Fatalf("height %d: %v, %v", h, r, err)
		}
		proof, err := ledger.ParseProof(r.ProofOps.Ops[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		root, err := proof.Root(r.Key, r.Value)
		if err != nil || !bytes.Equal(root[:], a.stateAt(h).AppHash()) {
			t.Errorf("height %d: root %x, %v", h, root, err)
		}
		if got := a.stateAt(h).Account(alice).Nonce; got != uint64(h) {
			t.Errorf("height %d: the account is that of height %d", h, got)
		}
		if _, err := a.stateAt(h).Audit(); err != nil {
			t.Errorf("height %d: %v", h, err)
		}
	}
	if a.stateAt(last-keepStates) != nil {
		t.Error("an older height answers too")
	}
}

// Whoever reads a height while newer ones overwrite its records gets its own.
func TestReadersBesideNewHeights(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 1)
	alice := protocol.AccountOf(key("alice"))
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				s := a.latest()
				for range 100 {
					if got := s.Account(alice).Nonce; got != s.Height() {
						t.Errorf("height %d: the account is that of height %d", s.Height(), got)
						return
					}
				}
			}
		})
	}
	heights(t, a, 50)
	stop.Store(true)
	readers.Wait()
}

// newApp returns the application of a new network at height 0, without CometBFT.
func newApp(t testing.TB, c Config) *app {
	t.Helper()
	c.Home = filepath.Join(t.TempDir(), "home")
	genesis, err := Init(c.Home, "test", ledger.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	return beginApp(t, c, genesis)
}

// newAppOf returns one more application of an app's network, at height 0.
func newAppOf(t testing.TB, a *app, c Config) *app {
	t.Helper()
	genesis, err := Genesis(filepath.Dir(filepath.Dir(a.store.path)))
	if err != nil {
		t.Fatal(err)
	}
	c.Home = t.TempDir()
	if err := os.Mkdir(files(c.Home).DBDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	return beginApp(t, c, genesis)
}

func beginApp(t testing.TB, c Config, genesis []byte) *app {
	t.Helper()
	doc, err := types.GenesisDocFromJSON(genesis)
	if err != nil {
		t.Fatal(err)
	}
	c.Log = slog.New(slog.DiscardHandler)
	a, err := openApp(c, Net(genesis))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.close() })
	if _, err := a.InitChain(t.Context(), &abci.RequestInitChain{AppStateBytes: doc.AppState}); err != nil {
		t.Fatal(err)
	}
	return a
}

func FuzzCutRecord(f *testing.F) {
	f.Add(appendRecord(nil, ledger.KeyValue{Key: []byte("key"), Value: bytes.Repeat([]byte{1}, 200)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		pair, rest, err := cutRecord(data)
		if err == nil && !bytes.Equal(append(appendRecord(nil, pair), rest...), data) {
			t.Errorf("%x reads as %x and %x", data, pair, rest)
		}
	})
}
