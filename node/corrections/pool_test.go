package corrections_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol"
)

// TestScenario: two authors, a reviewer, a spammer, a budget that is spent, and the pay.
func TestScenario(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 70, PerCorrection: 20, PerCharacter: 1, Rules: corrections.Rules, Reviewers: []protocol.Account{protocol.AccountOf(reviewer), protocol.AccountOf(ada)}})
	const walk, walked = "The dog walks in the park.", "Der Hund geht in den Park."
	w.made(walk, walked)
	w.made("A man plays the guitar.", "Ein Mann spielt das Gitarre.")
	w.made("Two cats sleep.", "Zwei Katze schlafen.")

	// The rules approve a good correction of a translation that this home made.
	one := w.must(w.hand(ada, draft(walk, walked, "Der Hund läuft im Park.")))
	if got := line(one); got != "approved by rules 1 due 46 paid false " {
		t.Error(got)
	}
	// A person's translation goes before the machine's, which is still known.
	s := memory.Settings{From: "en", To: "de", Model: model.String(), How: how}
	if got, _ := w.memory.Get(s, walk); got != "Der Hund läuft im Park." {
		t.Errorf("the memory gives %q", got)
	}
	if got, _, _ := w.memory.Exact(s, walk); got != walked {
		t.Errorf("the memory forgot that the machine gave %q", got)
	}

	// Others cannot claim it again, nor what the machine never said.
	_, err := w.hand(ben, draft(walk, walked, "Der  Hund läuft im Park."))
	wantError(t, err, "known already")
	_, err = w.hand(ben, draft("A man plays the guitar.", "Ein Man spielt.", "Ein Mann spielt Gitarre."))
	wantError(t, err, "this home has not made that translation")
	spoken := draft("A man plays the guitar.", "", "Ein Mann spielt Gitarre.")
	spoken.Author = "key 7"
	spoken.Machine = "Ein Mann spielt das Gitarre."
	_, err = w.hand(ben, spoken)
	wantError(t, err, "only this home's account can speak for others")

	// The author's own text needs a person: not the author, nor a stranger, and once.
	own := draft("Good morning.", "", "Guten Morgen.")
	own.Model, own.How = corrections.Draft{}.Model, ""
	two := w.must(w.hand(ben, own))
	if two.State != corrections.Proposed || !strings.HasPrefix(two.Reason, "own: ") {
		t.Errorf("%s, %s", two.State, two.Reason)
	}
	_, err = w.vote(ben, two.ID, corrections.Choice{Approve: true})
	wantError(t, err, "nobody reviews a correction of their own")
	_, err = w.vote(spammer, two.ID, corrections.Choice{Approve: true})
	wantError(t, err, "the vote does not count")
	two = w.must(w.vote(reviewer, two.ID, corrections.Choice{Approve: true, Reason: "natural"}))
	if got := line(two); !strings.HasPrefix(got, "approved by alia1") || two.Due != 33 {
		t.Error(got)
	}
	_, err = w.vote(ada, two.ID, corrections.Choice{Approve: true})
	wantError(t, err, "decided already: it was approved")
	if !errors.Is(err, corrections.ErrDecided) {
		t.Error(err)
	}

	// The spammer's edits are rejected by name, and pay nothing.
	for human, why := range map[string]string{
		"Zwei Katze schlafen.":          "unchanged",
		"Zwei Katze  schlafen .":        "noise: only spaces",
		"Zwei Zwei Katze schlafen.":     "noise: it repeats words",
		"Zwei Katze schlafennnnn.":      "noise: a character stands 5 times",
		"Zwei Katzen schlafen %s.":      "codes",
		"Zwei <b>Katzen</b> schlafen.":  "codes",
		"...":                           "noise: it has no word",
		"Zwei Katzen schlafen. {name}.": "codes",
	} {
		e := w.must(w.hand(spammer, draft("Two cats sleep.", "Zwei Katze schlafen.", human)))
		if e.State != corrections.Rejected || !strings.HasPrefix(e.Reason, why) || e.Due != 0 {
			t.Errorf("%q: %s, %s", human, e.State, e.Reason)
		}
	}

	// An author without an account is told that nobody is paid.
	nobody := draft("A man plays the guitar.", "", "Ein Mann spielt Gitarre.")
	nobody.Author = "key 7"
	three := w.must(w.pool.Write(ctx, nobody)) // the machine's translation is looked up
	if got := line(three); got != "approved by rules 1 due 0 paid false the author gave no account, and is not paid" || three.Record.Machine != "Ein Mann spielt das Gitarre." {
		t.Error(got)
	}
	// 79 of 100 are set aside.
	four := w.must(w.hand(ben, draft("Two cats sleep.", "Zwei Katze schlafen.", "Zwei Katzen schlafen.")))
	if got := line(four); got != "approved by rules 1 due 0 paid false the budget is spent" {
		t.Error(got)
	}

	// The pay, once.
	l := ledgertest.New(t)
	l.Earn(collector, 100)
	paid, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked)
	if err != nil || len(paid) != 2 {
		t.Fatal(paid, err)
	}
	for _, p := range paid {
		if got := l.State().Account(p.Payee).Balance; got != p.Amount {
			t.Errorf("%s has %d, was paid %d", p.Payee.Short(), got, p.Amount)
		}
	}
	if more, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); err != nil || len(more) != 0 {
		t.Error(more, err)
	}
	if body := l.Sent()[len(l.Sent())-1].(ledger.Transfer); body.Memo != paid[1].Memo || !strings.HasPrefix(body.Memo, "ALIA corrections bafyrei") {
		t.Errorf("memo %q", body.Memo)
	}
	if terms, err := w.pool.Terms(); err != nil || terms.SetAside != 79 || terms.Paid != 79 || terms.Left() != 21 {
		t.Error(terms, err)
	}

	// Another process reads the same, and a stranger's key changes no budget.
	p := w.open(spammer)
	defer p.Close()
	all, err := p.List("")
	if err != nil || len(all) != 12 || !all[0].Paid {
		t.Error(len(all), err)
	}
	_, err = p.Publish(protocol.Budget{Amount: 1, Votes: 1})
	wantError(t, err, "only this home's account publishes budgets")
}

