// Package translate translates files: a document in, the same document out in another language.
//
// A [Config] joins three parts. The format of a file gives its texts
// ([document.Parse]). The translation memory has the texts that were translated before. An
// engine translates the other texts. Each file is one job of the engine, so that each file has a
// receipt of its own.
//
//	c := translate.Config{Engine: e, Memory: m, From: "en", To: "de"}
//	r, err := c.File(ctx, "letter.docx", "brief.docx")
//	all, err := c.Files(ctx, []string{"manual"}, "handbuch") // a folder
//
// A text that is done goes into the translation memory at once. After an error, an interrupt or a crash,
// the same call goes on from there.
package translate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Config says how files are translated. Its functions are for one caller at a time.
type Config struct {
	Engine engine.Engine
	Memory *memory.TM // nil: nothing is looked up, and nothing is kept
	// From and To are languages, such as "en" and "de". Without From, Detect decides, or
	// the model; without To, the model.
	From, To string
	// Model is the model to use. Without one it is the best for the languages.
	Model    block.Link
	Decoding unit.Decoding // zero is [unit.Greedy]
	// Glossary has the words that translations must use; nil is none.
	Glossary *terms.Glossary
	// Arithmetic names how the engine computes with the model; nil is binary32.
	Arithmetic func(context.Context, block.Link) (string, error)
	// Budget is the most to pay for all files together, an amount, and Price that for a
	// GFLOP. Budget 0 asks for unpaid work.
	Budget, Price uint64
	// Privacy says who may read the files, and Miners which miners may do the work: see
	// [engine.Request].
	Privacy client.Privacy
	Miners  []protocol.Account
	// Force replaces files that exist.
	Force bool
	// Receipts is where the receipts of jobs are, and those of documents go; without its Dir
	// a document gets none. Receipt is the file for the receipt of the one document that is translated;
	// "" keeps it in Receipts.
	Receipts proof.Shelf
	Receipt  string
	// Detect names the language of a text, one of among or, if that is nil, any; "" if it is
	// not known. A nil Detect knows none.
	Detect func(text string, among []string) string
	// Chosen is told, without Model, the model of a file before it is used, and Report how
	// far the file is; nil is not told.
	Chosen func(file string, m engine.Model)
	Report func(FileProgress)
	// Warn is told what a person should know; nil is not told.
	Warn func(text string)

	paid uint64 // until now
}

// FileProgress is how far the translation of a file is.
type FileProgress struct {
	File  string
	Began time.Time
	// Done of Total texts are there; Reused of them were in the memory.
	Done, Reused, Total int
	// Cost is what the texts that are done cost at most, an amount.
	Cost uint64
}

// Unfinished is the error of a translation that was begun. The texts that are done are kept.
type Unfinished struct {
	File        string
	Done, Total int // texts
	Kept        bool
	Err         error
}

func (u *Unfinished) Error() string {
	return fmt.Sprintf("%s: %v: %s", u.File, u.Err, u.Kindly())
}

// Kindly says what was done, and how to continue.
func (u *Unfinished) Kindly() string {
	if !u.Kept {
		return fmt.Sprintf("%d of %d segments were translated, and without a memory none is kept", u.Done, u.Total)
	}
	return fmt.Sprintf("%d of %d segments are translated and kept; the same command continues", u.Done, u.Total)
}

func (u *Unfinished) Unwrap() error { return u.Err }

// auto is the language of From that is to be found.
const auto = "auto"

// sampleBytes are enough to tell the language of a text.
const sampleBytes = 16 << 10

// Settings are those of the memory for a model, without a glossary.
func (c *Config) Settings(ctx context.Context, m engine.Model) (memory.Settings, error) {
	arithmetic, err := c.arithmetic(ctx, m.Link)
	if err != nil {
		return memory.Settings{}, err
	}
	search := "greedy"
	if c.Decoding.Beam > 1 {
		search = fmt.Sprintf("beam %d, length penalty %d ppm", c.Decoding.Beam, c.Decoding.LengthPPM)
	}
	// Without these settings the name is as it was before others could be asked for.
	if n := c.Decoding.NoRepeat; n > 0 {
		search += fmt.Sprintf(", no repeat %d", n)
	}
	if p := c.Decoding.RepetitionPPM; p > 0 {
		search += fmt.Sprintf(", repetition penalty %d ppm", p)
	}
	return memory.Settings{
		From: m.Source, To: m.Target, Model: m.Link.String(), How: fmt.Sprintf("%s, %s, sentences %d", search, arithmetic, text.Rules),
	}, nil
}

// of are the settings for a text, or for all texts of a document.
func (w *work) of(texts ...string) memory.Settings {
	return WithTerms(w.settings, w.Glossary, texts...)
}

