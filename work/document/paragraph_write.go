package document

import (
	"slices"
	"strings"
	"unicode"
)

// segmentWriter writes the target of a segment.
type segmentWriter struct {
	src    string
	text   func([]byte, string) []byte
	source []Piece
	starts []int    // where the piece begins in src
	base   *textRun // of text outside of all pairs
	// By the pair's or the code's number.
	open, close, codes map[int]string
	runs               map[int]*textRun
	nested             map[int]bool
	before, after      []byte // anchors
	numbers            int
	since              int // where a nested code ended: the next piece begins there
}

func (w *segmentWriter) put(at int, p Piece) {
	if w.since > 0 {
		at, w.since = w.since, 0
	}
	w.source, w.starts = append(w.source, p), append(w.starts, at)
}

// level makes the pieces of items, and returns the run whose format most of the text has.
// Text of another format stands in a pair.
func (w *segmentWriter) level(all []paraItem) *textRun {
	all = slices.Clone(all)
	smooth(all)
	base, next := commonest(all), nextWords(all)
	var within *textRun // the format of the pair that is open
	number := 0
	leave := func(at int) {
		if within != nil {
			w.put(at, Piece{Kind: Close, Pair: number})
			within = nil
		}
	}
	last := 0
	for i := 0; i < len(all); i++ {
		in := all[i]
		switch in.kind {
		case inWords:
			text, more := w.run(all[i:])
			start, end, r := in.at, all[i+more].end, in.run
			i += more
			if within != nil && r.key != within.key {
				leave(last)
			}
			last = end
			if within == nil && r.key != base.key {
				w.numbers++
				number = w.numbers
				if !hasText(text) && !r.like(next[i+1]) {
					w.put(start, Piece{Kind: Code, Text: text, Pair: number})
					w.codes[number] = r.newOpen + string(w.text(nil, text)) + r.newClose
					continue
				}
				within, w.runs[number] = r, r
				w.put(start, Piece{Kind: Open, Pair: number})
			}
			w.words(text, start, end)
		case inAnchor:
			w.anchor(in)
		case inPair:
			leave(last)
			w.numbers++
			n := w.numbers
			w.open[n], w.close[n] = in.open, in.close
			w.put(in.at, Piece{Kind: Open, Pair: n})
			w.runs[n] = w.level(in.inside)
			w.put(w.endOf(in), Piece{Kind: Close, Pair: n})
			last = in.end
		default:
			if within != nil && !within.like(next[i]) {
				leave(last)
			}
			w.code(in)
			last = in.end
		}
	}
	leave(last)
	return base
}

// run is the text of one format with which a list begins, with what has no width in it, and
// how many items it takes besides the first.
func (w *segmentWriter) run(all []paraItem) (text string, more int) {
	var b strings.Builder
	b.WriteString(all[0].text)
	for i := 1; i < len(all); i++ {
		if all[i].kind == inAnchor {
			continue
		}
		if all[i].kind != inWords || all[i].run.key != all[0].run.key {
			break
		}
		for _, between := range all[more+1 : i] {
			w.anchor(between)
		}
		b.WriteString(all[i].text)
		more = i
	}
	return b.String(), more
}

// words makes the pieces of a text. The first has the bytes of all.
func (w *segmentWriter) words(text string, at, end int) {
	if text == "" {
		w.put(at, Piece{Kind: Plain})
	}
	for _, piece := range placeholders(text) {
		w.put(at, Piece{Kind: piece.Kind, Text: piece.Text})
		at = end
	}
}

// endOf is where the inside of a pair ends.
func (w *segmentWriter) endOf(in paraItem) int {
	if len(in.inside) == 0 {
		return in.end
	}
	return in.inside[len(in.inside)-1].end
}

// nextWords are the formats of the words that come next, from each item on. nil: there are
// none before the next pair.
func nextWords(all []paraItem) []*textRun {
	next := make([]*textRun, len(all)+1)
	for i := len(all) - 1; i >= 0; i-- {
		switch all[i].kind {
		case inWords:
			next[i] = all[i].run
		case inPair:
		default:
			next[i] = next[i+1]
		}
	}
	return next
}