// TestVotes: a budget that wants two votes counts persons, not ballots.
func TestVotes(t *testing.T) {
	w := newWorld(t)
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Votes: 2, Reviewers: []protocol.Account{protocol.AccountOf(reviewer), protocol.AccountOf(ben)}})
	w.made("Hello.", "Halo.")
	e := w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
	if e.State != corrections.Proposed {
		t.Fatal("the budget lets no rules approve, and they did")
	}
	w.must(w.vote(reviewer, e.ID, corrections.Choice{Approve: true}))
	_, err := w.vote(reviewer, e.ID, corrections.Choice{Approve: true, Reason: "again"})
	wantError(t, err, "the same person has voted already")
	w.must(w.vote(ben, e.ID, corrections.Choice{Reason: "I would say Guten Tag"}))
	e = w.must(w.pool.Vote(e.ID, corrections.Choice{Approve: true}))
	if e.State != corrections.Approved || e.Due != 10 || len(e.Votes) != 3 {
		t.Error(line(e), e.Votes)
	}
	// Who is paid is no second person either.
	d := draft("Bye.", "Tschus.", "Tschüss.")
	w.made("Bye.", "Tschus.")
	d.Payee = protocol.AccountOf(reviewer)
	e = w.must(w.hand(ada, d))
	_, err = w.vote(reviewer, e.ID, corrections.Choice{Approve: true})
	wantError(t, err, "nobody reviews a correction of their own")
	// A rejected text may be proposed again; a vote for nothing is named.
	for _, k := range []byte{0, 1} {
		var err error
		if k == 0 {
			e, err = w.pool.Vote(e.ID, corrections.Choice{Reason: "slang"})
		} else {
			e, err = w.vote(ben, e.ID, corrections.Choice{Reason: "slang"})
		}
		w.must(e, err)
	}
	if e.State != corrections.Rejected {
		t.Error(line(e))
	}
	w.must(w.hand(ben, d))
	_, err = w.vote(ben, model, corrections.Choice{Approve: true})
	wantError(t, err, "this home has no such correction")
}

