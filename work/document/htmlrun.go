package document

import (
	"bytes"
	"strings"
)

// lineFinder finds the line of a place for people. Places come in their sequence.
type lineFinder struct {
	name string
	data []byte
	at   int
	line int
}

func (l *lineFinder) where(at int) string {
	if at > l.at {
		l.line += bytes.Count(l.data[l.at:at], []byte("\n"))
		l.at = at
	}
	return where(l.name, l.line)
}

// flush ends a run: it becomes a segment, if it has text.
func (r *htmlReader) flush() {
	run, attrs := r.run, r.attrs
	r.run, r.attrs = nil, nil
	pieces := r.pieces(run)
	pieces = strip(pieces)
	if !worth(pieces) {
		for _, a := range attrs {
			r.addAttribute(a)
		}
		return
	}
	pieces = trimPieces(pieces)
	start, last := pieces[0].at, pieces[len(pieces)-1]
	end := last.at + len(last.Raw)
	for len(attrs) > 0 && attrs[0].at < start {
		r.addAttribute(attrs[0])
		attrs = attrs[1:]
	}
	m := r.markup
	r.d.add(&r.part, start, end, Segment{Where: r.line.where(start), Pieces: pieces},
		func(b []byte, target []Piece, _ bool) []byte { return m.write(b, target) })
	for _, a := range attrs {
		r.addAttribute(a)
	}
}

// pieces makes pieces of a run. A tag without its partner in the run is a code.
func (r *htmlReader) pieces(run []item) (all []Piece) {
	pair := make([]int, len(run)) // number of each tag that has its partner
	byName := map[string][]int{}  // open tags
	var opened []int
	pairs := 0
	for i, it := range run {
		switch it.kind {
		case Open:
			byName[it.name] = append(byName[it.name], i)
			opened = append(opened, i)
		case Close:
			same := byName[it.name]
			if len(same) == 0 {
				continue
			}
			// What was opened after the partner is not closed inside it: it is a code.
			from := same[len(same)-1]
			for {
				last := opened[len(opened)-1]
				opened = opened[:len(opened)-1]
				name := run[last].name
				byName[name] = byName[name][:len(byName[name])-1]
				if last == from {
					break
				}
			}
			pairs++
			pair[from], pair[i] = pairs, pairs
		}
	}
	read := reader{markup: r.markup, space: true}
	for i, it := range run {
		raw := string(r.part.data[it.at:it.end])
		switch {
		case it.kind == Plain:
			all = append(all, read.pieces(raw, it.at)...)
			continue
		case it.kind != Code && pair[i] > 0:
			all = append(all, Piece{Kind: it.kind, Raw: raw, Pair: pair[i], at: it.at})
			continue
		}
		p := Piece{Kind: Code, Raw: raw, at: it.at}
		if len(it.text) > 0 && !hidden[it.name] {
			p.Text = r.plainText(string(it.text))
		}
		switch it.name {
		case "br":
			read.space = true
		case "", "script", "style", "template", "wbr": // nothing to see
		default:
			read.space = false
		}
		all = append(all, p)
	}
	r.d.full = r.d.full || len(all) > maxRun
	return all
}

// plainText is text of the file as a reader sees it, in one line.
func (m markup) plainText(raw string) string {
	var b strings.Builder
	read := reader{markup: m, space: true}
	for _, p := range read.pieces(raw, 0) {
		b.WriteString(p.Text)
	}
	return strings.TrimSpace(b.String())
}

// strip takes away the codes and tags around a text that are not needed inside the
// segment: what is outside needs no place in the translation.
func strip(pieces []Piece) []Piece {
	seen := make([]int, len(pieces)+1) // bytes of text before each piece
	partner := map[int]int{}           // of a pair: the sum of its places
	for i, p := range pieces {
		seen[i+1] = seen[i] + len(strings.TrimSpace(p.Text))
		if p.Kind == Open || p.Kind == Close {
			partner[p.Pair] += i
		}
	}
	lo, hi := 0, len(pieces)
	for lo < hi {
		first, last := pieces[lo], pieces[hi-1]
		switch {
		case first.Kind <= Code && strings.TrimSpace(first.Text) == "":
			lo++
		case last.Kind <= Code && strings.TrimSpace(last.Text) == "":
			hi--
		case first.Kind == Open && partner[first.Pair]-lo == hi-1:
			lo, hi = lo+1, hi-1
		case first.Kind == Open && seen[partner[first.Pair]-lo] == seen[lo]:
			lo = partner[first.Pair] - lo + 1
		case last.Kind == Close && seen[partner[last.Pair]-(hi-1)] == seen[hi]:
			hi = partner[last.Pair] - (hi - 1)
		default:
			return pieces[lo:hi]
		}
	}
	return nil
}

// worth reports whether there is text to translate in pieces.
func worth(pieces []Piece) bool {
	for _, p := range pieces {
		if p.Kind == Plain && hasText(p.Text) {
			return true
		}
	}
	return false
}

// trimPieces takes white space away before the first text and after the last. It is not
// part of the segment, so that the translation keeps the file's lines.
func trimPieces(pieces []Piece) []Piece {
	if p := &pieces[0]; p.Kind == Plain {
		raw := strings.TrimLeft(p.Raw, " \t\n\r\f")
		p.at += len(p.Raw) - len(raw)
		p.Text, p.Raw = strings.TrimLeft(p.Text, " "), raw
	}
	if p := &pieces[len(pieces)-1]; p.Kind == Plain {
		p.Text, p.Raw = strings.TrimRight(p.Text, " "), strings.TrimRight(p.Raw, " \t\n\r\f")
	}
	return pieces
}
