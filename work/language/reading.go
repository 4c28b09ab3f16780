package language

import (
	"unicode/utf8"

	"github.com/alia-network/alia/work/language/profile"
)

// What is read of a text: all of it, or samples of it at even distances.
const (
	wholeText  = 16 << 10 // bytes: no longer text is read whole
	samples    = 8
	sampleSize = wholeText / samples
)

// sample is the parts of the text that are read. They begin and end between characters.
func sample(text string) []string {
	if len(text) <= wholeText {
		return []string{text}
	}
	var out []string
	for i := range samples {
		start := (len(text) - sampleSize) / (samples - 1) * i
		end := start + sampleSize
		for start > 0 && start < end && !utf8.RuneStart(text[start]) {
			start++
		}
		for end < len(text) && end > start && !utf8.RuneStart(text[end]) {
			end--
		}
		out = append(out, text[start:end])
	}
	return out
}

// pieceLetters is about how many letters a piece has. A text is read in pieces, so that one with parts in
// two languages shows.
const pieceLetters = 120

// reading is what was read of a text.
type reading struct {
	profile profile.Profile
	scripts [profile.Scripts]int // the letters of each script
	pieces  [profile.Scripts][]piece
	leftOut int
}

// piece is some words of one script on end.
type piece struct {
	letters int
	costs   []int // by language of the script's group, without priors
}

func (r *reading) word(w profile.Word) {
	r.scripts[w.Script] += len(w.Letters)
	g := r.profile.Group(w.Script)
	if g == nil {
		return
	}
	pieces := &r.pieces[w.Script]
	if n := len(*pieces); n == 0 || (*pieces)[n-1].letters >= pieceLetters {
		*pieces = append(*pieces, piece{costs: make([]int, len(g.Languages))})
	}
	last := &(*pieces)[len(*pieces)-1]
	last.letters += len(w.Letters)
	g.Add(w.Letters, last.costs)
}

// endPieces joins a short last piece to the one before it.
func (r *reading) endPieces() {
	for s := range r.pieces {
		p := r.pieces[s]
		n := len(p)
		if n < 2 || p[n-1].letters >= pieceLetters/2 {
			continue
		}
		p[n-2].letters += p[n-1].letters
		for i, c := range p[n-1].costs {
			p[n-2].costs[i] += c
		}
		r.pieces[s] = p[:n-1]
	}
}

// density is how many letters of an alphabet say as much as one letter of the script.
func density(s profile.Script) int {
	switch s {
	case profile.Han, profile.Yi:
		return 4
	case profile.Hangul, profile.Kana, profile.Ethiopic, profile.Cherokee, profile.Canadian:
		return 2
	}
	return 1
}

// script is the script of most of the text, or 0 if there are no letters, or more in names and addresses than in words.
func (r *reading) script() profile.Script {
	best, most, all := profile.Script(0), 0, 0
	for s := profile.Script(0); s < profile.Scripts; s++ {
		n := r.scripts[s] * density(s)
		if all += n; n > most {
			best, most = s, n
		}
	}
	if r.leftOut*2 > all*3 {
		return 0 // a program, or a list of addresses
	}
	if kana := r.scripts[profile.Kana]; best == profile.Han && kana*8 > r.scripts[profile.Han] {
		return profile.Kana // Japanese has both
	}
	return best
}

// share is how much of the text is in the script, in parts of whole.
func (r *reading) share(script profile.Script) (part, whole int) {
	for s := range profile.Scripts {
		n := r.scripts[s] * density(s)
		whole += n
		if s == script || s == profile.Han && (script == profile.Kana || script == profile.Hangul) {
			part += n
		}
	}
	return part, whole
}

// alone is the language of a script that is no group's, and the code of the script by itself.
func alone(s profile.Script) (language, script string) {
	switch s {
	case profile.Greek:
		return "el", "Grek"
	case profile.Gurmukhi:
		return "pa", "Guru"
	case profile.Gujarati:
		return "gu", "Gujr"
	case profile.Oriya:
		return "or", "Orya"
	case profile.Tamil:
		return "ta", "Taml"
	case profile.Telugu:
		return "te", "Telu"
	case profile.Kannada:
		return "kn", "Knda"
	case profile.Malayalam:
		return "ml", "Mlym"
	case profile.Sinhala:
		return "si", "Sinh"
	case profile.Thai:
		return "th", "Thai"
	case profile.Lao:
		return "lo", "Laoo"
	case profile.Myanmar:
		return "my", "Mymr"
	case profile.Khmer:
		return "km", "Khmr"
	case profile.Georgian:
		return "ka", "Geor"
	case profile.Armenian:
		return "hy", "Armn"
	case profile.Hangul:
		return "ko", "Kore"
	case profile.Kana:
		return "ja", "Jpan"
	case profile.Thaana:
		return "dv", "Thaa"
	case profile.Cherokee:
		return "chr", "Cher"
	case profile.Canadian:
		return "iu", "Cans"
	case profile.OlChiki:
		return "sat", "Olck"
	case profile.Yi:
		return "ii", "Yiii"
	}
	return "", s.String()
}