// TestImportRefuses: lines that are damaged, of another kind, or signed for another network.
func TestImportRefuses(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	own := draft("Hello.", "", "Hallo.")
	own.Model, own.How = corrections.Draft{}.Model, ""
	good, err := w.of(ada).Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	bad := []byte(strings.Replace(string(good), " c ", " t ", 1))
	flipped := append([]byte{}, good...)
	flipped[len(flipped)/2] ^= 1
	elsewhere, err := corrections.Open(corrections.Config{Dir: t.TempDir(), Net: protocol.Net{9}, Collector: protocol.AccountOf(ben), Key: ben})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	foreign, err := elsewhere.Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.pool.Import(ctx, []byte("nonsense\n"+string(bad)+string(flipped)+string(foreign)+string(good)+string(good)))
	if err != nil || len(all) != 6 {
		t.Fatal(all, err)
	}
	for i, want := range []string{"line 1: no signed line: it is not", "line 2: no signed line: its checksum", "line 3: no signed line: its", "wrong-network", "", "known already"} {
		wantError(t, all[i].Err, want)
	}
	// A clock that is far ahead.
	w.now = w.now.Add(24 * 3600e9)
	own.Human = "Grüß Gott."
	ahead, err := w.of(ada).Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(-24 * 3600e9)
	_, err = w.take(ahead)
	wantError(t, err, "still to come")
}

// TestTorn: a cut last line is what a crash leaves; a changed line is damage.
func TestTorn(t *testing.T) {
	w := newWorld(t)
	w.made("Hello.", "Halo.")
	w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Rules: corrections.Rules})
	w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
	path := filepath.Join(w.dir, "corrections", "corrections.1")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{1, 20, len(whole) / 2} {
		if err := os.WriteFile(path, whole[:len(whole)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		p := w.open(collector)
		own := draft("Good night.", "", "Gute Nacht.")
		own.Model, own.How = corrections.Draft{}.Model, ""
		if _, err := p.Write(context.Background(), own); err != nil {
			t.Errorf("cut by %d: %v", cut, err)
		}
		if all, err := p.List(""); err != nil || len(all) == 0 {
			t.Error(all, err)
		}
		p.Close()
		p = w.open(collector) // and what was written behind it is whole
		p.Close()
	}
	whole[len(whole)/2] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = corrections.Open(corrections.Config{Dir: filepath.Dir(path), Net: ledgertest.Net, Collector: protocol.AccountOf(collector)})
	if !errors.Is(err, corrections.ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestPayFaults: whatever call of the ledger fails, and when, nobody is paid twice.
func TestPayFaults(t *testing.T) {
	for _, call := range []string{"Prepare", "Submit", "Submitted", "Fate"} {
		w, ctx := newWorld(t), context.Background()
		w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Rules: corrections.Rules})
		w.made("Hello.", "Halo.")
		w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
		l := ledgertest.New(t)
		l.Earn(collector, 100)
		l.Break(func(c string) error {
			if c == call {
				return light.ErrUnreachable
			}
			return nil
		})
		if _, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); !errors.Is(err, light.ErrUnreachable) {
			t.Errorf("%s: %v", call, err)
		}
		l.Break(nil)
		p := w.open(collector) // as after a crash
		defer p.Close()
		if _, err := p.Pay(ctx, l.Sender(collector), corrections.NotLooked); err != nil {
			t.Errorf("%s: %v", call, err)
		}
		if got := l.State().Account(protocol.AccountOf(ada)).Balance; got != 10 {
			t.Errorf("%s fails: the author has %d, want 10", call, got)
		}
	}
}