// Needed are the lines of a glossary that texts of a language need; a nil glossary has none. A term may
// stand in a sentence where a longer one hides it in the text.
func Needed(g *terms.Glossary, language string, texts ...string) []unit.Term {
	if g == nil {
		return nil
	}
	var parts []string
	for _, t := range texts {
		parts = append(append(parts, t), text.Split(language, t).Sentences...)
	}
	_, used := g.All(parts)
	return used
}

// WithTerms are settings of the memory for texts: with a hash of the lines of the glossary
// that the texts need. So a new line voids the translations of no other text.
func WithTerms(s memory.Settings, g *terms.Glossary, texts ...string) memory.Settings {
	used := Needed(g, s.From, texts...)
	if len(used) == 0 {
		return s
	}
	h := sha256.New()
	for _, t := range used {
		fmt.Fprintf(h, "%q %q\n", t.Source, t.Target)
	}
	s.How += fmt.Sprintf(", terms %x", h.Sum(nil)[:16])
	return s
}

// arithmetic names how the engine computes with a model.
func (c *Config) arithmetic(ctx context.Context, model block.Link) (string, error) {
	if c.Arithmetic == nil {
		return "binary32", nil
	}
	return c.Arithmetic(ctx, model)
}

// work is the translation of one document.
type work struct {
	*Config
	name     string
	document *document.Document
	chosen   engine.Model
	settings memory.Settings
	texts    []string
	known    map[string]string // translations by text
	missing  []string
	old      map[string]bool // texts that were in the memory
	from     map[string]origin
	receipt  engine.Receipt
	progress FileProgress
}

// origin is where a translation comes from.
type origin struct {
	job   block.Link // none where no job gave it
	human bool
}

// begin finds the model for a document, and what the memory has of it.
func (c *Config) begin(ctx context.Context, name string, data []byte) (*work, error) {
	d, err := document.Parse(name, data)
	if err != nil {
		return nil, err
	}
	w := &work{Config: c, name: name, document: d, texts: d.TextsInto(c.To), known: map[string]string{}, old: map[string]bool{}, from: map[string]origin{}}
	w.progress = FileProgress{File: name, Began: time.Now(), Total: len(w.texts)}
	if len(w.texts) == 0 { // nothing to translate needs no model
		w.settings.From, w.settings.To = c.From, c.To
		return w, nil
	}
	if w.chosen, err = c.pickModel(ctx, name, w.texts); err != nil {
		return nil, w.ended(ctx, err)
	}
	if w.settings, err = c.Settings(ctx, w.chosen); err != nil {
		return nil, w.ended(ctx, err)
	}
	if err := d.Accept(w.settings.From, w.settings.To); err != nil { // before it is paid
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w.texts = d.TextsInto(w.settings.To) // what the file has a translation of is not paid for
	w.progress.Total = len(w.texts)
	for _, t := range w.texts {
		if c.Memory != nil {
			if e, ok := c.Memory.Find(w.of(t), t); ok {
				w.known[t], w.old[t] = e.Target, true
				w.from[t] = origin{human: e.Model == ""}
				if link, err := block.ParseLink(e.Job); err == nil {
					w.from[t] = origin{job: link}
				}
				continue
			}
		}
		w.missing = append(w.missing, t)
	}
	w.progress.Done, w.progress.Reused = len(w.old), len(w.old)
	return w, nil
}

// run has the engine translate what the memory lacks.
func (w *work) run(ctx context.Context) error {
	for told := false; ; told = true {
		asked, key := w.missing, ""
		if w.Memory != nil {
			key = w.of(w.texts...).JobKey(w.texts)
			if begun, ok := w.Memory.BegunJob(key, w.texts); ok {
				asked = begun // the same job, to its end and its receipt
			}
		}
		if len(asked) == 0 {
			if !told {
				w.tell(0)
			}
			return nil
		}
		if err := w.ask(ctx, asked, key); err != nil {
			return err
		}
		// The memory may have lost what it had when that job was begun: another job is for that.
		w.missing = slices.DeleteFunc(slices.Clone(w.texts), func(t string) bool { _, ok := w.known[t]; return ok })
	}
}

// unfinished says how far the translation came.
func (w *work) unfinished(err error) error {
	return &Unfinished{File: w.name, Done: w.progress.Done, Total: w.progress.Total, Kept: w.Memory != nil, Err: err}
}

// ended is unfinished for an error that the context's end made, at whatever moment that came.
// Any other error it leaves as it is.
func (w *work) ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return w.unfinished(err)
}

