// Package document takes the texts out of files, and puts their translations in their places.
//
// [Parse] reads a file and finds its segments. A segment is a text that is translated as a
// whole, such as a paragraph or a cell. [Document.Texts] are the texts that have to be
// translated. [Document.Rebuild] gives the file back with translations in the places of the
// segments; every other byte stays as it was. It also returns flags: a [Doubt] for each segment
// that a person should look at, with the [Reason]:
//
//	d, err := document.Parse("letter.docx", data)
//	for _, text := range d.Texts() {
//		translations[text] = translate(text)
//	}
//	out, flags, err := d.Rebuild(document.Translations{Target: "de", Of: func(text string) (string, bool) {
//		t, ok := translations[text]
//		return t, ok
//	}})
//
// Each format has a Go file of its own, such as docx.go, which finds the places of the segments
// and writes their text. What the formats share is here; segment.go has the tags and
// placeholders inside a segment. [Doubts] and [Faults] look at a text and its translation
// alone, without a document.
package document

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Rules is the version of the rules by which files are read and written. Whoever changes
// which texts a file has, or the bytes of a rebuilt file, adds 1: the receipts of documents
// name it.
//
// Version 2 did not know [Doubts], so it marked less in the formats with a mark for a segment
// that needs a person. Version 3 wrote translations that would be read in another charset than
// the file, which are an error now, and tabs where YAML may have none.
const Rules = 4

// Format is a kind of file, by its name in results, such as "docx".
type Format string

// Document is a file whose text was taken out.
type Document struct {
	Format   Format
	Segments []Segment // in the sequence of the file

	parts  []part
	pieces int  // of all segments
	full   bool // the document has more segments than the limit; add dropped the others
	// localize returns the document for a target language, where the language changes more
	// than edits can, such as the number of a catalog's plural forms. The segments are the
	// same. nil: the document is the same for all languages.
	localize func(t Translations) *Document
	// write joins the parts to a file. Without it the file is the one part.
	write func(parts [][]byte) ([]byte, error)
	// charset bounds the letters of translations; the zero one has all.
	charset charset
	// accept refuses languages that the document cannot have. nil takes any.
	accept func(t Translations) error
}

// part is a run of bytes with segments: the whole file, or one member of an archive.
type part struct {
	name   string // of the member
	data   []byte
	places []place // in the sequence of at; they do not overlap
	// edits are what changes besides the segments when a document gets another language,
	// such as the lang attribute of HTML. nil has none.
	edits func(t Translations) []edit
	// recode gives the bytes of the file for changed data, where data is not the file's own
	// bytes because it has another charset than UTF-8. nil changes nothing.
	recode func(data []byte) ([]byte, error)
}

// place is where a segment stands in a part. A place may have places inside it: those of
// the attributes of its tags.
type place struct {
	at, end int // the bytes of the segment; at == end where a translation is put in
	segment int // in Document.Segments
	// encode appends the bytes of a segment's target. flagged says that a person has to
	// look at it.
	encode func(b []byte, target []Piece, flagged bool, t Translations) []byte
}

// edit replaces the bytes from at to end.
type edit struct {
	at, end int
	with    string
}

// Translations is what Rebuild puts into a document.
type Translations struct {
	// Source and Target are languages, such as "en" and "de". A document that names its
	// language gets Target; an empty Target changes nothing.
	Source, Target string
	// Of returns the translation of a text of [Document.Texts]. ok is false where there is
	// none: the segment stays as it is, and is flagged.
	Of func(text string) (translation string, ok bool)
}

// Doubt names a segment that needs a person.
type Doubt struct {
	Segment int    `json:"segment"` // in Document.Segments
	Where   string `json:"where"`   // for people, such as "line 12"
	Text    string `json:"text"`    // of the source
	Reason  Reason `json:"reason"`
	// Detail says for people what was wrong, and what to do; most reasons have none.
	Detail string `json:"detail,omitempty"`
}

// Reason says why a segment needs a person.
type Reason string

