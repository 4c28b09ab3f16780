package document

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of placeholders. A text past them is no sentence, so what comes after is kept as
// it is: memory and time stay bounded, and no placeholder is lost.
const (
	maxCodes = 4096 // codes of a text
	maxDepth = 8    // messages inside messages
	maxCode  = 2048 // bytes of a tag or an address
)

// placeholders divides a text into the parts to translate and the parts that a program
// reads, which have to stay as they are:
//
//	%s %1$s %(name)s %-5.2f %@ %%            printf, Python, Objective-C, strftime
//	%1 %L2                                   Qt
//	%{name} %<name>s #{name} ${name}         Ruby, shell, JavaScript
//	{} {0} {name} {n, number} {{name}} {% %} Python, .NET, ICU, Mustache, Jinja
//	{n, plural, one {# file} other {# files}} ICU: the texts inside are texts, the rest is code
//	$t(key) @:key $NAME$                     i18next, vue-i18n, Chrome
//	<b> </a> <1/> &nbsp;                     tags and entities inside a text
//	--verbose -v                             options of commands
//	https://… www.… name@example.org         addresses
//
// Text and Raw of each piece are the same literal, and the pieces in their sequence are
// the text. The time is linear in the length of the text.
func placeholders(text string) []Piece {
	if text == "" {
		return nil
	}
	c := cutter{s: text}
	c.cut(0, len(text), 0, false)
	c.flush(len(text))
	return c.out
}

// cutter is one call of placeholders.
type cutter struct {
	s     string
	out   []Piece
	from  int   // what comes before is in out
	match []int // by opening brace: its closing brace, or -1
}

// code puts out s[at:end] as a code, after the plain text before.
func (c *cutter) code(at, end int) {
	c.flush(at)
	c.out = append(c.out, Piece{Kind: Code, Text: c.s[at:end], Raw: c.s[at:end]})
	c.from = end
}

// flush puts out the plain text before at.
func (c *cutter) flush(at int) {
	if at > c.from {
		c.out = append(c.out, Piece{Kind: Plain, Text: c.s[c.from:at], Raw: c.s[c.from:at]})
		c.from = at
	}
}

// cut finds the codes of s[i:end]. depth counts the messages around it; plural says that
// the innermost is a plural, where # is the number.
func (c *cutter) cut(i, end, depth int, plural bool) {
	for i < end {
		if len(c.out) > maxCodes && depth == 0 {
			c.code(max(i, c.from), end)
			return
		}
		b := c.s[i]
		if b == '{' {
			if next := c.brace(i, end, depth); next > i {
				i = next
				continue
			}
		} else if start, stop := c.find(b, i, end, plural); stop > start {
			c.code(start, stop)
			i = stop
			continue
		}
		i++
	}
}

// find returns where the code that the byte at i begins or belongs to starts and stops.
func (c *cutter) find(b byte, i, end int, plural bool) (start, stop int) {
	s := c.s[:end]
	switch b {
	case '%':
		return i, c.percent(i, end)
	case '$':
		return i, c.dollar(i, end)
	case '#':
		if at := c.braced(i+1, end); at > 0 {
			return i, at
		}
		if plural {
			return i, i + 1
		}
	case '@':
		if n := linked(s[i:]); n > 0 && (i == 0 || !wordByte(s[i-1])) {
			return i, i + n
		}
		return mail(s, c.from, i)
	case '-':
		if i == 0 || strings.IndexByte(" \t\n([`'\"|,/", s[i-1]) >= 0 {
			return i, i + optionLength(s[i:])
		}
	case '<':
		return i, i + tagLength(s[i:])
	case '&':
		return i, i + entityLength(s[i:])
	case 'h', 'H', 'f', 'm', 'w', 'W':
		if i == 0 || !wordByte(s[i-1]) {
			return i, i + addressLength(s[i:])
		}
	}
	return i, i
}

