package ledger

import (
	"fmt"
	"testing"
)

// benchSlots is the slots of the round that the benchmarks claim.
const benchSlots = 256

// claimOf is a claim of a round of benchSlots slots, in its bytes.
func claimOf(w *world) []byte {
	costs := make([]uint64, benchSlots)
	miners := make([]string, benchSlots)
	for i := range costs {
		costs[i], miners[i] = 1000, fmt.Sprint("miner ", i)
	}
	r := w.run("coordinator", "p", newPlan("p", costs, nil))
	return w.sign("coordinator", r.claim(0, miners...))
}

// BenchmarkClaims applies the claim of a round: slots a second, with the check of the
// signatures and without, as a validator does it that has checked them in its mempool.
func BenchmarkClaims(b *testing.B) {
	w := newWorld(b, LocalParams())
	data := claimOf(w)
	for _, signatures := range []bool{true, false} {
		b.Run(fmt.Sprintf("signatures=%v", signatures), func(b *testing.B) {
			tx := w.parse(data)
			for b.Loop() {
				if signatures {
					tx = w.parse(data)
				}
				if _, r, _, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: []*Tx{tx}}); err != nil || r[0].Code != OK {
					b.Fatal(err, r)
				}
			}
			b.ReportMetric(benchSlots*float64(b.N)/b.Elapsed().Seconds(), "slots/s")
		})
	}
}

// BenchmarkApply1000 applies a height of 1,000 transfers between different accounts.
func BenchmarkApply1000(b *testing.B) {
	const n = 1000
	w := newWorld(b, LocalParams())
	w.earn("payer", 10_000_000)
	var txs []*Tx
	for i := range n {
		txs = append(txs, w.parse(w.signTx("payer", Tx{
			Fee: enough, ExpHeight: w.state.height + 10, Body: Transfer{To: acct(fmt.Sprint("payee ", i)), Amount: 1000},
		})))
	}
	for b.Loop() {
		if _, r, _, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: txs}); err != nil || r[n-1].Code != OK {
			b.Fatal(err, r[n-1])
		}
	}
}

// BenchmarkPayments pays a claimed round of benchSlots slots.
func BenchmarkPayments(b *testing.B) {
	p := LocalParams()
	p.Finality = 1
	w := newWorld(b, p)
	if r := w.apply(w.parse(claimOf(w))); r[0].Code != OK {
		b.Fatal(r)
	}
	for b.Loop() {
		if _, _, _, err := w.state.Apply(Block{Height: w.state.height + 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyEmpty(b *testing.B) {
	w := newWorld(b, LocalParams())
	for b.Loop() {
		if _, _, _, err := w.state.Apply(Block{Height: w.state.height + 1}); err != nil {
			b.Fatal(err)
		}
	}
}
