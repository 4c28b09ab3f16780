package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

var someNet = protocol.Net{1}

// runOffer is the offer of a run, signed by the account of a name at a time.
func runOffer(t testing.TB, who string, run string, at time.Time) protocol.EncodedOffer {
	t.Helper()
	o := &protocol.RunOffer{Run: named(run), Time: uint64(at.UnixMilli()), Rounds: 1, Units: 1}
	body, err := protocol.Sign(key(who), someNet, o)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.EncodedOffer{Type: o.Type(), Body: body}
}

// TestOffersDie: two nodes that ask each other for offers do not keep the offer of a
// publisher that is gone.
func TestOffersDie(t *testing.T) {
	a, b := node.NewOffers(someNet), node.NewOffers(someNet)
	now := time.Unix(1e9, 0)
	if err := a.Take(now, "publisher", "", runOffer(t, "publisher", "run", now)); err != nil {
		t.Fatal(err)
	}
	pull := func(to, from *node.Offers) {
		for _, e := range from.Page(now, 0).Offers {
			if err := to.Take(now, "peer", "", e); err != nil {
				t.Errorf("after %v: %v", now.Sub(time.Unix(1e9, 0)), err)
			}
		}
	}
	for age := 3 * time.Second; age < 10*time.Minute; age += 3 * time.Second {
		now = now.Add(3 * time.Second)
		pull(b, a)
		pull(a, b)
		want := 1
		if age >= market.OfferLife {
			want = 0
		}
		if x, y := len(a.Open(now)), len(b.Open(now)); x != want || y != want {
			t.Fatalf("after %v %d and %d offers are open, want %d", age, x, y, want)
		}
	}
}

// TestSquatters: accounts that offer a run before its coordinator do not keep the
// coordinator's offer away, and end only their own.
func TestSquatters(t *testing.T) {
	board, now := node.NewOffers(someNet), time.Unix(1e9, 0)
	for i := range 100 {
		_ = board.Take(now, "squatters", "", runOffer(t, fmt.Sprint("squatter ", i), "run", now)) // some are too many
	}
	if err := board.Take(now, "coordinator", "", runOffer(t, "coordinator", "run", now)); err != nil {
		t.Fatal(err)
	}
	board.End(now, market.OfferKey{Work: named("run"), Publisher: protocol.AccountOf(key("squatter 0"))})
	for _, o := range board.Open(now) {
		if o.Publisher == protocol.AccountOf(key("coordinator")) {
			return
		}
	}
	t.Error("the coordinator's offer is not open")
}

// TestOffersOnATopic: an offer counts on its own topic alone, so that nobody has to
// hear of documents in languages that they do not want.
func TestOffersOnATopic(t *testing.T) {
	board, now := node.NewOffers(someNet), time.Unix(1e9, 0)
	e := runOffer(t, "coordinator", "run", now)
	if err := board.Take(now, "peer", protocol.JobTopic(someNet, "en", "de"), e); protocol.ReasonOf(err) != protocol.Malformed {
		t.Errorf("on the topic of documents: %v", err)
	}
	if err := board.Take(now, "peer", protocol.RunTopic(someNet), e); err != nil {
		t.Error(err)
	}
}

// TestSameRunAgain: the same run is trained again from a fresh home, while the miner
// that heard of its end stays. The ledger pays no round twice: the miner works for free.
func TestSameRunAgain(t *testing.T) {
	v := newVillage(t)
	v.policy.WorkForFree = true
	v.peer("bootstrap")
	v.miner("miner", "portable")
	p := v.peer("coordinator")
	want := v.coordinate(p, nil).Model
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := v.coordinate(v.peer("coordinator"), nil).Model; got != want {
		t.Errorf("the model is %s, the first time %s", got, want)
	}
	if took := time.Since(began); took >= market.OfferLife/2 {
		t.Errorf("the second time took %v: the miner waited until it forgot the end of the first", took)
	}
}

// TestPullGoesOn: an account with too many offers does not keep a node from reading the
// offers behind them on another node's board.
func TestPullGoesOn(t *testing.T) {
	v := newVillage(t)
	p := v.peer("bootstrap")
	sign := func(who, run string) (*protocol.RunOffer, []byte) {
		r := &protocol.RunOffer{Run: named(run), Time: clock(), Rounds: 1, Units: 1}
		body, err := protocol.Sign(key(who), p.Net, r)
		if err != nil {
			t.Fatal(err)
		}
		return r, body
	}
	for i := range 40 {
		offer, err := market.NewOffer(sign("bootstrap", fmt.Sprint("run ", i)))
		if err == nil {
			err = p.Offers.Post(time.Now(), offer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, body := sign("lab", "run")
	if err := p.Offers.Take(time.Now(), "lab", "", protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: body}); err != nil {
		t.Fatal(err)
	}
	q := v.peer("late")
	for {
		select {
		case <-q.Offers.Changed():
		case <-time.After(5 * time.Minute):
			t.Fatal("the offer behind those of another account did not come")
		}
		for _, o := range q.Offers.Open(time.Now()) {
			if o.Work == named("run") {
				return
			}
		}
	}
}
