package translate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
)

// local is an engine with one small model from English to German.
func local(t *testing.T) *engine.Local { return localInto(t, "de") }

// localInto is local with another target language.
func localInto(t *testing.T, target string) *engine.Local {
	t.Helper()
	tok, err := text.Train(slices.Values([]string{"eins zwei drei vier", "one two three four eins"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{
		Source: "en", Target: target, Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1},
	}
	tr, err := model.NewTranslator(m, nmt.Init(m.Config(), 5), tok)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range tr.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	return engine.NewLocal(engine.LocalConfig{Dirs: []string{dir}, Device: dev})
}

// sold sells the translations of an engine, as a network does, and may break down. It
// notes what it was asked for.
type sold struct {
	*engine.Local
	fail    int // after so many texts in all; 0 is never
	asked   [][]string
	budgets []uint64
	settled int
}

var errBroken = errors.New("the line is down")

func (s *sold) Start(ctx context.Context, r engine.Request) (engine.Job, error) {
	s.asked, s.budgets = append(s.asked, slices.Clone(r.Texts)), append(s.budgets, r.Budget)
	if price := uint64(10 * len(r.Texts)); r.Budget > 0 && price > r.Budget {
		return nil, fmt.Errorf("the text may cost %d, the budget is %d", price, r.Budget)
	}
	j, err := s.Local.Start(ctx, r)
	return &soldJob{j, s, r}, err
}

type soldJob struct {
	engine.Job
	from *sold
	r    engine.Request
}

func (j *soldJob) Quote() engine.Quote {
	return engine.Quote{Amount: uint64(10 * len(j.r.Texts)), Units: 1}
}

func (j *soldJob) Texts(ctx context.Context) iter.Seq2[engine.Translated, error] {
	return func(yield func(engine.Translated, error) bool) {
		for done, err := range j.Job.Texts(ctx) {
			if j.from.fail == 1 {
				j.from.fail = 0
				yield(engine.Translated{}, errBroken)
				return
			}
			j.from.fail--
			if !yield(done, err) {
				return
			}
		}
	}
}

func (j *soldJob) Settle(context.Context) (engine.Receipt, error) {
	j.from.settled++
	return engine.Receipt{
		Job: j.r.Model, File: "receipts/1", Status: "claimed", Amount: uint64(10 * len(j.r.Texts)), Due: 7, Units: 1,
	}, nil
}

// world is a directory with documents, and a memory.
func world(t *testing.T, e engine.Engine) (dir string, c *translate.Config) {
	t.Helper()
	dir = t.TempDir()
	m, err := memory.Open(filepath.Join(dir, ".memory"), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return dir, &translate.Config{Engine: e, Memory: m, From: "en", To: "de"}
}

// letter has n lines with a text, and one without.
func letter(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "one two %d. Three four!\r\n", i)
	}
	return b.String() + "\n  * * *\n"
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// numbers are those of a result that a test compares.
func numbers(r report.TranslatedFile) [4]uint64 {
	return [4]uint64{uint64(r.Segments), uint64(r.Reused), uint64(r.Flagged), r.Paid}
}

// TestFile: a file is translated once, and then comes from the memory.
func TestFile(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	in, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "new", "b.txt")
	write(t, in, letter(20))
	var chosen, told int
	c.Chosen = func(file string, m engine.Model) {
		if chosen++; file != in || m.Source != "en" || m.Target != "de" {
			t.Errorf("model %+v for %s", m, file)
		}
	}
	c.Report = func(p translate.FileProgress) {
		if told++; p.Total != 20 || p.Done != told-1 {
			t.Errorf("report %d: %+v", told, p)
		}
		if p.Done == p.Total && p.Cost != 200 {
			t.Errorf("a cost of %d", p.Cost)
		}
	}
	first, err := c.File(t.Context(), in, out)
	if err != nil {
		t.Fatal(err)
	}
	if numbers(first) != [4]uint64{20, 0, uint64(first.Flagged), 200} || first.Receipt != "receipts/1" || first.Due != 7 || first.Output != out || chosen != 1 || told != 21 {
		t.Errorf("%+v, chosen %d times, told %d times", first, chosen, told)
	}
	translated := read(t, out)
	if strings.Count(translated, "\r\n") != 20 || !strings.HasSuffix(translated, "\r\n\n  * * *\n") || translated == letter(20) {
		t.Errorf("the translation is %q", translated)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	// The same again: nothing is asked for, and the file is the same.
	c.Report = nil
	again, err := c.File(t.Context(), in, out)
	if err != nil || numbers(again) != [4]uint64{20, 20, uint64(first.Flagged), 0} || len(s.asked) != 1 || read(t, out) != translated {
		t.Errorf("%+v, %v, asked for %q", again, err, s.asked)
	}
	// With a line more, only that line is bought.
	write(t, in, letter(21))
	third, err := c.File(t.Context(), in, filepath.Join(dir, "c.txt"))
	if err != nil || third.Segments != 21 || third.Reused != 20 || len(s.asked) != 2 || !slices.Equal(s.asked[1], []string{"one two 20. Three four!"}) {
		t.Errorf("%+v, %v, asked for %q", third, err, s.asked[1:])
	}
	// Another setting is another translation.
	c.Decoding.Beam, c.Decoding.LengthPPM = 2, 1_000_000
	if _, err := c.File(t.Context(), in, filepath.Join(dir, "d.txt")); err != nil || len(s.asked) != 3 || len(s.asked[2]) != 21 {
		t.Errorf("%v, asked for %q", err, s.asked[2:])
	}
	for i, change := range []func(){func() { c.Decoding.NoRepeat = 3 }, func() { c.Decoding.RepetitionPPM = 1_200_000 }} {
		change()
		if _, err := c.File(t.Context(), in, filepath.Join(dir, fmt.Sprintf("d%d.txt", i))); err != nil || len(s.asked) != 4+i || len(s.asked[3+i]) != 21 {
			t.Errorf("%v, asked for %q", err, s.asked[3+i:])
		}
	}
	// Without a memory nothing is kept.
	c.Memory = nil
	if r, err := c.File(t.Context(), in, filepath.Join(dir, "e.txt")); err != nil || r.Reused != 0 || len(s.asked[5]) != 21 {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestExisting: no file is replaced that was not meant, and none is paid for that could not
// be written.
func TestExisting(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	in, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	write(t, in, letter(3))
	write(t, out, "mine")
	link := filepath.Join(dir, "link.txt")
	if err := os.Symlink(in, link); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{out: "exists and is another text", in: "is the document itself", link: "is the document itself", dir: "not a file"} {
		if _, err := c.File(t.Context(), in, output); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", output, err, want)
		}
	}
	if len(s.asked) != 0 || read(t, out) != "mine" || read(t, in) != letter(3) {
		t.Errorf("asked for %q; the files are %q and %q", s.asked, read(t, out), read(t, in))
	}
	// What stands there may be the result itself: that is seen once the memory has it.
	if _, err := c.File(t.Context(), in, filepath.Join(dir, "c.txt")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.File(t.Context(), in, out); err == nil || read(t, out) != "mine" {
		t.Errorf("the file was replaced: %v", err)
	}
	c.Force = true
	if _, err := c.File(t.Context(), in, out); err != nil || read(t, out) != read(t, filepath.Join(dir, "c.txt")) {
		t.Errorf("with force: %v", err)
	}
	if _, err := c.File(t.Context(), in, in); err != nil || read(t, in) != read(t, out) {
		t.Errorf("the document itself, with force: %v", err)
	}
}

// TestBroken: after an error of the engine the next run goes on, with the same job where one
// is paid, and the receipt is for all of it.
func TestBroken(t *testing.T) {
	s := &sold{Local: local(t), fail: 13}
	dir, c := world(t, s)
	in, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	write(t, in, letter(40))
	_, err := c.File(t.Context(), in, out)
	u := new(translate.Unfinished)
	if !errors.As(err, &u) || !errors.Is(err, errBroken) || u.Done != 12 || u.Total != 40 || !strings.Contains(err.Error(), "12 of 40 segments are translated and kept") {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half translated file was written: %v", err)
	}
	r, err := c.File(t.Context(), in, out)
	if err != nil || numbers(r) != [4]uint64{40, 12, uint64(r.Flagged), 400} || s.settled != 1 {
		t.Errorf("%+v, %v, settled %d times", r, err, s.settled)
	}
	if len(s.asked) != 2 || !slices.Equal(s.asked[0], s.asked[1]) {
		t.Errorf("the second job is another: %q", s.asked)
	}
	whole := read(t, out)
	// The same file in one go has the same translation.
	c.Memory = nil
	if _, err := c.File(t.Context(), in, filepath.Join(dir, "c.txt")); err != nil || read(t, filepath.Join(dir, "c.txt")) != whole {
		t.Errorf("in one go: %v", err)
	}
	// The job is over: nothing remembers it.
	files, err := filepath.Glob(filepath.Join(dir, ".memory", "job-*"))
	if err != nil || len(files) != 0 {
		t.Errorf("jobs are left: %v, %v", files, err)
	}
}

// TestBudget: the budget is for all files together.
func TestBudget(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	c.Budget = 50
	for i := range 3 {
		write(t, filepath.Join(dir, "in", fmt.Sprint(i, ".txt")), fmt.Sprintf("one %d\ntwo %d\n", i, i))
	}
	all, err := c.Files(t.Context(), []string{filepath.Join(dir, "in")}, filepath.Join(dir, "out"))
	if err == nil || len(all.Files) != 2 || all.Paid != 40 || len(all.Failed) != 1 || !slices.Equal(s.budgets, []uint64{50, 30, 10}) {
		t.Errorf("%+v, %v, budgets %v", all, err, s.budgets)
	}
	c.Budget = 40
	if _, err := c.File(t.Context(), filepath.Join(dir, "in", "2.txt"), filepath.Join(dir, "x.txt")); err == nil || !strings.Contains(err.Error(), "budget is spent") {
		t.Errorf("%v", err)
	}
}

// TestFiles: a folder keeps its tree; what cannot be translated is left out by name, and
// does not stop the others.
func TestFiles(t *testing.T) {
	dir, c := world(t, local(t))
	in := filepath.Join(dir, "in")
	write(t, filepath.Join(in, "b.txt"), "one\n")
	write(t, filepath.Join(in, "a", "x.txt"), "two\n")
	write(t, filepath.Join(in, "a", "README"), "three\n")
	write(t, filepath.Join(in, "a", "empty.txt"), "")
	write(t, filepath.Join(in, "picture.png"), "\x89PNG\r\n\x1a\n")
	write(t, filepath.Join(in, "program"), "\x7fELF\x02\x01\x01\x00\x00\x00\x00")
	write(t, filepath.Join(in, ".git", "hidden.txt"), "one\n")
	write(t, filepath.Join(in, "out", "old.txt"), "from before\n")
	out := filepath.Join(in, "out") // in the folder itself
	all, err := c.Files(t.Context(), []string{in}, out)
	if err != nil {
		t.Fatal(err)
	}
	var done []string
	for _, r := range all.Files {
		rel, err := filepath.Rel(in, r.Input)
		if err != nil || r.Output != filepath.Join(out, rel) {
			t.Errorf("%s became %s, %v", r.Input, r.Output, err)
		}
		done = append(done, filepath.ToSlash(rel))
		read(t, r.Output)
	}
	if want := []string{"a/README", "a/empty.txt", "a/x.txt", "b.txt"}; !slices.Equal(done, want) {
		t.Errorf("translated %q, want %q", done, want)
	}
	if want := []string{filepath.Join(in, "picture.png"), filepath.Join(in, "program")}; !slices.Equal(all.Skipped, want) || all.Segments != 3 {
		t.Errorf("skipped %q, want %q; %d segments", all.Skipped, want, all.Segments)
	}
	// The same command again does nothing.
	if again, err := c.Files(t.Context(), []string{in}, out); err != nil || again.Reused != 3 || len(again.Files) != 4 {
		t.Errorf("again: %+v, %v", again, err)
	}
	// Several: each under its name. A file that is named is not skipped in silence.
	out = filepath.Join(dir, "several")
	all, err = c.Files(t.Context(), []string{filepath.Join(in, "a"), filepath.Join(in, "picture.png"), filepath.Join(in, "b.txt")}, out)
	if err == nil || len(all.Failed) != 1 || !strings.Contains(all.Failed[0].Error, "picture.png") || len(all.Files) != 4 {
		t.Errorf("several: %+v, %v", all, err)
	}
	read(t, filepath.Join(out, "a", "x.txt"))
	read(t, filepath.Join(out, "b.txt"))
	for want, inputs := range map[string][]string{
		"both be written to": {filepath.Join(in, "b.txt"), filepath.Join(in, "out", "b.txt")}, "does not exist": {filepath.Join(in, "nothere")},
	} {
		if _, err := c.Files(t.Context(), inputs, out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	if _, err := c.Files(t.Context(), []string{in}, in); err == nil || !strings.Contains(err.Error(), "the folder itself") {
		t.Errorf("into itself: %v", err)
	}
	if _, err := c.Files(t.Context(), []string{t.TempDir()}, out); err == nil || !strings.Contains(err.Error(), "no file that can be translated") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestLanguages: the language is found, or named by the user, or refused.
func TestLanguages(t *testing.T) {
	s := &sold{Local: local(t)}
	_, c := world(t, s)
	models, err := s.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Detect = func(text string, among []string) string {
		for _, l := range []string{"en", "fr", "de"} {
			if strings.Contains(text, "in "+l) && (among == nil || slices.Contains(among, l)) {
				return l
			}
		}
		return ""
	}
	var warned string
	c.Warn = func(text string) { warned = text }
	for _, r := range []struct {
		text, from, to string
		model          bool
		want, warning  string // of the error
	}{
		{"in en", "auto", "de", false, "", ""},
		{"in en", "", "de", false, "", ""},
		{"in fr", "auto", "de", false, "no model translates from fr to de: there are en to de", ""},
		{"in de", "auto", "de", false, "is in language de already", ""},
		{"in xx", "auto", "de", false, "the language of a.txt is not known: name it with --from", ""},
		{"in xx", "en", "de", false, "", ""},
		{"in en", "en", "fr", false, "no model translates from en to fr", ""},
		{"in en", "auto", "", true, "", ""},
		{"in fr", "auto", "de", true, "", "a.txt seems to be in language fr, and the model translates from en"},
		{"in fr", "fr", "de", true, "translates from en to de only", ""},
		{"in en", "en", "fr", true, "translates from en to de only", ""},
		{"* * *", "auto", "de", false, "", ""},
	} {
		c.From, c.To, c.Model, warned = r.from, r.to, block.Link{}, ""
		if r.model {
			c.Model = models[0].Link
		}
		out, _, err := c.Bytes(t.Context(), "a.txt", []byte(r.text))
		if (err == nil) != (r.want == "") || err != nil && !strings.Contains(err.Error(), r.want) || warned != r.warning {
			t.Errorf("%+v: %q, %v, warning %q", r, out, err, warned)
		}
	}
	c.Model = block.Link{Cid: block.Sum(block.Raw, nil)}
	if _, _, err := c.Bytes(t.Context(), "a.txt", []byte("x")); err == nil || !strings.Contains(err.Error(), "which languages") {
		t.Errorf("a model that nobody offers: %v", err)
	}
}

// TestUnsupported: what is no document is refused by name, and never asked for.
func TestUnsupported(t *testing.T) {
	s := &sold{Local: local(t)}
	dir, c := world(t, s)
	for name, data := range map[string]string{"a.pdf": "%PDF-1.7", "b.txt": "\x89PNG\r\n\x1a\n", "c.xyz": "text"} {
		write(t, filepath.Join(dir, name), data)
		if _, err := c.File(t.Context(), filepath.Join(dir, name), filepath.Join(dir, "out")); !errors.Is(err, document.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := filepath.Join(dir, "large.txt")
	write(t, large, "")
	if err := os.Truncate(large, translate.MaxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.File(t.Context(), large, filepath.Join(dir, "out")); err == nil || !strings.Contains(err.Error(), "more than 512 MiB") {
		t.Errorf("a large file: %v", err)
	}
	if _, err := c.File(t.Context(), dir, filepath.Join(dir, "out")); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
	if len(s.asked) > 0 {
		t.Errorf("asked for %q", s.asked)
	}
	if _, err := translate.ReadAll("x", bytes.NewReader(nil)); err != nil {
		t.Error(err)
	}
}

// TestBest: the best chrF wins, and of equal ones the first.
func TestBest(t *testing.T) {
	link := func(s string) block.Link { return block.Link{Cid: block.Sum(block.Raw, []byte(s))} }
	models := []engine.Model{
		{Link: link("a"), Source: "en", Target: "de", ChrF: 50}, {Link: link("b"), Source: "en", Target: "fr", ChrF: 90},
		{Link: link("c"), Source: "en", Target: "de", ChrF: 60}, {Link: link("d"), Source: "en", Target: "de", ChrF: 60},
	}
	if m, err := translate.Best(models, "en", "de"); err != nil || m.Link != link("c") {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := translate.Best(models, "de", "en"); err == nil || !strings.Contains(err.Error(), "there are en to de, en to fr") {
		t.Errorf("%v", err)
	}
	if _, err := translate.Best(nil, "de", "en"); err == nil || !strings.Contains(err.Error(), "there is no model here") {
		t.Errorf("%v", err)
	}
}

// An output with the name of another format is refused before the work.
func TestOutputFormat(t *testing.T) {
	for output, bad := range map[string]bool{"a.md": false, "b.markdown": false, "c": false, "d.out": false, "e.odt": true, "f.TXT": true} {
		dir := t.TempDir()
		in := filepath.Join(dir, "in.md")
		if err := os.WriteFile(in, []byte("# 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c := translate.Config{From: "en", To: "de"}
		_, err := c.File(t.Context(), in, filepath.Join(dir, output))
		if (err != nil) != bad || bad && !strings.Contains(err.Error(), "give an output that ends in .md") {
			t.Errorf("%s: %v", output, err)
		}
	}
}
