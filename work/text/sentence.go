package text

import (
	"strings"
	"unicode/utf8"
)

// ahead is how many bytes behind a mark, and behind the white space that follows, the rules
// look at.
const ahead = 256

// sentence returns the length of the first sentence of s, without white space at its end, and
// whether the sentence was cut because it has more than longest bytes. s must begin with a
// visible character.
func (r *rules) sentence(s string, longest int) (n int, isCut bool) {
	item := itemAt(s)
	var inside pairs
	end := 0 // behind the last visible character
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		if blank(c) {
			if newline(c) {
				return end, false
			}
			if i == end && (r.thaiEnds(s, i) || r.itemEnds(item, s, i)) {
				return end, false
			}
			i += n
			continue
		}
		kind, n := markAt(s, i)
		if i+n > longest {
			return cut(s, longest), true
		}
		inside.count(c)
		if end = i + n; kind != noMark {
			// The mark, others, and the quotes and brackets behind them.
			var many ending
			many, end = marksAt(s, i, longest, &inside)
			if end > longest {
				return cut(s, longest), true
			}
			if r.ends(s, i, end, many, &inside) {
				return end, false
			}
		}
		i = end
	}
	return end, false
}

// pairs counts the brackets that are open, and says whether a straight quote is.
type pairs struct {
	open  [len(brackets)]int
	quote bool
}

func (p *pairs) count(c rune) {
	if c == '"' || c == '＂' {
		p.quote = !p.quote
	}
	for k, b := range brackets {
		switch {
		case c == b[0]:
			p.open[k]++
		case c == b[1] && p.open[k] > 0:
			p.open[k]--
		}
	}
}

// ending is what marks and closers stand together.
type ending struct {
	kind  mark // the strongest
	marks int
	last  rune // behind the marks: the last closer, or 0
}

// marksAt reads the marks at s[i:], and the closers between and behind them. It returns the
// place behind them, or one behind longest. The first character has been counted.
func marksAt(s string, i, longest int, inside *pairs) (all ending, end int) {
	for end = i; end < len(s) && end <= longest; {
		k, n := markAt(s, end)
		c, _ := utf8.DecodeRuneInString(s[end:])
		switch {
		case k != noMark:
			all.kind, all.marks, all.last = max(all.kind, k), all.marks+1, 0
		case all.kind == wide && (strings.ContainsRune("“‘", c) || c == '"' && !inside.quote):
			return all, end // it opens in Chinese
		case strings.ContainsRune(closers, c) || invisible(c) && c != 0x200B:
			all.last = c
		default:
			// A quote behind one space, as in « Bonjour. », is a closer if a space follows it.
			if blank(c) && !newline(c) {
				q, m := utf8.DecodeRuneInString(s[end+n:])
				after, _ := utf8.DecodeRuneInString(s[end+n+m:])
				if strings.ContainsRune(spacedClosers, q) && m > 0 && (end+n+m == len(s) || blank(after) || strings.ContainsRune(".,;:!?", after)) {
					all.last = q
					end += n + m
					continue
				}
			}
			return all, end
		}
		if end > i {
			inside.count(c)
		}
		end += n
	}
	return all, end
}

// ends reports whether a sentence ends at s[:end], behind the marks at s[from:end].
func (r *rules) ends(s string, from, end int, marks ending, inside *pairs) bool {
	after := s[end:]
	white := skipSpace(after)
	if white == len(after) || strings.IndexFunc(after[:white], newline) >= 0 {
		return false // the line ends here anyway
	}
	after = after[white:]
	after = after[:min(len(after), ahead)]
	if i := strings.IndexFunc(after, newline); i >= 0 {
		after = after[:i]
	}
	for k, b := range brackets {
		if inside.open[k] > 0 && strings.ContainsRune(after, b[1]) {
			return false
		}
	}
	if white == 0 {
		return r.endsTight(s, from, end, after, marks)
	}
	word, begins := firstWord(after)
	if !begins {
		return false
	}
	before := strings.TrimRight(s[:from], invisibles)
	if strings.HasSuffix(before, "[") || strings.HasSuffix(before, "(") {
		return false // [...] and (?)
	}
	return marks.kind != dot || marks.marks > 1 || r.dotEnds(before, word)
}

