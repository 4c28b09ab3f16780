package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// writeModel writes the directory of a model that has learnt nothing. chrF 0 is a directory
// without a manifest.
func writeModel(t *testing.T, dir, source, target string, seed uint64, chrF float64) block.Link {
	t.Helper()
	tok, err := text.Train(slices.Values([]string{"eins zwei drei vier", "one two three four eins"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{
		Source: source, Target: target, Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1},
	}
	tr, err := model.NewTranslator(m, nmt.Init(m.Config(), seed), tok)
	if err != nil {
		t.Fatal(err)
	}
	files := tr.Files()
	if chrF > 0 {
		if files[node.ManifestFile], err = json.Marshal(node.Manifest{Model: tr.ID().String(), Tests: []node.TestScore{{Name: "test", ChrF: chrF}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tr.ID()
}

func device(t *testing.T) kernel.Device {
	t.Helper()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// collect takes all texts of a job.
func collect(ctx context.Context, l *Local, r Request) (out []string, err error) {
	j, err := l.Start(ctx, r)
	if err != nil {
		return nil, err
	}
	for done, err := range j.Texts(ctx) {
		if err != nil {
			return out, err
		}
		if done.Index != len(out) {
			return out, fmt.Errorf("text %d came after %d texts", done.Index, len(out))
		}
		out = append(out, done.Text)
	}
	if _, err := j.Settle(ctx); err != nil {
		return out, err
	}
	return out, j.Close()
}

// texts are of many shapes: of several sentences and lines, empty, too long for the model.
func texts(n int) (all []string) {
	shapes := []string{"one two.  Three four!\n\n\tfive %d", "", " \n", "%d six seven eight", "\x00 one \xff %d", "Drei. Vier? Five %d."}
	for i := range n {
		s := shapes[i%len(shapes)]
		if strings.Contains(s, "%d") {
			s = fmt.Sprintf(s, i)
		}
		all = append(all, s)
	}
	return append(all, strings.Repeat("one two three ", 400))
}

// alone translates a text as the model does by itself, sentence by sentence.
func alone(t *testing.T, m *model.Translator, dev kernel.Device, d unit.Decoding, s string) string {
	t.Helper()
	layout := text.Split(m.Model.Source, s).Fit(m.Fits)
	var out []string
	e := m.Model.NewEngine(dev)
	for _, s := range layout.Sentences {
		o, err := m.Translate(e, []string{s}, d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o[0])
	}
	whole, err := layout.Join(out)
	if err != nil {
		t.Fatal(err)
	}
	return Clean(whole)
}

// TestLocal: jobs that run at the same time, of several models and decodings, get what each
// model says to each sentence alone, in the sequence of their texts.
func TestLocal(t *testing.T) {
	below, dev := t.TempDir(), device(t)
	links := []block.Link{
		writeModel(t, filepath.Join(below, "a"), "en", "de", 1, 40), writeModel(t, filepath.Join(below, "b"), "en", "de", 2, 0),
		writeModel(t, filepath.Join(below, "c"), "en", "fr", 3, 10), writeModel(t, filepath.Join(below, "d"), "de", "en", 4, 0),
	}
	l := NewLocal(LocalConfig{Below: below, Device: dev})
	var wg sync.WaitGroup
	for i := range 8 { // more models than stay open
		wg.Go(func() {
			r := Request{Texts: texts(10 + 7*i)[i:], Model: links[i%4], Decoding: unit.Greedy}
			if i >= 4 {
				r.Decoding.Beam = 2
			}
			got, err := collect(t.Context(), l, r)
			if err != nil {
				t.Error(err)
				return
			}
			m, err := node.OpenModel(filepath.Join(below, string(rune('a'+i%4))))
			if err != nil {
				t.Error(err)
				return
			}
			own := device(t) // a device computes for one at a time
			for k, s := range r.Texts {
				if want := alone(t, m, own, r.Decoding, s); k >= len(got) || got[k] != want {
					t.Errorf("job %d, text %d of %d (%d came): %q, want %q", i, k, len(r.Texts), len(got), s, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if len(l.queue) > 0 || len(l.opened) > keptModels {
		t.Errorf("%d batches and %d models are left", len(l.queue), len(l.opened))
	}
}

// counted counts the batches of an engine, and the sentences of the largest. It calls begun
// before each.
type counted struct {
	model.Engine
	batches, most int
	begun         func()
}

func (c *counted) Decode(params *tensor.Set, sources [][]int32, d unit.Decoding) ([][]int32, uint64, error) {
	c.batches, c.most = c.batches+1, max(c.most, len(sources))
	if c.begun != nil {
		c.begun()
	}
	return c.Engine.Decode(params, sources, d)
}

// TestTogether: sentences that wait while the device computes become one batch.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	link := writeModel(t, dir, "en", "de", 1, 0)
	l := NewLocal(LocalConfig{Dirs: []string{dir}, Device: device(t)})
	if _, err := l.Start(t.Context(), Request{Model: link}); err != nil {
		t.Fatal(err)
	}
	c := &counted{Engine: l.opened[0].engine}
	l.opened[0].engine = c
	<-l.turn // somebody computes
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := l.translate(t.Context(), l.opened[0], unit.Greedy, []string{fmt.Sprint("one ", i)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < 20; {
		l.mu.Lock()
		waiting = len(l.queue)
		l.mu.Unlock()
		runtime.Gosched()
	}
	l.turn <- struct{}{}
	wg.Wait()
	if c.batches != 1 || c.most != 20 {
		t.Errorf("%d batches, the largest of %d sentences; want one of 20", c.batches, c.most)
	}
}

// TestStop: the end of the context ends a job after the batch, and leaves nothing behind.
func TestStop(t *testing.T) {
	dir := t.TempDir()
	link := writeModel(t, dir, "en", "de", 1, 0)
	l := NewLocal(LocalConfig{Dirs: []string{dir}, Device: device(t)})
	ctx, cancel := context.WithCancel(t.Context())
	j, err := l.Start(ctx, Request{Model: link, Texts: texts(1000)})
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{Engine: l.opened[0].engine, begun: cancel}
	l.opened[0].engine = c
	for _, err := range j.Texts(ctx) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if c.batches != 1 || len(l.queue) != 0 {
		t.Errorf("%d batches were computed, and %d wait", c.batches, len(l.queue))
	}
	// Another job has the device.
	c.begun = nil
	if out, err := collect(t.Context(), l, Request{Model: link, Texts: []string{"one"}}); err != nil || len(out) != 1 {
		t.Errorf("after that: %q, %v", out, err)
	}
}

func TestModels(t *testing.T) {
	below := t.TempDir()
	worse, better := writeModel(t, filepath.Join(below, "a"), "en", "de", 1, 20.5), writeModel(t, filepath.Join(below, "b"), "en", "de", 2, 55)
	unknown := writeModel(t, filepath.Join(below, "c"), "en", "de", 3, 0)
	other := writeModel(t, filepath.Join(below, "d"), "de", "en", 4, 0)
	writeModel(t, filepath.Join(below, ".model-5"), "en", "de", 5, 90) // half written
	damaged := filepath.Join(below, "e")
	writeModel(t, damaged, "en", "de", 6, 90)
	if err := os.WriteFile(filepath.Join(damaged, model.ConfigFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := NewLocal(LocalConfig{Below: below, Dirs: []string{filepath.Join(below, "a")}, Device: device(t)})
	got, err := l.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Model{
		{Link: other, Source: "de", Target: "en"}, {Link: better, Source: "en", Target: "de", ChrF: 55},
		{Link: worse, Source: "en", Target: "de", ChrF: 20.5}, {Link: unknown, Source: "en", Target: "de"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := l.Start(t.Context(), Request{Model: block.Link{Cid: block.Sum(block.Raw, nil)}}); err == nil || !strings.Contains(err.Error(), "no model") {
		t.Errorf("a model that is not here: %v", err)
	}
	if _, err := NewLocal(LocalConfig{Dirs: []string{damaged}}).Models(t.Context()); err == nil || !strings.Contains(err.Error(), model.ConfigFile) {
		t.Errorf("a damaged model alone: %v", err)
	}
	if none, err := NewLocal(LocalConfig{Below: filepath.Join(below, "nowhere")}).Models(t.Context()); err != nil || len(none) != 0 {
		t.Errorf("no models: %v, %v", none, err)
	}
	// The arithmetic tells what translations depend on.
	for want, c := range map[string]LocalConfig{"binary32": {}, "int8": {Int8: true}} {
		c.Below, c.Device = below, device(t)
		if got, err := NewLocal(c).Arithmetic(t.Context(), better); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if _, err := NewLocal(LocalConfig{Below: below, Shortlist: true}).Arithmetic(t.Context(), better); err == nil || !strings.Contains(err.Error(), "alia model shortlist") {
		t.Errorf("without a shortlist: %v", err)
	}
}

func TestClean(t *testing.T) {
	if got := Clean("a\x1b[31m\tb\xff\n\u0085c"); got != "a [31m\tb\uFFFD\n\u0085c" {
		t.Errorf("%q", got)
	}
}

// TestLocalTerms: a translation has the terms of the glossary, also beside texts of another
// job without one, and a term that the model cannot write is refused before the work.
func TestLocalTerms(t *testing.T) {
	dir := t.TempDir()
	link := writeModel(t, dir, "en", "de", 1, 0)
	l := NewLocal(LocalConfig{Dirs: []string{dir}, Device: device(t)})
	all := []string{"one. two three", "two", "four"}
	plain, err := collect(t.Context(), l, Request{Texts: all, Model: link})
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(t.Context(), l, Request{Texts: all, Model: link, Terms: []unit.Term{{Source: "two", Target: "zwo"}}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got[0], "zwo") || !strings.Contains(got[1], "zwo") || got[2] != plain[2] {
		t.Errorf("%q, without terms %q", got, plain)
	}
	if _, err := l.Start(t.Context(), Request{Texts: all, Model: link, Terms: []unit.Term{{Source: "two", Target: strings.Repeat("zwo ", 90) + "x"}}}); err == nil || !strings.Contains(err.Error(), "glossary") {
		t.Errorf("a term that is too long: %v", err)
	}
}
