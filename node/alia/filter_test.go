package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// upper is a filter that translates into capitals, and the sizes of its batches.
func upper(out io.Writer, batch int) (*filter, *[]int) {
	var sizes []int
	return &filter{batch: batch, out: bufio.NewWriter(out), translate: func(s []string) ([]string, error) {
		sizes = append(sizes, len(s))
		t := make([]string, len(s))
		for i := range s {
			t[i] = strings.ToUpper(s[i])
		}
		return t, nil
	}}, &sizes
}

func fitsHundred(s string) bool { return len(s) <= 100 }

func TestFilterKeepsLines(t *testing.T) {
	long := strings.Repeat("some words. Others follow, ", 20_000)
	for _, c := range []struct {
		in, want string
		found    findings
	}{
		{"", "", findings{}},
		{"\n", "\n", findings{Lines: 1}},
		{"one. Two", "ONE. TWO\n", findings{Lines: 1}},
		{"  one\t\n\n\r\ntwo  three.  Four\r\n", "  ONE\t\n\n\r\nTWO  THREE.  FOUR\r\n", findings{Lines: 4}},
		{"a\vb\fc\rd\u2028e\u0085f", "A\vB\fC\rD\u2028E\u0085F\n", findings{Lines: 1}},
		{"a\nb\xff\xfec\n\x00\x1b[31m\n", "A\nB\ufffd\ufffdC\n  [31M\n", findings{Lines: 3, Invalid: 2, Control: 2, first: 2}},
		{"a\n" + strings.Repeat("x", 101), "A\n" + strings.Repeat("X", 101) + "\n", findings{Lines: 2, Cuts: 1, first: 2}},
		{long + "\n" + long, strings.ToUpper(long + "\n" + long + "\n"), findings{Lines: 2}},
		{strings.Repeat(" ", 200_000) + "x", strings.Repeat(" ", 200_000) + "X\n", findings{Lines: 1}},
		{strings.Repeat("\n", 5000), strings.Repeat("\n", 5000), findings{Lines: 5000}},
	} {
		for _, batch := range []int{1, 7, 64} {
			var out bytes.Buffer
			f, sizes := upper(&out, batch)
			if err := f.run(t.Context(), strings.NewReader(c.in), fitsHundred); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("batch %d: %.80q gives %.80q, want %.80q", batch, c.in, out.String(), c.want)
			}
			if c.in[:min(len(c.in), 4)] == "some" {
				c.found.Cuts = f.Cuts // some, since no sentence of long ends
			}
			if f.findings != c.found || (f.warning() != "") != (c.found.first > 0) {
				t.Errorf("batch %d: %.80q: found %+v, want %+v; %s", batch, c.in, f.findings, c.found, f.warning())
			}
			if slices.ContainsFunc(*sizes, func(n int) bool { return n > batch }) {
				t.Errorf("batches of %v, at most %d are asked for", *sizes, batch)
			}
		}
	}
}

// TestFilterAnswersAtOnce: a line that waits for no other is answered before
// the next one comes.
func TestFilterAnswersAtOnce(t *testing.T) {
	in, keyboard := io.Pipe()
	screen, out := io.Pipe()
	f, _ := upper(out, 64)
	done := make(chan error, 1)
	go func() { done <- f.run(t.Context(), in, fitsHundred) }()
	answers := bufio.NewReader(screen)
	for i := range 10 {
		fmt.Fprintf(keyboard, "line %d. More\n", i)
		if got, err := answers.ReadString('\n'); err != nil || got != fmt.Sprintf("LINE %d. MORE\n", i) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	keyboard.Close()
	if err := <-done; err != nil || f.Lines != 10 {
		t.Errorf("%d lines, %v", f.Lines, err)
	}
}

// TestFilterFillsBatches: a file's batches are full but the last, and a
// sentence that comes again is not translated again.
func TestFilterFillsBatches(t *testing.T) {
	var in strings.Builder
	for i := range 100 {
		fmt.Fprintf(&in, "Line %d! Two of it.\n\n", i)
	}
	f, sizes := upper(io.Discard, 32)
	f.patient = true
	if err := f.run(t.Context(), strings.NewReader(in.String()), fitsHundred); err != nil {
		t.Fatal(err)
	}
	if want := []int{17, 16, 16, 16, 16, 16, 4}; !slices.Equal(*sizes, want) || f.sum != 200 {
		t.Errorf("batches of %v and %d sentences, want %v and 200", *sizes, f.sum, want)
	}
}

func TestFilterFails(t *testing.T) {
	broken := errors.New("broken")
	var out bytes.Buffer
	f, _ := upper(&out, 4)
	err := f.run(t.Context(), io.MultiReader(strings.NewReader("one\ntwo\n"), iotest.ErrReader(broken)), fitsHundred)
	if !errors.Is(err, broken) || out.String() != "ONE\nTWO\n" {
		t.Errorf("a broken input: %v after %q", err, out.String())
	}
	f, _ = upper(io.Discard, 4)
	f.translate = func([]string) ([]string, error) { return nil, broken }
	if err := f.run(t.Context(), strings.NewReader("one\n"), fitsHundred); !errors.Is(err, broken) {
		t.Errorf("a broken model: %v", err)
	}
	in, keyboard := io.Pipe()
	f, _ = upper(broke{}, 4)
	go keyboard.Write([]byte("one\n"))
	if err := f.run(t.Context(), in, fitsHundred); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken output: %v", err)
	}
}

type broke struct{}

