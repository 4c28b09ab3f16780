package swarm

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/protocol"
)

// style is how a part of a line looks: the parameters of an ANSI SGR sequence.
type style string

const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// span is a part of a line in one style. Every character is one column wide.
type span struct {
	style style
	text  string
}

// line is a line of the display.
type line []span

// fit writes the line in at most width columns, coloured or not.
func (l line) fit(width int, colour bool) string {
	var b strings.Builder
	for _, s := range l {
		text := s.text
		if n := utf8.RuneCountInString(text); n > width {
			text = string([]rune(text)[:max(width-1, 0)])
			if width > 0 {
				text += "…"
			}
			width = 0
		} else {
			width -= n
		}
		if colour && s.style != plain && text != "" {
			text = "\x1b[" + string(s.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}

// shownNotes is the lines of the log in the display.
const shownNotes = 6

// render is the display at a moment, one string a line, none wider than width.
func render(v *view, elapsed time.Duration, width int, colour bool) []string {
	barWidth := min(max(width-42, 8), 60)
	lines := []line{
		{{bold, "ALIA "}, {cyan, v.network}, {faint, "  " + v.pair + "  "}, {plain, clock(elapsed) + "  "}, {yellow, v.phase}},
		{},
		{{faint, "rounds  "}, {green, bar(v.round, v.rounds, barWidth)}, {plain, "  " + progress(v)}},
		{{faint, "loss    "}, {cyan, pad(sparkline(v.losses, barWidth), barWidth)}, {plain, "  " + lossText(v)}},
		{{faint, "ledger  "}, {plain, ledgerText(v)}},
		{},
	}
	for _, m := range v.miners {
		lines = append(lines, minerLine(m))
	}
	for _, name := range []string{CoordinatorName, LedgerName} {
		if why, isDown := v.down[name]; isDown {
			lines = append(lines, line{{plain, pad(name, 13)}, {red, "down  " + why}})
		}
	}
	lines = append(lines, line{})
	for _, n := range v.notes[max(0, len(v.notes)-shownNotes):] {
		lines = append(lines, line{{faint, clock(n.at) + "  "}, {plain, n.text}})
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.fit(width, colour)
	}
	return out
}

// status is the display in one line, for where there is no terminal.
func status(v *view, elapsed time.Duration) string {
	parts := []string{clock(elapsed)}
	if v.rounds > 0 {
		parts = append(parts, "round "+progress(v), lossText(v))
	} else {
		parts = append(parts, v.phase)
	}
	parts = append(parts, ledgerText(v))
	var units []string
	for _, m := range v.miners {
		units = append(units, fmt.Sprintf("%s %d", m.name, m.units))
	}
	return strings.Join(append(parts, "units: "+strings.Join(units, ", ")), " | ")
}

func progress(v *view) string {
	if v.rounds == 0 {
		return "planning"
	}
	text := fmt.Sprintf("%d/%d %3d %%", v.round, v.rounds, 100*v.round/v.rounds)
	if left := v.left(); left > 0 {
		text += "  " + clock(left) + " left"
	}
	return text
}

func lossText(v *view) string {
	if len(v.losses) == 0 {
		return ""
	}
	text := fmt.Sprintf("%.3f  %.0f tokens/s", v.losses[len(v.losses)-1], v.speed)
	if v.valid > 0 {
		text += fmt.Sprintf("  validation %.3f", v.valid)
	}
	return text
}

func ledgerText(v *view) string {
	switch {
	case v.ledgerDown:
		return fmt.Sprintf("unreachable since height %d; work goes on and settles later", v.height)
	case v.height == 0:
		return "starting"
	}
	return fmt.Sprintf("height %d  minted %s  supply %s ALIA", v.height, protocol.FormatAmount(v.minted), protocol.FormatAmount(v.supply))
}

func minerLine(m minerView) line {
	style := plain
	switch m.state {
	case stateWorking:
		style = green
	case stateDown:
		style = red
	case stateStarting, stateWaiting, stateLater:
		style = yellow
	}
	text := m.state.String()
	if m.reason != "" {
		text += ": " + m.reason
	}
	return line{
		{bold, pad(m.name, 9)}, {faint, pad(m.device, 9)}, {plain, fmt.Sprintf("%6d units  ", m.units)},
		{plain, fmt.Sprintf("%12s ALIA  ", protocol.FormatAmount(m.balance))}, {style, text},
	}
}

// bar draws done of all in width columns, to an eighth of a column.
func bar(done, all, width int) string {
	eighths := 0
	if all > 0 {
		eighths = 8 * width * min(done, all) / all
	}
	full := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		full += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return full + strings.Repeat("░", width-utf8.RuneCountInString(full))
}

// sparkline draws values in at most width columns, each the mean of its share
// of them, between the least and the greatest of these.
func sparkline(values []float64, width int) string {
	n := min(len(values), width)
	if n == 0 {
		return ""
	}
	means := make([]float64, n)
	for i := range means {
		lo, hi := i*len(values)/n, (i+1)*len(values)/n
		sum := 0.0
		for _, x := range values[lo:hi] {
			sum += x
		}
		means[i] = sum / float64(hi-lo)
	}
	low, high := slices.Min(means), slices.Max(means)
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, x := range means {
		level := 0
		if high > low {
			level = int((x - low) / (high - low) * float64(len(levels)-1))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// clock writes a duration as minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