// endsTight reports whether a sentence ends at marks without white space behind them.
func (r *rules) endsTight(s string, from, end int, after string, marks ending) bool {
	next, _ := utf8.DecodeRuneInString(after)
	start, _ := utf8.DecodeRuneInString(s)
	before := lastVisible(s[:from])
	switch {
	case strings.ContainsRune(continuing, next):
		return false
	case strings.ContainsRune("）)》〉】]", marks.last) && !strings.ContainsRune("（(《〈【[", start):
		return false // what stands in the brackets is part of the sentence
	case strings.ContainsRune("」』”’", marks.last) && (next == 'と' || next == 'っ'):
		return false // と says who said it
	case marks.kind != wide:
		// Marks of Latin script between Chinese characters. "3.5" and "a.b" are no ends.
		return ideograph(before) && ideograph(next) && marks.marks == 1
	case strings.HasPrefix(s[from:], "．") || strings.HasPrefix(s[from:], "۔"):
		// A decimal point, or an abbreviation.
		return !numeral(next) && !initial(lastWord(s[:from]))
	}
	return true
}

// firstWord returns the first word of a text, in lower case, and whether a sentence can begin
// with it.
func firstWord(s string) (word string, begins bool) {
	if rest := strings.TrimLeft(s, ".…"); len(s)-len(rest) >= len("...") {
		// Three points are the beginning of "...and then", and the end of "see ...".
		r, _ := utf8.DecodeRuneInString(rest)
		return "", classOf(r) == letter
	}
	s = strings.TrimLeftFunc(s, func(r rune) bool { return strings.ContainsRune(openers, r) || invisible(r) || blank(r) && !newline(r) })
	r, n := utf8.DecodeRuneInString(s)
	k, _ := markAt(s, 0)
	switch {
	case n == 0 || newline(r) || k != noMark || strings.ContainsRune(continuing, r):
		return "", false
	case small(r):
		// A name such as iPhone has a capital behind its first letter.
		next, _ := utf8.DecodeRuneInString(s[n:])
		return "", r < utf8.RuneSelf && capital(next)
	}
	end := strings.IndexFunc(s, func(r rune) bool { return blank(r) || classOf(r) == other && r != '\'' && r != '’' && !invisible(r) })
	if end < 0 {
		end = len(s)
	}
	if end == n && strings.HasPrefix(s[n:], ".") && !numeral(r) {
		return "", true // an initial, such as the second of "A. A. Milne"
	}
	return fold(s[:min(end, 64)]), true
}

// invisibles are the characters of [invisible], without those of no use at the end of a word.
const invisibles = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u00ad\u061c"

// dotEnds reports whether one full stop behind a text ends a sentence, where next is the first
// word of the next.
func (r *rules) dotEnds(before, next string) bool {
	word := lastWord(before)
	switch last, _ := utf8.DecodeLastRuneInString(before); {
	case word == "":
		return spacedPointsEnd(before)
	case strings.ContainsRune(closers, last):
		return true
	}
	if label(before) {
		return false // the number of a list item
	}
	w := fold(word)
	if w == "" {
		return true
	}
	all := append(r.joinedWords(before, w), w)
	if i := strings.LastIndexAny(w, "'’-"); i >= 0 {
		// As in French "l'av." and German "Vize-Präs.".
		_, size := utf8.DecodeRuneInString(w[i:])
		all = append(all, w[i+size:])
	}
	first, _ := utf8.DecodeRuneInString(next)
	counted := numeral(first) || roman(strings.ToUpper(next))
	for _, w := range all {
		switch {
		case r.has(perhaps, w):
			return !(counted && r.has(number, w)) && r.has(begin, next)
		case r.has(title, w), counted && r.has(number, w):
			return false
		}
	}
	switch {
	case r.suffixed(w):
		return false
	case initial(word), acronym(w), r.ordinals && (len(w) <= 2 && digits(w) || len(w) > 1 && roman(word)):
		return r.has(begin, next)
	}
	return true
}