func (broke) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestFilterStops: an interrupt ends a filter whose input does not, after the
// batch at hand, and a line that was begun is ended.
func TestFilterStops(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	in, keyboard := io.Pipe()
	var out bytes.Buffer
	f, _ := upper(&out, 4)
	capitals := f.translate
	f.translate = func(s []string) ([]string, error) {
		if s[0] != "first" {
			interrupt()
		}
		return capitals(s)
	}
	go io.WriteString(keyboard, "first\n"+strings.Repeat("word ", 100_000))
	if err := f.run(ctx, in, fitsHundred); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "FIRST\n") || !strings.HasSuffix(got, "\n") {
		t.Errorf("%d bytes written, %.20q to %q", len(got), got, got[max(0, len(got)-9):])
	}
}

// TestFilterBounded: what a filter holds does not grow with its input.
func TestFilterBounded(t *testing.T) {
	for name, line := range map[string]string{"empty lines": "\n", "one line": "Words and more words. ", "lines": "Two words.\n"} {
		const size = 2 << 20
		f, _ := upper(io.Discard, 64)
		most := 0
		capitals := f.translate
		f.translate = func(s []string) ([]string, error) {
			most = max(most, len(f.parts), len(f.sentences))
			return capitals(s)
		}
		if err := f.run(t.Context(), io.LimitReader(&endless{line: line}, size), fitsHundred); err != nil {
			t.Fatal(err)
		}
		if want := strings.Count(line, "\n") * (size / len(line)); f.Lines < want || f.Lines > want+1 {
			t.Errorf("%s: %d lines, want %d", name, f.Lines, want)
		}
		if most > 8192 {
			t.Errorf("%s: held %d parts or sentences", name, most)
		}
	}
}

// endless is a line, or a piece of one, again and again.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		k := copy(p[n:], e.line[e.at:])
		n, e.at = n+k, (e.at+k)%len(e.line)
	}
	return len(p), nil
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte("one\r\n\n two. Three\x00\xff\n four"))
	f.Add([]byte(strings.Repeat("x", 70_000) + "\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var outs [2]bytes.Buffer
		for i, batch := range []int{1, 5} {
			var in io.Reader = bytes.NewReader(data)
			if i == 1 {
				in = iotest.HalfReader(in)
			}
			f, _ := upper(&outs[i], batch)
			if err := f.run(t.Context(), in, fitsHundred); err != nil {
				t.Fatal(err)
			}
		}
		lines := bytes.Count(data, []byte("\n"))
		if len(data) > 0 && data[len(data)-1] != '\n' {
			lines++
		}
		if got := outs[0].String(); strings.Count(got, "\n") != lines || got != outs[1].String() {
			t.Errorf("%d lines give %q and %q", lines, got, outs[1].String())
		}
	})
}

// TestTranslateSameText: a model's files give the same text with any kernels,
// threads and batch, in binary32 and in int8.
func TestTranslateSameText(t *testing.T) {
	model := smallModel(t, 32)
	var in strings.Builder
	random := rand.New(rand.NewPCG(5, 6))
	for range 18 {
		for range random.IntN(9) {
			fmt.Fprintf(&in, "%s ", []string{"eins", "zwei.", "Drei", "vier", "fünf\x00", "日本", "\xff", "six", "seven"}[random.IntN(9)])
		}
		in.WriteString("\n")
	}
	texts := map[string]bool{}
	for _, c := range []struct {
		beam uint16
		int8 bool
	}{{1, false}, {5, false}, {1, true}, {5, true}} {
		d := unit.Greedy
		d.Beam = c.beam
		want := ""
		for _, kernels := range kernel.Names() {
			for _, threads := range []int{1, 2} {
				dev, err := kernel.Open(kernels, threads)
				if err != nil {
					t.Fatal(err)
				}
				for _, batch := range []int{1, 7, 64} {
					m, err := node.OpenModel(model)
					if err != nil {
						t.Fatal(err)
					}
					if c.int8 || batch == 7 {
						if err := m.Prepare(c.int8); err != nil {
							t.Fatal(err)
						}
					}
					engine := nmt.NewEngine(dev, m.Model.Config())
					var out bytes.Buffer
					f := filter{batch: batch, out: bufio.NewWriter(&out), translate: func(s []string) ([]string, error) { return m.Translate(engine, s, d) }}
					if err := f.run(t.Context(), strings.NewReader(in.String()), m.Fits); err != nil {
						t.Fatal(err)
					}
					if want == "" {
						want = out.String()
					}
					if got := out.String(); got != want || strings.Count(got, "\n") != 18 {
						t.Errorf("%+v, %s, %d threads, batch %d: another text: %q, want %q", c, kernels, threads, batch, got, want)
					}
				}
			}
		}
		if len(strings.Fields(want)) < 36 {
			t.Errorf("%+v: a text with little in it: %q", c, want)
		}
		texts[want] = true
	}
	if len(texts) < 3 { // beam and --int8 do something
		t.Errorf("%d texts of four", len(texts))
	}
}

// smallModel writes the files of an untrained model.
func smallModel(t *testing.T, ffn uint32) (dir string) {
	t.Helper()
	tokens, err := text.Train(slices.Values([]string{"eins zwei drei vier", "one two three four eins"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	m := &model.Translator{Tokenizer: tokens, Model: model.Model{
		Version: 1, Source: "en", Target: "de", Vocab: uint32(tokens.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: ffn, Heads: 2, Encoder: 1, Decoder: 2},
	}}
	m.Params = nmt.Init(m.Model.Config(), 1)
	dir = t.TempDir()
	for name, data := range m.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOpenModelMaps: the parameters of a model that is opened are not copied.
func TestOpenModelMaps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files are read there")
	}
	dir := smallModel(t, 1<<15)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := node.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took, size := after.TotalAlloc-before.TotalAlloc, 4*m.Params.Elements(); size < 12<<20 || took > 6<<20 {
		t.Errorf("%d bytes of memory for %d bytes of parameters", took, size)
	}
}