const (
	// Untranslated: there is no translation, so the source stays.
	Untranslated Reason = "untranslated"
	// InParts: the parts between tags or placeholders were translated one by one, because
	// the place of a tag in the translated whole is not known.
	InParts Reason = "in-parts"
	// Codes: the translation has a placeholder or an address that the source has not, so the
	// source stays.
	Codes Reason = "codes"
	// Charset: the charset of the file lacks a letter of the translation, so the source stays.
	Charset Reason = "charset"
	// Plurals: the target language has more plural forms than the source has texts.
	Plurals Reason = "plurals"
	// Numbers: the digits of the translation are not those of the source.
	Numbers Reason = "numbers"
	// Repeats: the translation says the same again and again, and the source does not.
	Repeats Reason = "repeats"
	// Length: the translation is far longer or shorter than the source.
	Length Reason = "length"
	// Copied: the translation is the source, or nearly.
	Copied Reason = "copied"
	// Empty: the translation has no letters, and the source has.
	Empty Reason = "empty"
	// Cut: the translation is as long as the model may make one, and may lack its end.
	Cut Reason = "cut"
)

// Reasons lists the reasons.
func Reasons() []Reason {
	return []Reason{Untranslated, InParts, Codes, Charset, Plurals, Numbers, Repeats, Length, Copied, Empty, Cut}
}

// ErrUnsupported is wrapped by the error for a file of a kind that has no format here.
var ErrUnsupported = errors.New("no supported format")

// Texts returns the texts to translate: distinct, in the sequence in which the document
// needs them first.
func (d *Document) Texts() []string { return d.TextsInto("") }

// TextsInto is [Document.Texts] without those of which the file has a translation into the
// target language already. Only a translation memory has such: TMX.
func (d *Document) TextsInto(target string) []string {
	var all []string
	seen := map[string]bool{}
	for i := range d.Segments {
		if d.Segments[i].has(target) {
			continue
		}
		for _, t := range d.Segments[i].texts() {
			if !seen[t] {
				seen[t] = true
				all = append(all, t)
			}
		}
	}
	return all
}

// Accept refuses, before any work, a document that cannot be translated into a language: one
// that has translations into another, or whose charset has no letters of the language.
func (d *Document) Accept(source, target string) error {
	if d.accept != nil {
		if err := d.accept(Translations{Source: source, Target: target}); err != nil {
			return err
		}
	}
	if !d.charset.spells(target) {
		return fmt.Errorf("the file is in %s, which has no letters of the language %q: %s", d.charset.name, target, d.charset.advice())
	}
	return nil
}

// Rebuild returns the file with translations, and the segments that need a person, in
// their sequence.
func (d *Document) Rebuild(t Translations) ([]byte, []Doubt, error) {
	if d.accept != nil {
		if err := d.accept(t); err != nil {
			return nil, nil, err
		}
	}
	if d.localize != nil && t.Target != "" {
		d = d.localize(t)
	}
	var flags []Doubt
	targets := make([][]Piece, len(d.Segments)) // nil: the segment stays as it is
	flagged := make([]bool, len(d.Segments))
	for i := range d.Segments {
		s := &d.Segments[i]
		if s.has(t.Target) {
			continue
		}
		target, reasons := s.resolve(t.Of)
		detail := ""
		if target != nil && !untouched(target) {
			detail = d.charset.lacks(textOf(target))
		}
		if detail != "" {
			target, reasons = nil, []Reason{Charset}
		}
		if target != nil && s.doubt != "" {
			reasons = append(reasons, s.doubt)
		}
		if target != nil && !slices.Contains(reasons, Codes) { // whose source stays
			reasons = append(reasons, Doubts(s.Text(), textOf(target), t.Source, t.Target)...)
		}
		for _, r := range reasons {
			flags = append(flags, Doubt{Segment: i, Where: s.Where, Text: s.Text(), Reason: r, Detail: detail})
		}
		targets[i], flagged[i] = target, len(reasons) > 0
	}
	out, err := d.splice(targets, flagged, t)
	return out, flags, err
}

// Check rebuilds the document from its own segments, through the writers that translations
// go through, and returns the file. It is the same, byte for byte, unless this package has
// a bug.
func (d *Document) Check() ([]byte, error) {
	targets := make([][]Piece, len(d.Segments))
	for i, s := range d.Segments {
		targets[i] = s.own()
	}
	return d.splice(targets, make([]bool, len(d.Segments)), Translations{})
}