// TestPayLost: a transfer that expired unseen is made again, one that was made is not, and
// where the ledger does not tell, a person decides.
func TestPayLost(t *testing.T) {
	for name, test := range map[string]struct {
		sent  bool // the first transfer reaches the ledger
		after func(l *ledgertest.InMemory)
		found corrections.Found
		err   string
		want  uint64
	}{
		"expired":               {after: func(l *ledgertest.InMemory) { l.Pass(20) }, want: 10},
		"overtaken":             {after: func(l *ledgertest.InMemory) { others(t, l, 1) }, want: 10},
		"made":                  {sent: true, after: func(l *ledgertest.InMemory) { l.Pass(20) }, want: 10},
		"made, forgotten":       {sent: true, after: func(l *ledgertest.InMemory) { others(t, l, 6) }, err: "does not tell any more", want: 10},
		"made, forgotten, seen": {sent: true, after: func(l *ledgertest.InMemory) { others(t, l, 6) }, found: corrections.WasPaid, want: 10},
		"lost, forgotten, seen": {after: func(l *ledgertest.InMemory) { others(t, l, 6) }, found: corrections.WasNotPaid, want: 10},
	} {
		w, ctx := newWorld(t), context.Background()
		w.publish(protocol.Budget{Amount: 100, PerAuthor: 100, PerCorrection: 10, Rules: corrections.Rules})
		w.made("Hello.", "Halo.")
		w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
		l := ledgertest.New(t)
		l.Earn(collector, 10_000)
		others(t, l, 2) // the account has sent before
		l.Break(func(c string) error {
			if test.sent && c == "Submitted" || !test.sent && c == "Submit" {
				return light.ErrUnreachable
			}
			return nil
		})
		if _, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); err == nil {
			t.Fatalf("%s: no error", name)
		}
		l.Break(nil)
		test.after(l)
		_, err := w.pool.Pay(ctx, l.Sender(collector), test.found)
		if t.Run(name, func(t *testing.T) { wantError(t, err, test.err) }); l.State().Account(protocol.AccountOf(ada)).Balance != test.want {
			t.Errorf("%s: the author has %d, want %d", name, l.State().Account(protocol.AccountOf(ada)).Balance, test.want)
		}
	}
}

// others has the collector send other transactions.
func others(t *testing.T, l *ledgertest.InMemory, n int) {
	t.Helper()
	for range n {
		s := l.Sender(collector)
		p, err := s.Prepare(context.Background(), ledger.Transfer{To: protocol.AccountOf(ben), Amount: 1})
		if err == nil {
			err = s.Submit(context.Background(), p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPoor: without tokens the transfer waits, and is made when there are some.
func TestPoor(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.publish(protocol.Budget{Amount: 1 << 40, PerAuthor: 1 << 40, PerCorrection: 1 << 20, Rules: corrections.Rules})
	w.made("Hello.", "Halo.")
	w.must(w.hand(ada, draft("Hello.", "Halo.", "Hallo.")))
	l := ledgertest.New(t)
	l.Earn(collector, 100)
	_, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked)
	wantError(t, err, "insufficient funds")
	l.Earn(collector, 1_000_000)
	if paid, err := w.pool.Pay(ctx, l.Sender(collector), corrections.NotLooked); err != nil || len(paid) != 1 || l.State().Account(protocol.AccountOf(ada)).Balance != 1<<20 {
		t.Error(paid, err)
	}
}

// TestEndOfLine: a flipped bit in the end of the last line does not make the line one that a
// crash has left half written, which is dropped: the line may be a payment.
func TestEndOfLine(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(data []byte) []byte
		want  error
	}{
		{"half a line", func(d []byte) []byte { return d[:len(d)-5] }, nil},
		{"a line without its end", func(d []byte) []byte { return d[:len(d)-1] }, nil},
		{"a flipped bit", func(d []byte) []byte { d[len(d)-1] ^= 1; return d }, corrections.ErrDamaged},
		{"another bit", func(d []byte) []byte { d[len(d)-1] ^= 64; return d }, corrections.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.pool.Publish(protocol.Budget{Amount: 1000, PerAuthor: 1000, PerCorrection: 10, Votes: 1, Rules: corrections.Rules}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(w.dir, "corrections", "corrections.1")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.spoil(data), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := corrections.Open(corrections.Config{Dir: filepath.Dir(path), Net: ledgertest.Net, Collector: protocol.AccountOf(collector)})
			if !errors.Is(err, c.want) {
				t.Errorf("the pool opens: %v", err)
			}
			if err == nil {
				p.Close()
			}
		})
	}
}
