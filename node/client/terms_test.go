package client_test

import (
	"os"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/work/unit"
)

// TestTerms: miners translate a document with a glossary, its receipt verifies with source and
// translation, and another glossary is another job.
func TestTerms(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.letter()
	plain, err := c.Translate(w.ctx, d)
	w.check(err)
	d.Terms = []unit.Term{{Source: "nobody needs it", Target: "x"}, {Source: "two", Target: "Zwo"}, {Source: "three and four", Target: "3/4"}}
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	lines := strings.Split(tr.Text, "\n")
	if len(lines) != 4 || !strings.Contains(lines[0], "Zwo") || !strings.Contains(lines[2], "3/4") {
		t.Errorf("the translation is %q", tr.Text)
	}
	if tr.Receipt.Link == plain.Receipt.Link {
		t.Error("the job with terms is the job without")
	}
	data, err := os.ReadFile(tr.ReceiptFile)
	w.check(err)
	p, err := client.VerifyReceipt(c.Peer.Network, data)
	w.check(err)
	if p.Job.Version != unit.Salted || len(p.Job.Terms) != 2 || p.Job.Terms[0].Target != "Zwo" {
		t.Errorf("the job has version %d and the terms %+v", p.Job.Version, p.Job.Terms)
	}
	w.check(p.Translation(d.Text, tr.Text))
	if err := p.Translation(d.Text, strings.ReplaceAll(tr.Text, "Zwo", "Duo")); err == nil {
		t.Error("a translation with another term is that of the receipt")
	}
	// The same document with the same glossary is the same job, also without the lines that
	// nobody needs.
	d.Terms = d.Terms[1:]
	again, err := c.Translate(w.ctx, d)
	w.check(err)
	if again.Receipt.Link != tr.Receipt.Link || again.Text != tr.Text {
		t.Errorf("job %s, again %s", tr.Receipt.Link, again.Receipt.Link)
	}
}

// TestTermsRefused: what a glossary asks in vain is refused before anything is paid.
func TestTermsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	for want, terms := range map[string][]unit.Term{
		`"one" is there twice`:                        {{Source: "one", Target: "a"}, {Source: "one", Target: "b"}},
		`glossary: sentence 1, "one and two": the te`: {{Source: "two", Target: strings.TrimSpace(strings.Repeat("ungewöhnlich ", 15))}},
	} {
		d := w.letter()
		d.Terms = terms
		if _, err := c.Translate(w.ctx, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	if n := w.escrows(c); n > 0 {
		t.Errorf("%d escrows are open", n)
	}
}
