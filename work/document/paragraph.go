package document

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// This file makes segments out of the paragraphs of office documents. A format turns a
// paragraph into items; the rest is the same for all: divide makes segments of items,
// segmentWriter makes the pieces of one, and writes its target.
//
// A segment whose target is its source is written by the pieces' Raw. Any other is written
// anew: text in a new run with the format of its place, codes as they were.

// paraItem is something in a paragraph: a text, a code, or a pair of tags with items.
type paraItem struct {
	kind    paraKind
	at, end int
	text    string   // of words; of a code, what a reader sees
	run     *textRun // of words: its format
	// The item begins inside a run, or ends inside one. nil: it does not.
	left, right *textRun
	// Of a pair: the inside, and the tags, so that they can stand by themselves.
	inside      []paraItem
	open, close string
	// Of an anchor: what is written before or after the segment when it is written anew.
	before, after string
}

// paraKind says what an paraItem is.
type paraKind uint8

const (
	inWords  paraKind = iota
	inCode            // is kept in its place
	inNested          // a code with paragraphs of its own, which other segments change
	inLine            // a line break
	inStop            // ends a segment: a tab, a page break
	inPair            // tags around other items
	inAnchor          // has no width, and may move to an end of its segment
)

// textRun is a stretch of text with one format.
type textRun struct {
	open, close string // its tags
	// Of the text in it: runs with one key look the same; newOpen and newClose are the tags
	// of a new run that does.
	key, newOpen, newClose string
}

// paragraphs makes the segments of one member of an archive.
type paragraphs struct {
	doc  *Document
	part *part
	src  string // part.data
	// text appends a text for the inside of a run.
	text  func(b []byte, text string) []byte
	count int
}

func newParagraphs(d *Document, name string, data []byte) *paragraphs {
	return &paragraphs{doc: d, part: &part{name: name, data: data}, src: string(data)}
}

// Bounds of a paragraph: what is past them is no text that a person wrote, and would take
// the square of its length in time.
const (
	maxPairs  = 20  // pairs inside pairs
	maxNested = 100 // notes and text boxes in a segment
)

// add makes the segments of a paragraph.
func (p *paragraphs) add(all []paraItem) {
	p.count++
	for i := range all {
		all[i] = asCode(all[i], maxPairs)
	}
	p.divide(all)
}

// done is the part, when all its paragraphs are added.
func (p *paragraphs) done() part {
	slices.SortStableFunc(p.part.places, func(a, b place) int { return a.at - b.at })
	return *p.part
}

// divide finds the segments in a paragraph, or in a pair of tags: codes at its ends stand
// outside, and it ends where the reader's line does.
func (p *paragraphs) divide(all []paraItem) {
	from, before, nested := 0, "", 0
	for i := range all {
		in := all[i : i+1]
		if nested += countNested(in); in[0].kind == inStop || in[0].kind == inLine && endsSentence(before) || nested > maxNested {
			p.divideOne(all[from:i])
			from, before, nested = i, "", 0
		}
		if seen := visible(in); strings.TrimSpace(seen) != "" {
			before = seen
		}
	}
	p.divideOne(all[from:])
}

func (p *paragraphs) divideOne(all []paraItem) {
	hasWords := func(in paraItem) bool {
		return (in.kind == inWords || in.kind == inPair) && strings.TrimSpace(visible([]paraItem{in})) != ""
	}
	for len(all) > 0 && !hasWords(all[0]) {
		all = all[1:]
	}
	for len(all) > 0 && !hasWords(all[len(all)-1]) {
		all = all[:len(all)-1]
	}
	if len(all) == 1 && all[0].kind == inPair {
		p.divide(all[0].inside)
		return
	}
	if len(all) > 0 {
		p.segment(all)
	}
}

// endsSentence reports whether a sentence ends at the end of a text.
func endsSentence(text string) bool {
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	return strings.HasSuffix(strings.TrimRight(text, `"”»')`), ".") || strings.ContainsAny(lastRune(text), "!?:;…。！？،؟।")
}

func lastRune(text string) string {
	r := []rune(text[max(0, len(text)-4):])
	if len(r) == 0 {
		return ""
	}
	return string(r[len(r)-1])
}

// visible is what a reader sees of items.
func visible(all []paraItem) string {
	var b strings.Builder
	var add func(all []paraItem)
	add = func(all []paraItem) {
		for _, in := range all {
			b.WriteString(in.text)
			add(in.inside)
		}
	}
	add(all)
	return b.String()
}

// asCode makes a code of a pair that has nothing to translate, and of those inside it.
func asCode(in paraItem, pairs int) paraItem {
	if in.kind != inPair {
		return in
	}
	nested := countNested(in.inside)
	if pairs > 0 && nested <= maxNested && worth(placeholders(visible(in.inside))) {
		for i := range in.inside {
			in.inside[i] = asCode(in.inside[i], pairs-1)
		}
		return in
	}
	code := paraItem{kind: inCode, at: in.at, end: in.end, left: in.left, right: in.right}
	if nested > 0 {
		code.kind = inNested
	} else if pairs > 0 {
		code.text = visible(in.inside)
	}
	return code
}

// countNested is how many codes with paragraphs stand in items.
func countNested(all []paraItem) (n int) {
	for _, in := range all {
		if in.kind == inNested {
			n++
		}
		n += countNested(in.inside)
	}
	return n
}

// segment adds a segment, with a place for each stretch between nested paragraphs.
func (p *paragraphs) segment(all []paraItem) {
	w := &segmentWriter{text: p.text, open: map[int]string{}, close: map[int]string{}, runs: map[int]*textRun{}, codes: map[int]string{}, nested: map[int]bool{}, src: p.src}
	w.base = w.level(all)
	end := all[len(all)-1].end
	var cuts []paraItem // the nested ones
	var find func(all []paraItem)
	find = func(all []paraItem) {
		for _, in := range all {
			if in.kind == inNested {
				cuts = append(cuts, in)
			}
			find(in.inside)
		}
	}
	find(all)
	if w.source = w.raws(end); !worth(w.source) {
		return
	}
	var places []place
	at, begins := all[0].at, all[0].left
	for i := 0; i <= len(cuts); i++ {
		to, ends := end, all[len(all)-1].right
		if i < len(cuts) {
			to, ends = cuts[i].at, cuts[i].left
		}
		s := stretch{w, i, i == 0, i == len(cuts), begins, ends}
		places = append(places, place{at: at, end: to, encode: s.encode})
		if i < len(cuts) {
			at, begins = cuts[i].end, cuts[i].right
		}
	}
	p.doc.addPlaces(p.part, Segment{Where: fmt.Sprintf("%s, paragraph %d", p.part.name, p.count), Pieces: w.source}, places...)
}
