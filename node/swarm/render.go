package swarm

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/protocol"
)

// style is the look of a part of a line: parameters of an ANSI SGR sequence.
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

const (
	mostNotes  = 6  // lines of notes in the display, where there is room
	fewNotes   = 2  // where there is not
	besideBars = 50 // columns beside a bar: its label and its text
	mostBar    = 60 // columns of the longest bar
)

// render draws the view as lines, none wider than columns, and not more than rows.
func render(v *view, elapsed time.Duration, columns, rows int, colour bool) []string {
	width := min(max(columns-besideBars, 8), mostBar)
	lines := []line{
		{{bold, "ALIA "}, {cyan, v.network}, {faint, "  " + v.pair + "  "}, {plain, clock(elapsed) + "  "}, {yellow, v.phase}},
		{},
		{{faint, "rounds  "}, {green, bar(v.round, v.rounds, width)}, {plain, "  " + progress(v)}},
		{{faint, "loss    "}, {cyan, pad(sparkline(v.losses, width), width)}, {plain, "  " + lossText(v)}},
		{{faint, "ledger  "}, {plain, ledgerText(v)}},
		{},
	}
	var ends []line
	for _, name := range v.others {
		if why, isDown := v.down[name]; isDown {
			ends = append(ends, line{{plain, pad(name, 13)}, {red, "down: " + why}})
		}
	}
	// Miners come before notes where the terminal has not enough rows for both.
	room := max(rows-len(lines)-len(ends)-1, fewNotes+1)
	notes := min(mostNotes, max(fewNotes, room-len(v.miners)), len(v.notes))
	lines = append(append(lines, minerLines(v.miners, room-notes)...), ends...)
	lines = append(lines, line{})
	for _, n := range v.notes[len(v.notes)-notes:] {
		lines = append(lines, line{{faint, clock(n.at) + "  "}, {plain, shortCIDs(n.text)}})
	}
	lines = lines[:min(len(lines), max(rows, 1))]
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.fit(columns, colour)
	}
	return out
}

// minerLines draws the miners in at most rows lines.
func minerLines(miners []minerView, rows int) []line {
	var lines []line
	for i, m := range miners {
		if hidden := len(miners) - i; hidden > 1 && i == rows-1 {
			states := map[procState]int{}
			for _, m := range miners[i:] {
				states[m.state]++
			}
			text := fmt.Sprintf("and %d more:", hidden)
			for s := starting; s <= later; s++ {
				if states[s] > 0 {
					text += fmt.Sprintf(" %d %v,", states[s], s)
				}
			}
			return append(lines, line{{faint, strings.TrimSuffix(text, ",")}})
		}
		lines = append(lines, minerLine(m))
	}
	return lines
}

// cidStart begins the CIDs of records, and cidShown is the characters shown of one.
const (
	cidStart = "bafy"
	cidShown = 15
)

// shortCIDs cuts the CIDs in a text, which are 59 characters long.
func shortCIDs(text string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if strings.HasPrefix(w, cidStart) && len(w) > 2*cidShown {
			end := w[len(strings.TrimRight(w, ":;,.")):] // punctuation after it
			words[i] = w[:cidShown] + "…" + end
		}
	}
	return strings.Join(words, " ")
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
	text := fmt.Sprintf("%.3f", v.losses[len(v.losses)-1])
	if v.speed > 0 {
		text += fmt.Sprintf("  %.0f tokens/s", v.speed)
	}
	if v.valid > 0 {
		text += fmt.Sprintf("  validation %.3f", v.valid)
	}
	return text
}

func ledgerText(v *view) string {
	switch {
	case v.ledgerDown:
		return fmt.Sprintf("unreachable since height %d; work goes on and is claimed later", v.height)
	case v.height == 0:
		return "starting"
	}
	text := fmt.Sprintf("height %d  minted %s  supply %s ALIA", v.height, shortAmount(v.minted), shortAmount(v.supply))
	if up, all := v.ledgers(); all > 1 {
		text += fmt.Sprintf("  %d of %d nodes up", up, all)
	}
	return text
}

// shortAmount writes an amount in ALIA, cut to four digits after the point, so that
// amounts stand below each other.
func shortAmount(amount uint64) string {
	return fmt.Sprintf("%d.%04d", amount/protocol.Coin, amount%protocol.Coin/(protocol.Coin/10_000))
}

func minerLine(m minerView) line {
	style := plain
	switch m.state {
	case working:
		style = green
	case down:
		style = red
	case starting, idle, later:
		style = yellow
	}
	text := m.state.String()
	if m.reason != "" {
		text += ": " + m.reason
	}
	return line{
		{bold, pad(m.name, 9)}, {faint, pad(m.device, 9)}, {plain, fmt.Sprintf("%4d units", m.units)},
		{plain, fmt.Sprintf("%9s ALIA  ", shortAmount(m.balance))}, {style, text},
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

// sparkline draws values in at most width columns, between the least and the
// greatest. A column is the mean of its share of the values.
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