// like reports whether there is text to come, and it has the same format.
func (r *textRun) like(next *textRun) bool { return next != nil && next.key == r.key }

func (w *segmentWriter) anchor(in paraItem) {
	w.before, w.after = append(w.before, in.before...), append(w.after, in.after...)
}

func (w *segmentWriter) code(in paraItem) {
	if in.kind == inNested && w.since > 0 {
		w.put(in.at, Piece{Kind: Plain}) // what stands between two nested codes
	}
	w.numbers++
	w.put(in.at, Piece{Kind: Code, Text: in.text, Pair: w.numbers})
	if in.kind == inNested {
		w.nested[w.numbers], w.since = true, in.end
		return
	}
	w.codes[w.numbers] = alone(in, w.src[in.at:in.end])
}

// alone is an paraItem with the tags of the run that it is a part of.
func alone(in paraItem, raw string) string {
	if in.left != nil {
		raw = in.left.open + raw
	}
	if in.right != nil {
		raw += in.right.close
	}
	return raw
}

// smooth gives text without letters or digits the format of the text beside it: nobody sees
// that a space is bold.
func smooth(all []paraItem) {
	var before *textRun
	for i := range all {
		if all[i].kind != inWords {
			continue
		}
		seen := strings.IndexFunc(all[i].text, func(r rune) bool { return !unicode.IsSpace(r) }) >= 0
		if !seen && before != nil {
			all[i].run = before
		}
		before = all[i].run
	}
	before = nil
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].kind != inWords {
			continue
		}
		if strings.TrimSpace(all[i].text) == "" && before != nil {
			all[i].run = before
		}
		before = all[i].run
	}
}

// commonest is the run whose format most of the text has, by its letters; the first of
// those with as many.
func commonest(all []paraItem) *textRun {
	best, most := &textRun{}, -1
	letters := map[string]int{}
	for _, in := range all {
		if in.kind == inWords {
			letters[in.run.key] += len(in.text)
		}
	}
	for _, in := range all {
		if in.kind == inWords && letters[in.run.key] > most {
			best, most = in.run, letters[in.run.key]
		}
	}
	return best
}

// raws gives the pieces the bytes of the file, each up to the next one's.
func (w *segmentWriter) raws(end int) []Piece {
	for i := range w.source {
		to := end
		if i+1 < len(w.source) {
			to = w.starts[i+1]
		}
		w.source[i].Raw = w.src[w.starts[i]:to]
	}
	return w.source
}

// stretch is a place of a segment: what stands between two nested codes of it.
type stretch struct {
	*segmentWriter
	number       int
	first, last  bool
	begins, ends *textRun // the run that the stretch begins, or ends, inside of
}

// encode appends the bytes of the stretch.
func (s stretch) encode(b []byte, target []Piece, _ bool, _ Translations) []byte {
	anew := !slices.Equal(target, s.source)
	if anew && s.begins != nil {
		b = append(b, s.begins.close...)
	}
	if anew && s.first {
		b = append(b, s.before...)
	}
	formats := []*textRun{s.base}
	at := 0
	for _, p := range target {
		if p.Kind == Code && s.nested[p.Pair] {
			at++
			continue
		}
		format := formats[len(formats)-1]
		switch p.Kind {
		case Open:
			formats = append(formats, s.runs[p.Pair])
		case Close:
			formats = formats[:len(formats)-1]
		}
		if at != s.number {
			continue
		}
		if !anew {
			b = append(b, p.Raw...)
			continue
		}
		switch {
		case p.Kind == Open:
			b = append(b, s.open[p.Pair]...)
		case p.Kind == Close:
			b = append(b, s.close[p.Pair]...)
		case p.Kind == Code && p.Pair > 0:
			b = append(b, s.codes[p.Pair]...)
		case p.Text != "":
			b = append(b, format.newOpen...)
			b = s.text(b, p.Text)
			b = append(b, format.newClose...)
		}
	}
	if anew && s.last {
		b = append(b, s.after...)
	}
	if anew && s.ends != nil {
		b = append(b, s.ends.open...)
	}
	return b
}
