package chain

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// million returns an app whose state has a million accounts, on disk.
func million(t testing.TB) *app {
	t.Helper()
	a := newApp(t, Config{})
	heights(t, a, 1)
	adopt(t, a, take(t, a, populate(t, a, 1_000_000, 1<<38)))
	return a
}

// transfers returns a height of a thousand transfers, each from another account to
// one that the state has.
func transfers(t testing.TB, a *app) [][]byte {
	t.Helper()
	s := a.latest()
	var txs [][]byte
	for i, from := range senders {
		to := protocol.AccountOf(senders[(i+1)%len(senders)])
		tx, err := ledger.Sign(from, a.net, ledger.Tx{
			Nonce: s.Height(), Fee: 1 << 30, ExpHeight: s.Height() + 1, Body: ledger.Transfer{To: to, Amount: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
	}
	return txs
}

// finalize makes the next height, without the commit.
func finalize(t testing.TB, a *app, txs [][]byte) {
	t.Helper()
	r, err := a.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: int64(a.latest().Height()) + 1, Txs: txs})
	if err != nil {
		t.Fatal(err)
	}
	for i, res := range r.TxResults {
		if res.Code != 0 {
			t.Fatalf("transaction %d: %s", i, res.Log)
		}
	}
}

func commit(t testing.TB, a *app) {
	t.Helper()
	if _, err := a.Commit(t.Context(), &abci.RequestCommit{}); err != nil {
		t.Fatal(err)
	}
}

// A height of a thousand transfers in a state of a million accounts. The signatures
// are checked before, when the transactions enter the mempool.
func BenchmarkApplyMillion(b *testing.B) {
	a := million(b)
	var apply, save time.Duration
	for b.Loop() {
		b.StopTimer()
		txs := transfers(b, a)
		for _, tx := range txs {
			if _, err := a.parsed.parse(tx); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		start := time.Now()
		finalize(b, a, txs)
		apply += time.Since(start)
		start = time.Now()
		commit(b, a)
		save += time.Since(start)
	}
	b.ReportMetric(float64(apply.Milliseconds())/float64(b.N), "apply-ms/op")
	b.ReportMetric(float64(save.Milliseconds())/float64(b.N), "commit-ms/op")
}

// A million accounts need less than 2 GiB, a node with them starts in seconds, and a
// proof has less than 3 KB.
func TestMillionAccounts(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("a million accounts take a minute: ALIA_SOAK=1 makes them")
	}
	a := million(t)
	for range 2 * keepStates {
		finalize(t, a, transfers(t, a))
		commit(t, a)
	}
	start := time.Now()
	a = reopen(t, a)
	took := time.Since(start)
	for range 2 * keepStates {
		finalize(t, a, transfers(t, a))
		commit(t, a)
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("opened in %v; %d MiB live, %d MiB from the system", took, memory.HeapAlloc>>20, memory.Sys>>20)
	if took > 20*time.Second {
		t.Errorf("opening took %v", took)
	}
	if memory.Sys > 2<<30 {
		t.Errorf("%d MiB from the system, want at most 2 GiB", memory.Sys>>20)
	}
	var sizes []int
	for i := range 10_000 {
		proof, err := a.latest().Prove(ledger.AccountKey(accountAt(i))).Encode()
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(proof))
	}
	slices.Sort(sizes)
	t.Logf("a proof has %d bytes, p99 %d, at most %d", sizes[len(sizes)/2], sizes[len(sizes)*99/100], sizes[len(sizes)-1])
	if most := sizes[len(sizes)-1]; most > 3000 {
		t.Errorf("a proof has %d bytes, want at most 3000", most)
	}
	// A snapshot, while heights go on.
	before := a.latest()
	start = time.Now()
	done := make(chan error, 1)
	go func() { done <- a.snapshots.export(t.Context(), before) }()
	for more := true; more; {
		begin := time.Now()
		finalize(t, a, transfers(t, a))
		commit(t, a)
		t.Logf("a height beside the snapshot took %v", time.Since(begin))
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			more = false
		default:
		}
	}
	t.Logf("the snapshot took %v", time.Since(start))
	joined := newAppOf(t, a, Config{})
	start = time.Now()
	adopt(t, joined, fetch(t, a, before.Height(), before.AppHash()))
	t.Logf("the restore took %v", time.Since(start))
}