// brace handles the opening brace at i, and returns where to go on, or i where the brace
// is text.
func (c *cutter) brace(i, end, depth int) int {
	j := c.closing(i)
	if j < 0 || j >= end {
		return i
	}
	inner := c.s[i+1 : j]
	if strings.HasPrefix(inner, "{") && strings.HasSuffix(inner, "}") && c.closing(i+1) == j-1 ||
		len(inner) > 1 && inner[0] == '%' && inner[len(inner)-1] == '%' {
		if len(inner) > maxCode {
			return i
		}
		c.code(i, j+1)
		return j + 1
	}
	n := nameLength(inner)
	if n < 0 {
		return i
	}
	rest, list := strings.CutPrefix(inner[n:], ",")
	if !list {
		c.code(i, j+1)
		return j + 1
	}
	kind, rest, _ := strings.Cut(rest, ",")
	switch strings.TrimSpace(kind) {
	case "plural", "selectordinal", "select":
		c.message(i, j, len(inner)-len(rest)+i+1, depth, strings.TrimSpace(kind) != "select")
		return j + 1
	case "number", "date", "time", "spellout", "ordinal", "duration", "list":
		c.code(i, j+1)
		return j + 1
	}
	return i
}

// nameLength is the length of the name, with spaces around it, that the inside of braces
// begins with: up to a comma or the end. It is -1 where there is none. It looks at no brace
// after the first, so that braces inside braces take linear time.
func nameLength(inner string) int {
	named, spaced := false, false
	for i, r := range inner {
		switch {
		case r == ',':
			return i
		case r == '{' || r == '"':
			return -1
		case unicode.IsSpace(r):
			spaced = named
		case spaced:
			return -1
		default:
			named = true
		}
	}
	return len(inner)
}

// message puts out the ICU message s[i:j+1] whose arms begin at arms. A message that is
// nested too deep, or does not follow the syntax, is one code.
func (c *cutter) message(i, j, arms, depth int, plural bool) {
	type arm struct{ from, to int }
	var all []arm
	ok := depth < maxDepth
	for at := arms; ok && strings.TrimSpace(c.s[at:j]) != ""; {
		open := strings.IndexByte(c.s[at:j], '{')
		if open < 0 || strings.TrimSpace(c.s[at:at+open]) == "" {
			ok = false
			break
		}
		open += at
		shut := c.closing(open)
		if shut < 0 || shut >= j {
			ok = false
			break
		}
		all = append(all, arm{open + 1, shut})
		at = shut + 1
	}
	if !ok || len(all) == 0 {
		c.code(i, j+1)
		return
	}
	at := i
	for _, a := range all {
		c.code(at, a.from)
		c.cut(a.from, a.to, depth+1, plural)
		c.flush(a.to)
		at = a.to
	}
	c.code(at, j+1)
}

// closing returns the place of the brace that closes the one at i, or -1.
func (c *cutter) closing(i int) int {
	if c.match == nil {
		c.match = make([]int, len(c.s))
		var open []int
		for k := range len(c.s) {
			c.match[k] = -1
			switch c.s[k] {
			case '{':
				open = append(open, k)
			case '}':
				if n := len(open); n > 0 {
					c.match[open[n-1]] = k
					open = open[:n-1]
				}
			}
		}
	}
	return c.match[i]
}

// braced returns the end of the {…} at i, or 0 where there is none.
func (c *cutter) braced(i, end int) int {
	if i >= end || c.s[i] != '{' {
		return 0
	}
	if j := c.closing(i); j >= 0 && j < end && j-i <= maxCode {
		return j + 1
	}
	return 0
}

// percent returns the end of the code that the % at i begins, or i.
func (c *cutter) percent(i, end int) int {
	s := c.s[:end]
	j := i + 1
	if j >= end {
		return i
	}
	switch s[j] {
	case '%':
		return j + 1
	case '{':
		return max(i, c.braced(j, end))
	case '<', '(':
		shut := map[byte]string{'<': ">", '(': ")"}[s[j]]
		n := strings.Index(s[j:min(end, j+64)], shut)
		if n < 2 || strings.ContainsFunc(s[j+1:j+n], func(r rune) bool { return !wordRune(r) && r != '.' && r != '-' }) {
			return i
		}
		j += n + 1
	}
	// [n$][flags][width][.precision][length]verb, without the flag " ", which is common in
	// prose ("100 % of"). C standard 7.21.6.1, POSIX printf.
	skip := func(set string) {
		for n := 0; j < end && n < 16 && strings.IndexByte(set, s[j]) >= 0; n++ {
			j++
		}
	}
	skip("0123456789$*")
	qt := argument(s, i, j)
	if s[i+1] == 'L' && qt > i {
		return qt
	}
	if j < end && s[j] == '\'' && (s[j-1] == '%' || s[j-1] == '$') {
		j++
	}
	skip("-+0#^_")
	skip("0123456789*$")
	if j < end && s[j] == '.' {
		j++
		skip("0123456789*$")
	}
	verbs := "aAbBcCdDeEfFgGhHiIjkKlLmMnopPqQrRsStTuUvVwWxXyYzZ@"
	if j < end && strings.IndexByte("hlLqjzt", s[j]) >= 0 && j+1 < end {
		n := j + 1
		if n < end && s[n] == s[j] {
			n++
		}
		if n < end && strings.IndexByte("diouxXeEfFgGaAcs@", s[n]) >= 0 && !letterAt(s, n+1) {
			return n + 1
		}
	}
	if j >= end || strings.IndexByte(verbs, s[j]) < 0 {
		return qt
	}
	if letterAt(s, j+1) {
		// A word follows: "%dpx" is a code, "100%ig" and "%Rabatt" are words.
		if i > 0 && s[i-1] >= '0' && s[i-1] <= '9' || strings.IndexByte("dsfiux@", s[j]) < 0 {
			return qt
		}
	}
	return j + 1
}

