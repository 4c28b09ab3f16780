package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal is standard error, of this process or of a guest: lines of text and, during a run, one status
// line below them that is drawn again and again. Text never lands on the status
// line: the line is cleared first and drawn again after the text.
type terminal struct {
	// size is the terminal's columns and rows; nil where text goes elsewhere: then
	// nothing is drawn.
	size func() (columns, rows int)

	mu     sync.Mutex // guards what follows
	out    io.Writer
	status string // on the screen now, "" for none
}

// newTerminal writes to a file, which may be a terminal or not.
func newTerminal(f *os.File) *terminal {
	t := &terminal{out: f}
	if term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		t.size = func() (columns, rows int) { return sizeOf(f) }
	}
	return t
}

// sizeOf is a terminal's columns and rows, 80 and 24 when the system does not tell.
func sizeOf(f *os.File) (columns, rows int) {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

const clearLine = "\r\x1b[K"

// Write writes whole lines of text, above the status line if there is one.
func (t *terminal) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status == "" {
		return t.out.Write(text)
	}
	if _, err := fmt.Fprintf(t.out, "%s%s%s", clearLine, text, t.status); err != nil {
		return 0, err
	}
	return len(text), nil
}

// draw replaces the status line; "" takes it away.
func (t *terminal) draw(status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if status != t.status {
		fmt.Fprint(t.out, clearLine+status) // standard error has nobody to tell
		t.status = status
	}
}

// width is the terminal's columns.
func (t *terminal) width() int {
	columns, _ := t.size()
	return columns
}

// onTerminal returns the terminal behind w, if w is one.
func onTerminal(w io.Writer) (t *terminal, ok bool) {
	t, ok = w.(*terminal)
	return t, ok && t.size != nil
}

// progress is the progress of a run, for its status line.
type progress struct {
	began       time.Time // when this process began with the run
	first       int       // rounds that were done then
	done, total int
	text        string // of the newest round
}

// leastBar is the columns below which a status line has no bar.
const leastBar = 10

// line is the status line at a time, shorter than width. Rate and time left
// count only the rounds of this process: a run that goes on is not faster for
// the rounds before.
func (p progress) line(now time.Time, width int) string {
	left := fmt.Sprintf("round %d of %d, %s ", p.done, p.total, p.text)
	right := ""
	if fresh, took := p.done-p.first, now.Sub(p.began).Seconds(); fresh > 0 && took > 0 {
		rate := float64(fresh) / took
		right = fmt.Sprintf(" %.2g rounds/s, %s left", rate, minutes(time.Duration(float64(p.total-p.done)/rate*float64(time.Second))))
		if rate >= 10 {
			right = fmt.Sprintf(" %.0f rounds/s, %s left", rate, minutes(time.Duration(float64(p.total-p.done)/rate*float64(time.Second))))
		}
	}
	return withBar(left, right, p.done, p.total, width)
}

// withBar puts a bar of what is done between two texts, if there is room for one. The line
// is shorter than width.
func withBar(left, right string, done, total, width int) string {
	bar := min(width-1-utf8.RuneCountInString(left+right), 40)
	if bar < leastBar {
		if line := []rune(left + right); len(line) >= width {
			return string(line[:max(width-1, 0)])
		}
		return left + right
	}
	full := bar * min(done, total) / max(total, 1)
	return left + strings.Repeat("█", full) + strings.Repeat("░", bar-full) + right
}

// minutes writes a duration as 3:07 or 1:03:07.
func minutes(d time.Duration) string {
	s := int(d.Seconds() + 0.5)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
