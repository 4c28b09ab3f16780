package swarm

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Screen shows a swarm: redrawn in place on a terminal, in plain lines
// elsewhere. A nil Screen shows nothing.
type Screen struct {
	out    io.Writer
	width  func() int // nil where there is no terminal
	colour bool

	drawn  int           // lines on the terminal now
	told   int           // notes printed
	spoken time.Duration // time of the last status line
}

// NewScreen returns a screen on out. width gives a terminal's columns, and is
// nil where out is none.
func NewScreen(out io.Writer, width func() int, colour bool) *Screen {
	return &Screen{out: out, width: width, colour: colour}
}

// statusEvery is the pause between status lines where there is no terminal.
const statusEvery = 3 * time.Second

// Show brings what is shown up to date.
func (s *Screen) Show(v *view, elapsed time.Duration) {
	switch {
	case s == nil:
	case s.width == nil:
		s.print(v, elapsed)
	default:
		s.draw(render(v, elapsed, s.width()-1, s.colour))
	}
}

// print writes the notes not yet told, and now and then the status.
func (s *Screen) print(v *view, elapsed time.Duration) {
	fresh := min(v.noted-s.told, len(v.notes))
	for _, n := range v.notes[len(v.notes)-fresh:] {
		fmt.Fprintf(s.out, "%s | %s\n", clock(n.at), n.text)
	}
	s.told = v.noted
	if elapsed-s.spoken >= statusEvery {
		s.spoken = elapsed
		fmt.Fprintln(s.out, status(v, elapsed))
	}
}

// draw replaces the lines drawn before. The whole frame is one write between
// the marks of a synchronised update, so that no terminal shows half of it.
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

// Close leaves what is drawn and gives the terminal its cursor back. Showing
// again after it begins anew below.
func (s *Screen) Close() {
	if s != nil && s.width != nil && s.drawn > 0 {
		fmt.Fprint(s.out, "\x1b[?25h")
		s.drawn = 0
	}
}
