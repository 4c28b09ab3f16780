package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/language"
)

// documents translates files, a folder, or a document from standard input.
func (o *translateFlags) documents(ctx context.Context, a *app, args []string, stdin io.Reader) error {
	if o.output == "" && (a.json || a.events) {
		return usagef("--json prints the result: name the file for the translation with --output")
	}
	c, err := o.config(a)
	if err != nil {
		return err
	}
	c.Receipt = a.path(o.receipt)
	var background []func(context.Context) error // runs while files are translated
	if o.here {
		if o.receipt != "" { // texts of the memory may have the receipts of jobs
			if n, err := a.openNetwork(); err == nil {
				c.Receipts = proof.Shelf{Dir: a.home.Receipts(), Network: n}
			}
		}
		err = o.alone(ctx, a, c)
	} else {
		var customer *client.Client
		if customer, err = o.network(ctx, a, c); err == nil {
			c.Receipts = proof.Shelf{Dir: a.home.Receipts(), Network: customer.Peer.Network}
			defer customer.Close()
			background = append(background, customer.Tend)
		}
	}
	if err != nil {
		return err
	}
	if !o.noMemory {
		if c.Memory, err = a.openMemory(); err != nil {
			return err
		}
		defer c.Memory.Close()
	}
	shown := newTranslating(a)
	defer shown.close()
	c.Report, c.Chosen = shown.report, shown.chosen
	c.Warn = func(text string) { a.note("alia: %s", text) }
	return node.Together(ctx, func(ctx context.Context) error {
		paths := make([]string, len(args))
		folder := len(args) > 1
		for i, arg := range args {
			paths[i] = a.path(arg)
			if info, err := os.Stat(paths[i]); err == nil && info.IsDir() {
				folder = true
			}
		}
		if folder {
			return o.files(ctx, a, c, shown, paths)
		}
		return o.file(ctx, a, c, shown, args[0], stdin)
	}, background...)
}

// files translates several files, or a folder.
func (o *translateFlags) files(ctx context.Context, a *app, c *translate.Config, shown *translating, paths []string) error {
	all, err := c.Files(ctx, paths, a.path(o.output))
	shown.close()
	if err = halted(ctx, err); err != nil && len(all.Files) == 0 && len(all.Failed) == 0 {
		return err
	}
	// What was done is told, whatever came after. An interrupt has a JSON object of its own.
	if a.json && errors.As(err, new(interruption)) {
		return err
	}
	return errors.Join(a.result(all, func(w io.Writer) {
		printFiles(w, all)
		o.noteLeft(a, all.Paid)
	}), err)
}

// file translates one document.
func (o *translateFlags) file(ctx context.Context, a *app, c *translate.Config, shown *translating, name string, stdin io.Reader) error {
	r, err := o.one(ctx, c, name, a.path(name), a.path(o.output), stdin, a.stdout)
	shown.close()
	if err != nil {
		return halted(ctx, err)
	}
	if o.receipt != "" {
		r.Receipt = o.receipt
	}
	r.Input, r.Output = name, o.output // as they were typed, whichever process does the work
	if o.output == "" {
		a.note("%s", fileLine(r))
		printFlags(a.stderr, r.Flags, mostFlags)
		return nil
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n", r.Output, fileLine(r))
		printFlags(w, r.Flags, mostFlags)
		o.noteLeft(a, r.Paid)
	})
}

// one translates one document, into a file or to standard output.
func (o *translateFlags) one(ctx context.Context, c *translate.Config, name, path, output string, stdin io.Reader, stdout io.Writer) (r report.TranslatedFile, err error) {
	if name != "-" && output != "" {
		return c.File(ctx, path, output)
	}
	data, kind := []byte(nil), path
	if name == "-" {
		// Standard input has no name: its bytes say what it is.
		data, err = translate.ReadAll("standard input", stdin)
		kind = "-"
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return r, err
	}
	if output != "" {
		return c.Write(ctx, kind, data, output, 0o644)
	}
	out, r, err := c.Bytes(ctx, kind, data)
	if err != nil {
		return r, err
	}
	if isTerminal(stdout) && !utf8.Valid(out) {
		return r, errors.New("the translation is no text that a terminal can show: name a file for it with --output")
	}
	_, err = stdout.Write(out)
	return r, err
}

