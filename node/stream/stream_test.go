package stream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/alia-network/alia/work/text"
)

// upper is a filter that translates into capitals, and the sizes of its batches.
func upper(out io.Writer, batch int) (*Filter, *[]int) {
	var sizes []int
	return &Filter{Batch: batch, Fits: fitsHundred, Out: out, Translate: func(s []string) ([]text.Traced, error) {
		sizes = append(sizes, len(s))
		t := make([]text.Traced, len(s))
		for i := range s {
			t[i].Text = strings.ToUpper(s[i])
			for w := range text.Words(s[i]) {
				t[i].Links = append(t[i].Links, text.WordLink{Source: w, Target: w})
			}
		}
		return t, nil
	}}, &sizes
}

func fitsHundred(s string) bool { return len(s) <= 100 }

func TestFilterKeepsLines(t *testing.T) {
	long := strings.Repeat("some words. Others follow, ", 20_000)
	for _, c := range []struct {
		in, want string
		found    Findings
	}{
		{"", "", Findings{}},
		{"\n", "\n", Findings{Lines: 1}},
		{"one. Two", "ONE. TWO\n", Findings{Lines: 1}},
		{"  one\t\n\n\r\ntwo  three.  Four\r\n", "  ONE\t\n\n\r\nTWO  THREE.  FOUR\r\n", Findings{Lines: 4}},
		{"a\vb\fc\rd\u2028e\u0085f", "A\vB\fC\rD\u2028E\u0085F\n", Findings{Lines: 1}},
		{"a\nb\xff\xfec\n\x00\x1b[31m\n", "A\nB\ufffd\ufffdC\n  [31M\n", Findings{Lines: 3, Invalid: 2, Control: 2, First: 2}},
		{"a\n" + strings.Repeat("x", 101), "A\n" + strings.Repeat("X", 101) + "\n", Findings{Lines: 2, Cuts: 1, First: 2}},
		{long + "\n" + long, strings.ToUpper(long + "\n" + long + "\n"), Findings{Lines: 2}},
		{strings.Repeat(" ", 200_000) + "x", strings.Repeat(" ", 200_000) + "X\n", Findings{Lines: 1}},
		{strings.Repeat("\n", 5000), strings.Repeat("\n", 5000), Findings{Lines: 5000}},
	} {
		for _, batch := range []int{1, 7, 64} {
			var out bytes.Buffer
			f, sizes := upper(&out, batch)
			if err := f.Run(t.Context(), strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want {
				t.Errorf("batch %d: %.80q gives %.80q, want %.80q", batch, c.in, out.String(), c.want)
			}
			if c.in[:min(len(c.in), 4)] == "some" {
				c.found.Cuts = f.Cuts // some, since no sentence of long ends
			}
			if f.Findings != c.found || (f.Warning() != "") != (c.found.First > 0) {
				t.Errorf("batch %d: %.80q: found %+v, want %+v; %s", batch, c.in, f.Findings, c.found, f.Warning())
			}
			if slices.ContainsFunc(*sizes, func(n int) bool { return n > batch }) {
				t.Errorf("batches of %v, at most %d are asked for", *sizes, batch)
			}
		}
	}
}

// TestFilterCopies: what has no letters is not translated.
func TestFilterCopies(t *testing.T) {
	var out bytes.Buffer
	f, sizes := upper(&out, 64)
	const in = "12:30\n -- 7\x1b --\t\r\none. 12! 34!\n5 km\n"
	if err := f.Run(t.Context(), strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "12:30\n -- 7  --\t\r\nONE. 12! 34!\n5 KM\n"; got != want || f.Sentences != 2 {
		t.Errorf("%q gives %q, %d sentences, in batches of %v", in, got, f.Sentences, *sizes)
	}
}

// TestFilterAligns: links are between the words of lines, also of lines in several parts, and
// stand in front of a carriage return. Seen is told the sentences with their lines.
func TestFilterAligns(t *testing.T) {
	long := strings.Repeat("two words. Three more here, ", 5_000)
	var want strings.Builder
	for i := range len(text.Words(long)) {
		fmt.Fprintf(&want, " %d-%d", i, i)
	}
	for in, want := range map[string]string{
		"one two.  Three\n\n12 %\r\n": "ONE TWO.  THREE|0-0 1-1 2-2\n|\n12 %|0-0 1-1\r\n",
		long:                          strings.ToUpper(long) + "|" + want.String()[1:] + "\n",
	} {
		var out bytes.Buffer
		f, _ := upper(&out, 7)
		f.End = func(links []text.WordLink) string { return "|" + text.Pharaoh(links) }
		seen := map[int]string{}
		f.Seen = func(line int, sentence string, tr text.Traced) {
			if tr.Text != strings.ToUpper(sentence) {
				t.Errorf("seen %q as %q", sentence, tr.Text)
			}
			seen[line] += sentence + "/"
		}
		f.Code = func(line string) (string, string, error) { return "", line, nil }
		if err := f.Run(t.Context(), strings.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("%.60q gives %d bytes, want %d: %.99q", in, len(got), len(want), got)
		}
		if in != long && (len(seen) != 1 || seen[1] != "one two./Three/") {
			t.Errorf("seen %v", seen)
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
	go func() { done <- f.Run(t.Context(), in) }()
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
	f.Full = true
	if err := f.Run(t.Context(), strings.NewReader(in.String())); err != nil {
		t.Fatal(err)
	}
	if want := []int{17, 16, 16, 16, 16, 16, 4}; !slices.Equal(*sizes, want) || f.Sentences != 200 {
		t.Errorf("batches of %v and %d sentences, want %v and 200", *sizes, f.Sentences, want)
	}
}

func TestFilterFails(t *testing.T) {
	broken := errors.New("broken")
	var out bytes.Buffer
	f, _ := upper(&out, 4)
	err := f.Run(t.Context(), io.MultiReader(strings.NewReader("one\ntwo\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || out.String() != "ONE\nTWO\n" {
		t.Errorf("a broken input: %v after %q", err, out.String())
	}
	f, _ = upper(io.Discard, 4)
	f.Translate = func([]string) ([]text.Traced, error) { return nil, broken }
	if err := f.Run(t.Context(), strings.NewReader("one\n")); !errors.Is(err, broken) {
		t.Errorf("a broken model: %v", err)
	}
	in, keyboard := io.Pipe()
	f, _ = upper(broke{}, 4)
	go keyboard.Write([]byte("one\n"))
	if err := f.Run(t.Context(), in); !errors.Is(err, io.ErrClosedPipe) {
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
	capitals := f.Translate
	f.Translate = func(s []string) ([]text.Traced, error) {
		if s[0] != "first" {
			interrupt()
		}
		return capitals(s)
	}
	go io.WriteString(keyboard, "first\n"+strings.Repeat("word ", 100_000))
	if err := f.Run(ctx, in); !errors.Is(err, context.Canceled) {
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
		capitals := f.Translate
		f.Translate = func(s []string) ([]text.Traced, error) {
			most = max(most, len(f.parts), len(f.sentences))
			return capitals(s)
		}
		if err := f.Run(t.Context(), io.LimitReader(&endless{line: line}, size)); err != nil {
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
			if err := f.Run(t.Context(), in); err != nil {
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
