package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// order is texts that a client has translated.
type order struct {
	who      client
	model    engine.Model
	texts    []string
	decoding unit.Decoding
	glossary *terms.Glossary        // nil is none
	promised uint64                 // what an earlier process has counted of its quote
	quoted   func(q engine.Quote)   // before the work; nil: nobody asks
	step     func(done, reused int) // texts that are done now; reused of them were in the memory
}

// settle claims the pay of an order's miners. It has to be called once.
type settle func(ctx context.Context) (engine.Receipt, error)

// translate translates the texts of an order, and says where each translation comes from.
// The client has paid for its characters.
func (g *Gateway) translate(ctx context.Context, o order) ([]proof.DraftText, settle, error) {
	if o.decoding == (unit.Decoding{}) {
		o.decoding = unit.Greedy
	}
	out, known, err := g.recall(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	asked := g.begun(known, o.texts)
	if asked == nil {
		asked = known.missing
	}
	for s := nothing; ; {
		if len(asked) == 0 {
			return out, s, nil
		}
		// The memory may have lost what it had when the job was begun: another job is for that.
		if _, err := s(ctx); err != nil {
			return nil, nil, err
		}
		if s, err = g.ask(ctx, o, asked, &known, out); err != nil {
			return nil, nil, err
		}
		asked, o.promised = known.missing, 0
	}
}

// nothing settles an order that needed no engine.
func nothing(context.Context) (engine.Receipt, error) { return engine.Receipt{}, nil }

// ask has the engine translate texts of an order, into out. What is missing then, known says.
func (g *Gateway) ask(ctx context.Context, o order, asked []string, known *recalled, out []proof.DraftText) (settle, error) {
	r := engine.Request{Texts: asked, Model: o.model.Link, To: o.model.Target, Decoding: o.decoding, Price: g.Price, Terms: translate.Needed(o.glossary, o.model.Source, asked...)}
	if g.Budget > 0 { // the quote is held to the budgets below: each has an error of its own
		r.Budget = math.MaxInt64
	}
	job, err := g.Engine.Start(ctx, r)
	if refused := new(terms.TermError); errors.As(err, &refused) {
		return nil, bad("%v", refused)
	} else if err != nil {
		return nil, fmt.Errorf("start translation: %w", err)
	}
	quote := job.Quote()
	if err := g.afford(o, quote.Amount); err != nil {
		return nil, errors.Join(err, job.Close())
	}
	if o.quoted != nil {
		o.quoted(quote)
	}
	if err := g.collect(ctx, o, job, asked, known, out); errors.Is(err, engine.ErrNoFunds) { // so nothing is spent
		g.Log.Error("the account that pays for translations has too little", "err", err)
		return nil, errors.Join(noFunds, g.usage.amount(o.who, quote.Amount, 0), job.Close())
	} else if err != nil {
		// The miners of what was done are paid all the same. A client that goes away just
		// before the end would spend without a limit, so the quote stays counted.
		return nil, errors.Join(fmt.Errorf("translate: %w", err), job.Close())
	}
	return func(ctx context.Context) (engine.Receipt, error) {
		receipt, err := job.Settle(ctx)
		err = errors.Join(err, job.Close())
		if err == nil {
			err = g.usage.amount(o.who, quote.Amount, receipt.Amount)
		}
		if err == nil && g.Memory != nil && quote.Units > 0 {
			err = g.Memory.EndJob(known.job)
		}
		return receipt, err
	}, nil
}

// begun are the texts of a job of the same texts that was not settled, or nil: the same job
// is taken up again, so that its miners are paid.
func (g *Gateway) begun(r recalled, texts []string) []string {
	if g.Memory == nil {
		return nil
	}
	asked, _ := g.Memory.BegunJob(r.job, texts)
	return asked
}

// noFunds is the failure of a request that the gateway's account cannot pay.
var noFunds = &failure{
	status: http.StatusServiceUnavailable, after: time.Minute,
	text: "this gateway has too little ALIA to pay the miners: its operator has to fill up its account",
}

// collect takes the translations of a job as they come, into out and into the memory. A memory
// that takes nothing any more, such as on a full disk, keeps no translation from who waits for it.
func (g *Gateway) collect(ctx context.Context, o order, job engine.Job, asked []string, known *recalled, out []proof.DraftText) error {
	quote := job.Quote()
	if g.Memory != nil {
		// Only a job of others has units: it is worth more when it is taken up again.
		if quote.Units > 0 {
			if err := g.Memory.BeginJob(known.job, asked); err != nil {
				return err
			}
		}
		defer func() {
			if err := g.Memory.Sync(); err != nil {
				g.Log.Error("translations may not outlive a power cut", "err", err)
			}
		}()
	}
	var lost error
	left := map[string]bool{}
	for _, t := range known.missing {
		left[t] = true
	}
	for t, err := range job.Texts(ctx) {
		if err != nil {
			return err
		}
		done := proof.DraftText{Source: asked[t.Index], Target: engine.Clean(t.Text), Job: quote.Job}
		for _, i := range known.places[done.Source] {
			if left[done.Source] {
				o.step(1, 0)
			}
			if !out[i].Human {
				out[i] = done
			}
		}
		delete(left, done.Source)
		if lost == nil {
			if lost = g.keep(*known, o.glossary, done); lost != nil {
				g.Log.Error("translations are not kept in the memory", "err", lost)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if slices.ContainsFunc(asked, func(t string) bool { return left[t] }) {
		return errors.New("the engine left out a text")
	}
	known.missing = slices.DeleteFunc(slices.Clone(known.missing), func(t string) bool { return !left[t] })
	return nil
}

// afford sets the quote of a job aside: in the month of a key, not yet in the ledger.
func (g *Gateway) afford(o order, most uint64) error {
	if most > g.Budget {
		return refuse(http.StatusRequestEntityTooLarge, "the request may cost more than this gateway pays for one: divide it")
	}
	return g.usage.amount(o.who, o.promised, most)
}

// recalled is what the memory has of an order.
type recalled struct {
	settings memory.Settings  // without a glossary
	job      string           // the key of a job of all texts
	missing  []string         // distinct texts that the engine is needed for
	places   map[string][]int // where each text with words stands in the order
}

// recall takes what needs no engine: texts without words, which stay, and those of the
// memory. The targets of the others are empty.
func (g *Gateway) recall(ctx context.Context, o order) (out []proof.DraftText, r recalled, err error) {
	if g.Memory != nil {
		if r.settings, err = g.settings(ctx, o.model, o.decoding); err != nil {
			return nil, r, err
		}
		r.job = translate.WithTerms(r.settings, o.glossary, o.texts...).JobKey(o.texts)
	}
	out, r.places = make([]proof.DraftText, len(o.texts)), map[string][]int{}
	for i, t := range o.texts {
		if !worded(t) {
			out[i] = proof.DraftText{Source: t, Target: t}
			o.step(1, 0)
			continue
		}
		found, ok := g.known(translate.WithTerms(r.settings, o.glossary, t), t)
		if ok {
			o.step(1, 1)
		} else if r.places[t] == nil {
			r.missing = append(r.missing, t)
		}
		out[i], r.places[t] = found, append(r.places[t], i)
	}
	return out, r, nil
}

// settings are those of the memory for a model, without a glossary.
func (g *Gateway) settings(ctx context.Context, m engine.Model, d unit.Decoding) (memory.Settings, error) {
	c := translate.Config{Decoding: d, Arithmetic: g.Arithmetic}
	return c.Settings(ctx, m)
}

// keep puts a translation into the memory, if there is one.
func (g *Gateway) keep(r recalled, glossary *terms.Glossary, t proof.DraftText) error {
	if g.Memory == nil {
		return nil
	}
	k := memory.Known{Settings: translate.WithTerms(r.settings, glossary, t.Source), Source: t.Source, Target: t.Target}
	if t.Job.Defined() {
		k.Job = t.Job.String()
	}
	return g.Memory.Put(k)
}

// known looks a text up in the memory, if there is one.
func (g *Gateway) known(s memory.Settings, text string) (t proof.DraftText, ok bool) {
	t.Source = text
	if g.Memory == nil {
		return t, false
	}
	e, ok := g.Memory.Find(s, text)
	if !ok {
		return t, false
	}
	t.Target, t.Human = e.Target, e.Model == ""
	if link, err := block.ParseLink(e.Job); err == nil {
		t.Job = link
	}
	return t, true
}

// background settles an order after the answer: the ledger takes longer than a client
// waits.
func (g *Gateway) background(s settle) {
	g.later.Go(func() {
		if _, err := s(g.work); err != nil && g.work.Err() == nil {
			g.Log.Error("a translation is not settled: its pay stays in escrow", "err", err)
		}
	})
}

// worded reports whether a text has something to translate.
func worded(s string) bool { return text.HasLetters(s) }

// characters counts texts as they are billed: in code points.
func characters(texts []string) (n int64) {
	for _, t := range texts {
		n += int64(utf8.RuneCountInString(t))
	}
	return n
}

// markups are the names by which package document knows the markup of a text.
var markups = map[string]string{"html": "text.html", "xml": "text.xhtml"}

// maxPieces bounds the texts and tags of a request, which are in memory until its answer: a
// megabyte of tags takes a hundred times its size.
const maxPieces = 50_000

// parseMarkup reads texts with tags. It returns the texts between the tags, too: those are
// translated, and counted.
func (c *call) parseMarkup(texts []string, kind string) (docs []*document.Document, inside []string, err error) {
	done, err := c.parses()
	if err != nil {
		return nil, nil, err
	}
	defer done()
	pieces := 0
	for i, t := range texts {
		d, err := document.Parse(markups[kind], []byte(t))
		if err != nil {
			return nil, nil, bad("text %d is not %s: %v", i+1, strings.ToUpper(kind), err)
		}
		for _, s := range d.Segments {
			pieces += len(s.Pieces)
		}
		if pieces > maxPieces {
			return nil, nil, refuse(http.StatusRequestEntityTooLarge, "the request has more than %d texts and tags: send it as a document", maxPieces)
		}
		docs, inside = append(docs, d), append(inside, d.Texts()...)
	}
	return docs, inside, nil
}

// rebuild puts translations into texts with tags.
func rebuild(docs []*document.Document, translated []proof.DraftText) (out []string, err error) {
	of := table(translated)
	for _, d := range docs {
		data, _, err := d.Rebuild(document.Translations{Of: of})
		if err != nil {
			return nil, fmt.Errorf("put tags back: %w", err)
		}
		out = append(out, string(data))
	}
	return out, nil
}

// table finds translations by their source.
func table(translated []proof.DraftText) func(string) (string, bool) {
	of := make(map[string]string, len(translated))
	for _, t := range translated {
		of[t.Source] = t.Target
	}
	return func(s string) (string, bool) {
		t, ok := of[s]
		return t, ok
	}
}

// phrase is texts that a request has translated while it waits.
type phrase struct {
	match
	texts    []string
	markup   string // html, xml or ""
	decoding unit.Decoding
	glossary *terms.Glossary // nil is none
}

// phrases translates the texts of a request, and counts their characters.
func (c *call) phrases(p phrase) ([]string, error) {
	inside := p.texts
	var docs []*document.Document
	if p.markup != "" {
		var err error
		if docs, inside, err = c.parseMarkup(p.texts, p.markup); err != nil {
			return nil, err
		}
	}
	n := characters(inside)
	if err := c.g.usage.characters(c.who, n); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancelCause(c.r.Context())
	defer end(nil)
	defer context.AfterFunc(c.g.work, func() { end(errStopping) })()
	translated, settle, err := c.g.translate(ctx, order{
		who: c.who, model: p.model, texts: inside, decoding: p.decoding, glossary: p.glossary, step: func(int, int) {},
	})
	if err != nil {
		if errors.Is(context.Cause(ctx), errStopping) {
			err = refuse(http.StatusServiceUnavailable, "%v", errStopping)
		}
		return nil, errors.Join(err, c.g.usage.characters(c.who, -n))
	}
	c.g.background(settle)
	if p.markup != "" {
		return rebuild(docs, translated)
	}
	out := make([]string, len(translated))
	for i, t := range translated {
		out[i] = t.Target
	}
	return out, nil
}