// config says how to translate, but for the engine.
func (o *translateFlags) config(a *app) (*translate.Config, error) {
	d, err := o.decoding()
	if err != nil {
		return nil, err
	}
	g, err := openGlossary(a.path(o.glossary))
	if err != nil {
		return nil, err
	}
	return &translate.Config{
		From: o.from, To: o.to, Decoding: d, Glossary: g, Force: o.force,
		Detect: func(text string, among []string) string {
			if among == nil {
				return language.Detect(text).Language
			}
			return language.DetectAmong(text, among).Language
		},
	}, nil
}

// alone translates with the models of this machine.
func (o *translateFlags) alone(ctx context.Context, a *app, c *translate.Config) (err error) {
	lc := engine.LocalConfig{Int8: o.int8, Shortlist: o.shortlist}
	if o.model == "" {
		lc.Below = a.home.Models()
	} else {
		dir, err := a.modelDir(o.model)
		if err != nil {
			return err
		}
		lc.Dirs = []string{dir}
	}
	if lc.Device, err = o.deviceFlags.choose(a); err != nil {
		return err
	}
	l := engine.NewLocal(lc)
	c.Engine, c.Arithmetic = l, l.Arithmetic
	if o.model == "" {
		return nil
	}
	models, err := l.Models(ctx)
	if err != nil {
		return err
	}
	c.Model = models[0].Link
	return nil
}

// overdue gives the error of a command that its deadline has ended the deadline's name.
func overdue(ctx context.Context, err error, deadline time.Duration) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if u := new(translate.Unfinished); errors.As(err, &u) {
		return fmt.Errorf("%s: the deadline of %v is over: %s", u.File, deadline, u.Kindly())
	}
	return fmt.Errorf("the deadline of %v is over before a document was begun: give a longer --deadline: %w", deadline, err)
}

// halted says after an interrupt what is done.
func halted(ctx context.Context, err error) error {
	err = poor(err)
	if u := new(translate.Unfinished); errors.As(err, &u) {
		return undone(ctx, err, "%s: %s", u.File, u.Kindly())
	}
	return undone(ctx, err, "nothing is translated")
}

// openMemory opens the translation memory of the home.
func (a *app) openMemory() (*memory.TM, error) {
	if err := a.home.Make(); err != nil {
		return nil, err
	}
	return memory.Open(a.home.Memory(), memory.DefaultLimit)
}

// fileLine tells what was done with a file.
func fileLine(r report.TranslatedFile) string {
	line := english.Plural(r.Segments, "segment", "")
	if r.Reused > 0 {
		line += fmt.Sprintf(", %s of them from the memory", humanize.Comma(int64(r.Reused)))
	}
	if r.Paid > 0 {
		line += fmt.Sprintf(", %s ALIA %s", protocol.FormatAmount(r.Paid), r.Status)
		if r.Due > 0 {
			line += fmt.Sprintf(", paid at height %d", r.Due)
		}
	}
	if r.Receipt != "" {
		line += ", receipt " + r.Receipt
	}
	if r.Flagged > 0 {
		line += fmt.Sprintf("; %s for a person to look at", humanize.Comma(int64(r.Flagged)))
	}
	return line
}

// mostFlags are printed of a file, and mostOfMany of each of several; --json has them all.
const (
	mostFlags  = 10
	mostOfMany = 3
)

// flagWords says for people why a segment is flagged.
var flagWords = map[document.Reason]string{
	document.Untranslated: "it is not translated",
	document.InParts:      "its parts were translated one by one, around its tags and placeholders",
	document.Codes:        "it is not translated: its translation had other placeholders or addresses",
	document.Charset:      "it is not translated: the charset of the file lacks a letter of its translation",
	document.Plurals:      "the language has more plural forms than it",
	document.Numbers:      "its numbers differ",
	document.Repeats:      "its translation says the same again and again",
	document.Length:       "its translation is far longer or shorter",
	document.Copied:       "its translation is the text itself, or nearly",
	document.Empty:        "its translation is empty",
	document.Cut:          "its translation may lack its end: it is as long as the model may make one",
}

