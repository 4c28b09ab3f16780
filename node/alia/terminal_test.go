package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// screen plays what is written to a terminal, and returns its lines.
func screen(written string) []string {
	lines, at := []string{""}, 0
	for len(written) > 0 {
		switch {
		case strings.HasPrefix(written, "\x1b[K"): // to the line's end
			last := []rune(lines[len(lines)-1])
			lines[len(lines)-1] = string(last[:min(at, len(last))])
			written = written[3:]
			continue
		case written[0] == '\r':
			at = 0
		case written[0] == '\n':
			lines, at = append(lines, ""), 0
		default:
			r, n := utf8.DecodeRuneInString(written)
			last := []rune(lines[len(lines)-1])
			lines[len(lines)-1] = string(append(last[:min(at, len(last))], r))
			at++
			written = written[n:]
			continue
		}
		written = written[1:]
	}
	return lines
}

// TestTerminal: text stands above the status line, whole, and the line goes
// without a trace.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	term := &terminal{out: &out}
	fmt.Fprintln(term, "before")
	term.draw("round 1 of 9, a long status line")
	fmt.Fprintln(term, "refused: superseded")
	term.draw("round 2 of 9")
	fmt.Fprintf(term, "two\nlines\n")
	if got, want := fmt.Sprintf("%q", screen(out.String())), `["before" "refused: superseded" "two" "lines" "round 2 of 9"]`; got != want {
		t.Errorf("the screen has %s, want %s", got, want)
	}
	term.draw("")
	fmt.Fprintln(term, "after")
	if got, want := fmt.Sprintf("%q", screen(out.String())), `["before" "refused: superseded" "two" "lines" "after" ""]`; got != want {
		t.Errorf("then the screen has %s, want %s", got, want)
	}
}

// TestProgress: no status line is as wide as the terminal, and rounds from
// before this process count for no rate.
func TestProgress(t *testing.T) {
	began := time.Unix(0, 0)
	p := progress{began: began, first: 12, done: 13, total: 43, text: "epoch 1, loss 7.771"}
	for width := 1; width < 140; width++ {
		if got := p.line(began.Add(time.Second), width); utf8.RuneCountInString(got) >= width {
			t.Fatalf("width %d: %q", width, got)
		}
	}
	if got := p.line(began.Add(2*time.Second), 100); !strings.Contains(got, " 0.5 rounds/s, 1:00 left") || !strings.Contains(got, "█") {
		t.Errorf("after one round in two seconds: %q", got)
	}
	p.done = 12
	if got := p.line(began.Add(2*time.Second), 100); strings.Contains(got, "rounds/s") {
		t.Errorf("after no round: %q", got)
	}
	if got := minutes(3723 * time.Second); got != "1:02:03" {
		t.Errorf("3723 s are written %q", got)
	}
}