// lastWord returns the word at the end of a text, without brackets and quotes around it, and
// without those marks inside it. It is empty where white space stands there, and where the
// word is too long for an abbreviation.
func lastWord(s string) string {
	const most = 40
	tail := s[max(0, len(s)-most):]
	i := strings.LastIndexFunc(tail, func(r rune) bool {
		return blank(r) || r != '\'' && r != '’' && strings.ContainsRune(openers, r) && r != '-' || strings.ContainsRune("/,;:!?…", r)
	})
	if i < 0 {
		if len(tail) < len(s) {
			return strings.Repeat("x", most) // a long word
		}
		return strings.Trim(tail, `"'’`)
	}
	_, n := utf8.DecodeRuneInString(tail[i:])
	return strings.Trim(tail[i+n:], closers)
}

// spacedPointsEnd reports whether ". . ." at the end of a text ends a sentence: four points do,
// or three of which the first stands at a word. One point alone does.
func spacedPointsEnd(before string) bool {
	points := 1
	for {
		rest, ok := strings.CutSuffix(before, " ")
		if !ok {
			return true // at a word, or at a bracket
		}
		if before, ok = strings.CutSuffix(rest, "."); !ok {
			return points != 3
		}
		points++
	}
}

// joinedWords are the abbreviations of several words at the end of a text, such as "z.b" for
// "z. B", where w is the last of the words.
func (r *rules) joinedWords(before, w string) (all []string) {
	rest := before
	for range 3 {
		rest = rest[:len(rest)-len(lastWord(rest))]
		rest = strings.TrimRight(rest, " \u00a0\u202f")
		var ok bool
		if rest, ok = strings.CutSuffix(rest, "."); !ok {
			break
		}
		one := lastWord(rest)
		if one == "" || utf8.RuneCountInString(one) > 5 {
			break
		}
		w = fold(one) + "." + w
		all = append(all, w)
	}
	return all
}

// initial reports whether a word is one letter.
func initial(word string) bool {
	word = strings.Trim(word, invisibles)
	r, n := utf8.DecodeRuneInString(word)
	return n > 0 && n == len(word) && classOf(r) == letter && !Spaceless(r) && !(0x1100 <= r && r <= 0x11FF || 0xAC00 <= r && r <= 0xD7A3)
}

// acronym reports whether a word is letters between points, one or two at a time, such as
// "u.s" for "U.S.".
func acronym(w string) bool {
	if !strings.Contains(w, ".") {
		return false
	}
	for part := range strings.SplitSeq(w, ".") {
		n := 0
		for _, r := range part {
			if n++; n > 2 || classOf(r) != letter {
				return false
			}
		}
		if n == 0 {
			return false
		}
	}
	return true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// roman reports whether a word is a Roman number in capitals.
func roman(word string) bool { return word != "" && strings.Trim(word, "IVXLC") == "" }

// thaiEnds reports whether a sentence of Thai or Lao ends at the white space at s[at:]. It
// must have eight letters, and five must follow, because a space also stands around names
// and numbers.
func (r *rules) thaiEnds(s string, at int) bool {
	const letters = len("ก")
	if !thai(lastVisible(s[:at])) || at < 8*letters {
		return false
	}
	after := s[at+skipSpace(s[at:]):]
	after = after[:min(len(after), ahead)]
	n := strings.IndexFunc(after, func(r rune) bool { return !thai(r) })
	if n < 0 {
		n = len(after)
	}
	return n >= 5*letters && !r.joins(after[:n])
}
