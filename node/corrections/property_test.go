package corrections_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
)

// TestMoney: whatever is proposed, voted, published and paid, and whichever call of the
// ledger fails meanwhile, no budget pays more than it says, nor an author more than the
// budget says, and each correction is paid once, by a transfer that the ledger has.
func TestMoney(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, ctx := newWorld(t), context.Background()
		l := ledgertest.New(t)
		l.Earn(collector, 1_000_000)
		budgets := map[string]protocol.Budget{}
		publish := func() {
			b := protocol.Budget{
				Amount: rapid.Uint64Range(0, 200).Draw(r, "amount"), Votes: 1, Rules: corrections.Rules,
				Reviewers: []protocol.Account{protocol.AccountOf(reviewer), protocol.AccountOf(ben)},
			}
			b.PerAuthor = rapid.Uint64Range(0, b.Amount).Draw(r, "per author")
			b.PerCorrection = rapid.Uint64Range(0, b.Amount).Draw(r, "per correction")
			b.PerCharacter = rapid.Uint64Range(0, 3).Draw(r, "per character")
			w.now = w.now.Add(time.Second)
			terms, err := w.pool.Publish(b)
			if err != nil {
				r.Fatal(err)
			}
			budgets[terms.ID.String()] = b
		}
		publish()
		people := []byte{1, 2, 3, 4, 5}
		for i := range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0:
				publish()
			case 1, 2:
				d := draft(fmt.Sprint("Text ", i, "."), "", fmt.Sprint("Ein Text ", i, "."))
				d.Model, d.How = corrections.Draft{}.Model, ""
				if rapid.Bool().Draw(r, "machine") {
					d.Machine, d.Model, d.How = fmt.Sprint("Die Text ", i, "."), model, how
					w.made(d.Source, d.Machine)
				}
				if _, err := w.hand(key(rapid.SampledFrom(people).Draw(r, "author")), d); err != nil {
					r.Fatal(err)
				}
			case 3:
				waiting, err := w.pool.List(corrections.Proposed)
				if err != nil {
					r.Fatal(err)
				}
				for _, e := range waiting { // refused votes change nothing
					w.vote(key(rapid.SampledFrom(people).Draw(r, "voter")), e.ID, corrections.Choice{Approve: true})
				}
			default:
				call := rapid.SampledFrom([]string{"", "Prepare", "Submit", "Submitted", "Fate"}).Draw(r, "fault")
				left := rapid.IntRange(0, 2).Draw(r, "calls before the fault")
				l.Break(func(c string) error {
					if c != call {
						return nil
					}
					if left--; left < 0 {
						return light.ErrUnreachable
					}
					return nil
				})
				w.pool.Close() // as after a crash
				w.pool = w.open(collector)
				if _, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); err != nil && !strings.Contains(err.Error(), "reach") {
					r.Fatal(err)
				}
				l.Break(nil)
				if rapid.Bool().Draw(r, "long") {
					l.Pass(12)
				}
			}
		}
		if _, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); err != nil {
			r.Fatal(err)
		}
		// What the ledger has is what the pool says, and each sum is within its bounds.
		all, err := w.pool.List("")
		if err != nil {
			r.Fatal(err)
		}
		sums, each, due := map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
		for _, e := range all {
			if e.Due > 0 != e.Paid {
				r.Errorf("%s: due %d, paid %v", e.ID, e.Due, e.Paid)
			}
			if e.Paid {
				sums[e.Budget.String()] += e.Due
				each[e.Budget.String()+e.View().Payee] += e.Due
				due[e.View().Payee] += e.Due
			}
		}
		for id, b := range budgets {
			if sums[id] > b.Amount {
				r.Errorf("budget of %d has paid %d", b.Amount, sums[id])
			}
			for who, n := range each {
				if strings.HasPrefix(who, id) && n > b.PerAuthor {
					r.Errorf("budget with %d for an author has paid one %d", b.PerAuthor, n)
				}
			}
		}
		sent := map[string]uint64{}
		for _, body := range l.Sent() {
			if b, ok := body.(ledger.Transfer); ok {
				sent[b.To.String()] += b.Amount
			}
		}
		if fmt.Sprint(sent) != fmt.Sprint(due) {
			r.Errorf("the ledger has paid %v, due was %v", sent, due)
		}
	})
}
