package corrections_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
)

// TestGateway: what a gateway asks for its clients, and the status of each refusal.
func TestGateway(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Reviewers: []protocol.Account{protocol.AccountOf(reviewer)}})
	w.made("Hello.", "Halo.")
	want := func(err error, status int) {
		t.Helper()
		if got := corrections.Status(err); err == nil || got != status {
			t.Errorf("%v: status %d, want %d", err, got, status)
		}
	}
	s := corrections.Suggestion{From: "en", To: "de", Source: "Hello.", Human: "Hallo.", Model: model.String(), How: how, Licence: "CC0-1.0", Account: protocol.AccountOf(ada).String()}
	v, err := w.pool.Suggest(ctx, s, "key 1")
	if err != nil || v.State != corrections.Proposed || v.Machine != "Halo." || v.Payee != s.Account || v.Author != "key 1 (for "+protocol.AccountOf(collector).Short()+")" {
		t.Fatalf("%+v, %v", v, err)
	}
	_, err = w.pool.Suggest(ctx, s, "key 2")
	want(err, 409)
	for _, change := range []func(s *corrections.Suggestion){
		func(s *corrections.Suggestion) { s.Licence = "" },
		func(s *corrections.Suggestion) { s.Model = "gpt" },
		func(s *corrections.Suggestion) { s.Account = "alia1x" },
		func(s *corrections.Suggestion) { s.Machine = "Servus." },
		func(s *corrections.Suggestion) { s.Human = "Hal\x00lo." },
		func(s *corrections.Suggestion) { s.Signed = "x" },
		func(s *corrections.Suggestion) { s.Signed = "x\ny" },
	} {
		bad := s
		bad.Human = "Hallo!"
		change(&bad)
		_, err := w.pool.Suggest(ctx, bad, "key 1")
		want(err, 400)
	}
	_, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{Approve: true}, "")
	want(err, 403)
	_, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{Approve: true}, "key 1")
	want(err, 403)
	_, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{}, "key 2")
	want(err, 400) // a rejection without a reason
	_, err = w.pool.Decide(ctx, "17", corrections.Opinion{Approve: true}, "key 2")
	want(err, 404)
	_, err = w.pool.Decide(ctx, model.String(), corrections.Opinion{Approve: true}, "key 2")
	want(err, 404)
	if v, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{Approve: true}, "key 2"); err != nil || v.State != corrections.Approved || v.Due != 10 {
		t.Errorf("%+v, %v", v, err)
	}
	_, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{Approve: true}, "key 3")
	want(err, 409)

	// Who has a key of their own signs, and needs no key of the gateway.
	own := draft("Bye.", "", "Tschüss.")
	own.Model, own.How = corrections.Draft{}.Model, ""
	line, err := w.of(ben).Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	v, err = w.pool.Suggest(ctx, corrections.Suggestion{Signed: string(line)}, "")
	if err != nil || v.Author != protocol.AccountOf(ben).String() || v.Payee != v.Author {
		t.Fatalf("%+v, %v", v, err)
	}
	vote, err := w.of(reviewer).SignVote(link(t, v.ID), corrections.Choice{Approve: true})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = w.pool.Decide(ctx, v.ID, corrections.Opinion{Signed: string(vote)}, ""); err != nil || v.Due != 10 {
		t.Errorf("%+v, %v", v, err)
	}
	views, all, err := w.pool.Views("", 0, 1)
	if err != nil || all != 2 || len(views) != 1 || views[0].ID != v.ID {
		t.Error(views, all, err)
	}
	if views, _, err := w.pool.Views("", 5, 10); err != nil || len(views) != 0 {
		t.Error(views, err)
	}
}

// TestNoise: who sends nothing but noise is not listened to any more.
func TestNoise(t *testing.T) {
	w := newWorld(t)
	for i := range 201 {
		d := draft(fmt.Sprint("Text ", i), "", fmt.Sprint("aaaaaaaaa ", i))
		d.Model, d.How, d.Author = corrections.Draft{}.Model, "", "key 1"
		_, err := w.pool.Write(context.Background(), d)
		if i < 200 && err != nil || i == 200 && !errors.Is(err, corrections.ErrNoise) {
			t.Fatal(i, err)
		}
	}
}

// TestAnotherKey: a home whose key was replaced reads its corrections, and does not take the
// new account's record for what became of the old one's transfer.
func TestAnotherKey(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Rules: corrections.Rules})
	w.made("Hello.", "Halo.")
	w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
	l := ledgertest.New(t)
	l.Earn(collector, 1000)
	l.Earn(spammer, 1000) // the new key
	l.Break(func(call string) error {
		if call == "Submitted" {
			return light.ErrUnreachable
		}
		return nil
	})
	if _, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); !errors.Is(err, light.ErrUnreachable) {
		t.Fatal(err)
	}
	l.Break(nil)
	l.Pass(20)
	p, err := corrections.Open(corrections.Config{
		Dir: filepath.Join(w.dir, "corrections"), Net: ledgertest.Net, Collector: protocol.AccountOf(spammer), Key: spammer, Memory: w.memory, Now: func() time.Time { return w.now.Add(time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Pay(ctx, l.Sender(spammer), corrections.NotLooked); !errors.Is(err, corrections.ErrUntold) {
		t.Errorf("the other account tells: %v", err)
	}
	if _, err := p.Pay(ctx, l.Sender(spammer), corrections.WasPaid); err != nil || l.State().Account(protocol.AccountOf(ada)).Balance != 10 {
		t.Error(err)
	}
	if terms, err := p.Publish(protocol.Budget{Amount: 7, PerAuthor: 7, Votes: 1}); err != nil || terms.Budget.Account != protocol.AccountOf(spammer) {
		t.Error(terms, err)
	}
}
