package swarm

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Screen shows a swarm to a person. On a terminal it draws a display again and
// again in the same place; elsewhere it prints lines. A nil Screen shows nothing.
type Screen struct {
	out    io.Writer
	size   func() (columns, rows int) // nil where there is no terminal
	colour bool

	drawn   int           // lines of the last display
	printed int           // notes printed
	spoken  time.Duration // time of the last status line
}

// NewScreen returns a screen on out. size returns a terminal's columns and rows; it
// is nil where out is not a terminal.
func NewScreen(out io.Writer, size func() (columns, rows int), colour bool) *Screen {
	return &Screen{out: out, size: size, colour: colour}
}

// statusEvery is the pause between status lines where there is no terminal.
const statusEvery = 3 * time.Second

// show shows the newest state of a swarm.
func (s *Screen) show(v *view, elapsed time.Duration) {
	switch {
	case s == nil:
	case s.size == nil:
		s.print(v, elapsed)
	default:
		columns, rows := s.size()
		s.draw(render(v, elapsed, columns-1, rows-1, s.colour)) // the cursor needs a column and a row
	}
}

// print prints the new notes, and a status line from time to time.
func (s *Screen) print(v *view, elapsed time.Duration) {
	fresh := min(v.noted-s.printed, len(v.notes))
	for _, n := range v.notes[len(v.notes)-fresh:] {
		fmt.Fprintf(s.out, "%s | %s\n", clock(n.at), n.text)
	}
	s.printed = v.noted
	if elapsed-s.spoken >= statusEvery {
		s.spoken = elapsed
		fmt.Fprintln(s.out, status(v, elapsed))
	}
}

// draw replaces the last display. The display is one write between the marks of a
// synchronised update, so that a terminal never shows half of it.
func (s *Screen) draw(lines []string) {
	var b strings.Builder
	b.WriteString("\x1b[?2026h\x1b[?25l")
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.drawn)
	}
	for _, l := range lines {
		b.WriteString("\r" + l + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?2026l")
	fmt.Fprint(s.out, b.String())
	s.drawn = len(lines)
}

// close leaves the last display on the terminal and shows the cursor again. A
// display after it begins below.
func (s *Screen) close() {
	if s != nil && s.size != nil && s.drawn > 0 {
		fmt.Fprint(s.out, "\x1b[?25h")
		s.drawn = 0
	}
}