// splice writes targets into the places of their segments.
func (d *Document) splice(targets [][]Piece, flagged []bool, t Translations) ([]byte, error) {
	parts := make([][]byte, len(d.parts))
	for i := range d.parts {
		var err error
		if parts[i], err = d.parts[i].splice(targets, flagged, t); err != nil {
			return nil, err
		}
	}
	if d.write == nil {
		return parts[0], nil
	}
	return d.write(parts)
}

func (p *part) splice(targets [][]Piece, flagged []bool, t Translations) ([]byte, error) {
	var edits []edit
	for i := 0; i < len(p.places); {
		outer := p.places[i]
		var inside []edit
		for i++; i < len(p.places) && p.places[i].at < outer.end; i++ {
			if at := p.places[i]; targets[at.segment] != nil {
				inside = append(inside, edit{at.at, at.end, string(at.encode(nil, targets[at.segment], flagged[at.segment], t))})
			}
		}
		target := targets[outer.segment]
		if target == nil {
			edits = append(edits, inside...)
			continue
		}
		target, err := p.inside(target, inside)
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit{outer.at, outer.end, string(outer.encode(nil, target, flagged[outer.segment], t))})
	}
	if p.edits != nil && t.Target != "" {
		edits = append(edits, p.edits(t)...)
	}
	// What is put in comes before what is replaced.
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.end, b.end)) })
	out, done := make([]byte, 0, len(p.data)), 0
	for _, e := range edits {
		if e.at < done || e.end < e.at || e.end > len(p.data) {
			return nil, p.overlap(e.at)
		}
		out = append(append(out, p.data[done:e.at]...), e.with...)
		done = e.end
	}
	out = append(out, p.data[done:]...)
	if p.recode != nil {
		return p.recode(out)
	}
	return out, nil
}

// inside makes edits in the tags of a target.
func (p *part) inside(target []Piece, edits []edit) ([]Piece, error) {
	if len(edits) == 0 {
		return target, nil
	}
	target, made := slices.Clone(target), 0
	for i := range target {
		q := &target[i]
		if q.Kind == Plain {
			continue
		}
		end := q.at + len(q.Raw)
		j, _ := slices.BinarySearchFunc(edits, q.at, func(e edit, at int) int { return e.at - at })
		var out []byte
		done := q.at
		for ; j < len(edits) && edits[j].at < end; j++ {
			out = append(append(out, p.data[done:edits[j].at]...), edits[j].with...)
			done = edits[j].end
			made++
		}
		if out != nil {
			q.Raw = string(append(out, p.data[done:end]...))
		}
	}
	if made != len(edits) {
		return nil, p.overlap(edits[0].at)
	}
	return target, nil
}

func (p *part) overlap(at int) error {
	return fmt.Errorf("%s: two changes overlap at byte %d: this is a bug of ALIA", p.name, at)
}

// errFull ends the reading of a document that has too many segments. [Parse] says so.
var errFull = errors.New("too many segments")

// room is errFull once the document has too many segments, else nil.
func (d *Document) room() error {
	if d.full {
		return errFull
	}
	return nil
}

// add adds a segment to the document, and its place to a part.
func (d *Document) add(p *part, at, end int, s Segment, encode func(b []byte, target []Piece, flagged bool) []byte) {
	d.addPlaces(p, s, place{at: at, end: end, encode: func(b []byte, target []Piece, flagged bool, _ Translations) []byte {
		return encode(b, target, flagged)
	}})
}

// addPlaces adds a segment that stands in more places than one, or whose bytes depend on
// the languages. Past the limit of segments it adds nothing; [Parse] refuses the document
// then.
func (d *Document) addPlaces(p *part, s Segment, places ...place) {
	d.pieces += len(s.Pieces) + len(s.Target)
	if len(d.Segments) >= maxSegments || d.pieces > maxPieces || len(s.Pieces) > maxRun || len(s.Target) > maxRun {
		d.full = true
		return
	}
	for _, at := range places {
		at.segment = len(d.Segments)
		p.places = append(p.places, at)
	}
	d.Segments = append(d.Segments, s)
}