// ask has the engine translate texts, by a job that the memory knows by a key; "" where there
// is no memory.
func (w *work) ask(ctx context.Context, asked []string, key string) error {
	if w.Chosen != nil && !w.Model.Defined() {
		w.Chosen(w.name, w.chosen)
	}
	budget := w.Budget
	if budget > 0 {
		if budget = w.Budget - min(w.paid, w.Budget); budget == 0 {
			return errors.New("the budget is spent: give a larger --budget, and the same command continues")
		}
	}
	var lines []unit.Term
	if w.Glossary != nil {
		lines = w.Glossary.Lines()
	}
	job, err := w.Engine.Start(ctx, engine.Request{
		Texts: asked, Model: w.chosen.Link, To: w.chosen.Target, Decoding: w.Decoding, Terms: lines, Budget: budget, Price: w.Price,
		Privacy: w.Privacy, Miners: w.Miners,
	})
	if err != nil && ctx.Err() != nil {
		return w.unfinished(err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	// Only a job of others has units: it is worth more when it is taken up again.
	if key != "" && job.Quote().Units > 0 {
		if err := w.Memory.BeginJob(key, asked); err != nil {
			return errors.Join(err, job.Close())
		}
	}
	err = w.collect(ctx, job, asked)
	var receipt engine.Receipt
	if err == nil {
		receipt, err = job.Settle(ctx)
	}
	if err = errors.Join(err, job.Close()); err != nil {
		return w.unfinished(err)
	}
	w.paid += receipt.Amount
	if w.Receipts.Dir != "" && receipt.Job.Defined() {
		if err := w.Receipts.KeepJob(receipt.Job, receipt.Opened); err != nil {
			return err
		}
	}
	receipt.Amount, receipt.Units, receipt.Checked = receipt.Amount+w.receipt.Amount, receipt.Units+w.receipt.Units, receipt.Checked+w.receipt.Checked
	w.receipt = receipt
	if key != "" {
		return w.Memory.EndJob(key)
	}
	return nil
}

// collect takes the texts of a job as they come, and keeps each at once.
func (w *work) collect(ctx context.Context, job engine.Job, asked []string) (err error) {
	synced := time.Now()
	if w.Memory != nil {
		defer func() { err = errors.Join(err, w.Memory.Sync()) }()
	}
	came := 0
	from := origin{job: job.Quote().Job}
	name := ""
	if from.job.Defined() {
		name = from.job.String()
	}
	w.tell(w.receipt.Amount)
	for done, err := range job.Texts(ctx) {
		if err != nil {
			return err
		}
		if done.Index < 0 || done.Index >= len(asked) {
			return fmt.Errorf("the engine gave text %d of %d", done.Index, len(asked))
		}
		came++
		source, target := asked[done.Index], engine.Clean(done.Text)
		if _, had := w.known[source]; !had {
			w.known[source], w.from[source] = target, from
			w.progress.Done = len(w.known)
		}
		if w.Memory != nil {
			if err := w.Memory.Put(memory.Known{Settings: w.of(source), Source: source, Target: target, Job: name}); err != nil {
				return err
			}
			// A power cut may cost a second of work.
			if time.Since(synced) > time.Second {
				if err := w.Memory.Sync(); err != nil {
					return err
				}
				synced = time.Now()
			}
		}
		w.tell(w.receipt.Amount + job.Quote().Amount/uint64(len(asked))*uint64(came))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if missing := len(slices.DeleteFunc(slices.Clone(asked), func(t string) bool { _, ok := w.known[t]; return ok })); missing > 0 {
		return fmt.Errorf("the engine left out %d texts", missing)
	}
	return nil
}

// tell reports the progress.
func (w *work) tell(cost uint64) {
	if w.progress.Cost = cost; w.Report != nil {
		w.Report(w.progress)
	}
}

// rebuild puts the translations into the document.
func (w *work) rebuild() ([]byte, report.TranslatedFile, error) {
	r := report.TranslatedFile{
		Input: w.name, Format: string(w.document.Format), From: w.settings.From, To: w.settings.To, Model: w.settings.Model,
		Privacy: string(w.Privacy), Checked: w.receipt.Checked,
		Flags: []document.Doubt{}, Paid: w.receipt.Amount, Receipt: w.receipt.File, Status: w.receipt.Status, Due: w.receipt.Due, Units: w.receipt.Units,
	}
	if w.receipt.Job.Defined() {
		r.Job = w.receipt.Job.String()
	}
	out, flags, err := w.document.Rebuild(document.Translations{
		Source: w.settings.From, Target: w.settings.To,
		Of: func(text string) (string, bool) { t, ok := w.known[text]; return t, ok },
	})
	if err != nil {
		return nil, r, fmt.Errorf("%s: %w", w.name, err)
	}
	r.Flags = append(r.Flags, flags...)
	flagged := map[int]bool{} // a segment may have several reasons
	for _, f := range flags {
		flagged[f.Segment] = true
	}
	r.Flagged = len(flagged)
	// Segments are those with something to translate. One is reused when the memory had all
	// of its texts.
	for i := range w.document.Segments {
		one := document.Document{Segments: w.document.Segments[i : i+1]}
		if texts := one.TextsInto(w.settings.To); len(texts) > 0 {
			r.Segments++
			if !slices.ContainsFunc(texts, func(t string) bool { return !w.old[t] }) {
				r.Reused++
			}
		}
	}
	r.Seconds = time.Since(w.progress.Began).Seconds()
	return out, r, nil
}
