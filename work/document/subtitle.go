package document

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxLine is the longest line of a subtitle that viewers can read in time, by the usual
// convention (BBC and Netflix guidelines: 37 to 42 characters).
const maxLine = 42

// cueTimes is the line before the text of a cue.
var cueTimes = regexp.MustCompile(`^(\d+:)?\d+:\d+([.,]\d+)?[ \t]*-->[ \t]*(\d+:)?\d+:\d+([.,]\d+)?([ \t].*)?$`)

// parseSRT reads SubRip subtitles. Every line is the number of a cue, its times, or text.
func parseSRT(data []byte) (*Document, error) {
	decoded, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	d := cs.document(decoded)
	text := string(decoded)
	lines := splitLines(text)
	times := func(i int) bool { return i < len(lines) && cueTimes.MatchString(strings.TrimSpace(lines[i].text)) }
	number := func(i int) bool {
		return i < len(lines) && strings.Trim(lines[i].text, "0123456789 \t") == "" && times(i+1)
	}
	cues, begun := 0, false
	for i := 0; i < len(lines); i++ {
		switch {
		case times(i):
			cues, begun = cues+1, true
			continue
		case number(i) || lines[i].blank():
			continue
		case !begun:
			return nil, fmt.Errorf("line %d: text before the times of the first cue, such as 00:00:01,000 --> 00:00:02,500", i+1)
		}
		from := i
		for i+1 < len(lines) && !lines[i+1].blank() && !times(i+1) && !number(i+1) { // a blank line may be missing
			i++
		}
		d.addCue(text, lines[from:i+1], from+1, false)
	}
	if cues == 0 && strings.TrimSpace(text) != "" {
		return nil, errors.New("there is no cue: no line has times, such as 00:00:01,000 --> 00:00:02,500")
	}
	return d, nil
}

// parseVTT reads WebVTT (W3C, 4.1): blocks between blank lines. A block with times is a cue;
// the others are notes, styles and regions.
func parseVTT(data []byte) (*Document, error) {
	decoded, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	d := cs.document(decoded)
	text := string(decoded)
	lines := splitLines(text)
	if len(lines) == 0 {
		return d, nil
	}
	if first, _, _ := strings.Cut(strings.ReplaceAll(lines[0].text, "\t", " "), " "); first != "WEBVTT" {
		return nil, errors.New("line 1 is not WEBVTT")
	}
	for i := 0; i < len(lines); i++ {
		from := i
		for i+1 < len(lines) && !lines[i].blank() && !lines[i+1].blank() {
			i++
		}
		block := lines[from : i+1]
		for n, l := range block[:min(2, len(block))] { // the first line may be the name of the cue
			if from > 0 && cueTimes.MatchString(strings.TrimSpace(l.text)) {
				if n+1 < len(block) {
					d.addCue(text, block[n+1:], from+n+2, true)
				}
				break
			}
		}
	}
	return d, nil
}

// addCue adds the text of a cue: one segment, or one for each speaker where the lines begin
// with dashes.
func (d *Document) addCue(text string, cue []line, number int, vtt bool) {
	for i := 0; i < len(cue); {
		from := i
		for i++; i < len(cue) && spoken(cue[i].text) == 0; i++ {
		}
		var s spelled
		start := cue[from].at + spoken(cue[from].text)
		width := maxLine
		for n, l := range cue[from:i] {
			if n == 0 {
				l.text = text[start:l.end]
			} else {
				s.add(" ", text[cue[from+n-1].end:l.at])
			}
			spellCue(&s, l.text, vtt)
		}
		raw := s.raw.String()
		pieces := s.pieces(func(text string) []Piece {
			return cutCue(text, func(at int) bool { return raw[s.at[at]] == text[at] })
		})
		brk := "\n"
		if last := cue[from]; i < len(cue) || last.next > last.end {
			brk = text[last.end:last.next]
		}
		plain := func(s string) string { return strings.ReplaceAll(s, "-->", "-- >") }
		if vtt {
			plain = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
		}
		if !hasText(plainOf(pieces)) {
			continue
		}
		segment := Segment{Where: fmt.Sprintf("line %d", number+from), Pieces: pieces}
		d.add(&d.parts[0], start, cue[i-1].end, segment, func(b []byte, target []Piece, _ bool) []byte {
			if untouched(target) {
				return append(b, spell(target, plain)...)
			}
			out := fill(target, width, brk, true, plain, func(w string) bool { return spoken(w) > 0 })
			// A translation must not begin as a speaker does, and must not be an empty line.
			return append(b, out...)
		})
	}
}

// spoken is the length of the dash, with the white space around it, that begins the line of
// another speaker, or 0.
func spoken(s string) int {
	t := strings.TrimLeft(s, " \t")
	r, n := utf8.DecodeRuneInString(t)
	if !strings.ContainsRune("-–—‐", r) || r == utf8.RuneError {
		return 0
	}
	return len(s) - len(strings.TrimLeft(t[n:], " \t"))
}

// spellCue adds a line of a cue. WebVTT has entities (W3C, 4.2.2).
func spellCue(s *spelled, text string, vtt bool) {
	if !vtt {
		s.add(text, text)
		return
	}
	for text != "" {
		if text[0] == '&' {
			found := false
			for _, e := range [][2]string{{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&nbsp;", "\u00a0"}, {"&lrm;", "\u200e"}, {"&rlm;", "\u200f"}} {
				if strings.HasPrefix(text, e[0]) {
					s.add(e[1], e[0])
					text, found = text[len(e[0]):], true
					break
				}
			}
			if found {
				continue
			}
		}
		n := 1 + strings.IndexByte(text[1:], '&')
		if n == 0 {
			n = len(text)
		}
		s.add(text[:n], text[:n])
		text = text[n:]
	}
}

// cueCode is a tag or a setting inside the text of a cue, such as <i>, <v Bob>,
// <00:00:01.500> or {\an8}.
var cueCode = regexp.MustCompile(`\{\\[^{}]*\}|</?[a-zA-Z0-9][^<>]*>|</>`)

// cutCue divides the text of a cue. What is no pair of tags shows nothing. Past maxRun tags
// nothing is cut: [Parse] refuses the document. literal says whether the file has the byte
// at a place as it is: "&lt;i&gt;" is a text.
func cutCue(text string, literal func(at int) bool) (pieces []Piece) {
	at := 0
	code := map[int]bool{}
	for _, m := range cueCode.FindAllStringIndex(text, maxRun) {
		if !literal(m[0]) || !literal(m[1]-1) {
			continue
		}
		pieces = append(pieces, placeholders(text[at:m[0]])...)
		code[len(pieces)] = true
		pieces = append(pieces, Piece{Kind: Code, Text: text[m[0]:m[1]], Raw: text[m[0]:m[1]]})
		at = m[1]
	}
	pieces = pairTags(append(pieces, placeholders(text[at:])...))
	for i := range pieces {
		if code[i] {
			pieces[i].Text = ""
		}
	}
	return pieces
}