// argument returns the end of the argument of Qt that the % at i begins, such as %1 or %L1,
// or i. The digits after the % end at j.
func argument(s string, i, j int) int {
	if s[i+1] == 'L' {
		for j = i + 2; j < len(s) && j < i+4 && s[j] >= '0' && s[j] <= '9'; {
			j++
		}
		if j == i+2 {
			return i
		}
		return j
	}
	if n := j - i - 1; n < 1 || n > 2 || strings.ContainsAny(s[i+1:j], "$*") {
		return i
	}
	return j
}

// dollar returns the end of the code that the $ at i begins, or i.
func (c *cutter) dollar(i, end int) int {
	s := c.s[:end]
	if at := c.braced(i+1, end); at > 0 {
		return at
	}
	if strings.HasPrefix(s[i:], "$t(") {
		if n := strings.IndexByte(s[i:min(end, i+maxCode)], ')'); n > 0 {
			return i + n + 1
		}
	}
	j := i + 1
	for j < end && j-i < 64 && (wordByte(s[j]) || s[j] == '@') {
		j++
	}
	if j > i+1 && j < end && s[j] == '$' {
		return j + 1
	}
	return i
}

// optionLength is the length of the option of a command that s begins with, such as -v or
// --dry-run, or 0. "- v" is text, and so is "-word".
func optionLength(s string) int {
	i := 1
	if i < len(s) && s[i] == '-' {
		i++
	}
	start := i
	for i < len(s) && i < 64 && (wordByte(s[i]) || i > start && s[i] == '-') {
		i++
	}
	i = start + len(strings.TrimRight(s[start:i], "-"))
	letter := start < len(s) && s[start]|0x20 >= 'a' && s[start]|0x20 <= 'z'
	if !letter || start == 1 && i != 2 || start == 2 && i < 4 || letterAt(s, i) {
		return 0
	}
	return i
}

// linked is the length of a linked message of vue-i18n, such as @:common.ok, or 0.
func linked(s string) int {
	j := 1
	if j < len(s) && s[j] == '.' {
		for j++; j < len(s) && j < 32 && wordByte(s[j]); j++ {
		}
	}
	if j >= len(s) || s[j] != ':' {
		return 0
	}
	at := j + 1
	for j = at; j < len(s) && j < maxCode && (wordByte(s[j]) || s[j] == '.' || s[j] == '-'); j++ {
	}
	if n := at + len(strings.TrimRight(s[at:j], ".-")); n > at {
		return n
	}
	return 0
}

// mail returns where the mail address around the @ at i starts and stops. It starts at
// least at from. RFC 5321, 4.5.3.1: 64 bytes before the @, 255 after.
func mail(s string, from, i int) (start, stop int) {
	start, stop = i, i+1
	for start > from && i-start < 64 && (wordByte(s[start-1]) || strings.IndexByte(".+-%", s[start-1]) >= 0) {
		start--
	}
	for stop < len(s) && stop-i < 255 && (wordByte(s[stop]) || s[stop] == '.' || s[stop] == '-') {
		stop++
	}
	stop = i + 1 + len(strings.TrimRight(s[i+1:stop], ".-_"))
	if start == i || strings.IndexByte(s[i+1:stop], '.') < 1 {
		return i, i
	}
	return start, stop
}

func runeAt(s string, i int) rune {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}

func letterAt(s string, i int) bool { return i < len(s) && unicode.IsLetter(runeAt(s, i)) }

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