func printFlags(w io.Writer, flags []document.Doubt, most int) {
	for i, f := range flags {
		if i == most {
			fmt.Fprintf(w, "  and %s more: --json lists all\n", humanize.Comma(int64(len(flags)-i)))
			return
		}
		words := flagWords[f.Reason]
		if words == "" {
			words = string(f.Reason)
		}
		if f.Detail != "" {
			words += " (" + f.Detail + ")"
		}
		fmt.Fprintf(w, "  %s: %s: %.60q\n", f.Where, words, f.Text)
	}
}

func printFiles(w io.Writer, all report.TranslatedFiles) {
	for _, r := range all.Files {
		fmt.Fprintf(w, "%s: %s\n", r.Output, fileLine(r))
		printFlags(w, r.Flags, mostOfMany)
	}
	for _, f := range all.Failed {
		fmt.Fprintf(w, "%s: not translated: %s\n", f.Input, f.Error)
	}
	fmt.Fprintf(w, "%s, %s", english.Plural(len(all.Files), "file", ""), fileLine(report.TranslatedFile{
		Segments: all.Segments, Reused: all.Reused, Paid: all.Paid, Flagged: all.Flagged,
	}))
	if n := len(all.Skipped); n > 0 {
		fmt.Fprintf(w, "; skipped %s of other kinds", english.Plural(n, "file", ""))
		for i, name := range all.Skipped {
			if i == mostFlags {
				fmt.Fprint(w, ", ...")
				break
			}
			sep := ", "
			if i == 0 {
				sep = ": "
			}
			fmt.Fprint(w, sep, name)
		}
	}
	fmt.Fprintln(w)
}

// translating shows the progress of files.
type translating struct {
	app    *app
	screen *terminal // nil where no status line is drawn
	spoken time.Time // of the last plain line
	model  engine.Model
}

func newTranslating(a *app) *translating {
	t := &translating{app: a, spoken: time.Now()}
	if s, ok := onTerminal(a.stderr); ok && !a.events {
		t.screen = s
	}
	return t
}

// modelLine names a model that was found.
func modelLine(m engine.Model) string {
	line := fmt.Sprintf("model %s, %s to %s", m.Link, m.Source, m.Target)
	if m.ChrF > 0 {
		line += fmt.Sprintf(", chrF2 %.1f", m.ChrF)
	}
	if m.Price > 0 {
		line += fmt.Sprintf(", from %s ALIA a GFLOP", protocol.FormatAmount(m.Price))
	}
	if m.Holders > 0 {
		line += ", held by " + english.Plural(m.Holders, "miner", "")
	}
	return line
}

// chosen names the model, once for all files that it translates.
func (t *translating) chosen(_ string, m engine.Model) {
	if t.model != m {
		t.model = m
		t.app.note("%s", modelLine(m))
	}
}

// report shows how far a file is: in a status line, or now and then in a plain one.
func (t *translating) report(p translate.FileProgress) {
	if t.screen != nil {
		t.screen.draw(translatingLine(p, time.Now(), t.screen.width()-len("^C")))
		return
	}
	if time.Since(t.spoken) >= every {
		t.spoken = time.Now()
		t.app.note("%s", translatingLine(p, t.spoken, 0))
	}
}

// close takes the status line from the terminal. It may be called more than once.
func (t *translating) close() {
	if t.screen != nil {
		t.screen.draw("")
	}
}

// translatingLine is the progress at a time: with a bar if width is not 0, and then shorter
// than width. Only what was translated now counts for the time that is left.
func translatingLine(p translate.FileProgress, now time.Time, width int) string {
	left := fmt.Sprintf("%s: %s of %s ", p.File, humanize.Comma(int64(p.Done)), english.Plural(p.Total, "segment", ""))
	right := ""
	if p.Cost > 0 {
		right += fmt.Sprintf(", %s ALIA at most", protocol.FormatAmount(p.Cost))
	}
	if fresh := p.Done - p.Reused; fresh > 0 && p.Done < p.Total {
		each := now.Sub(p.Began) / time.Duration(fresh)
		right += fmt.Sprintf(", %s left", minutes(each*time.Duration(p.Total-p.Done)))
	}
	if width == 0 {
		return left[:len(left)-1] + right
	}
	if len(right) > 0 {
		right = right[1:]
	}
	return withBar(left, right, p.Done, p.Total, width)
}
