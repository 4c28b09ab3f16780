package corpus

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxMarshal is the size in bytes of the largest encoding that Unmarshal accepts.
const MaxMarshal = 1 << 30

// Marshal encodes pairs as lines of tab-separated values: source, tab, target, line feed. Inside a
// sentence, backslash, tab, line feed and carriage return are written as \\, \t, \n and \r. Pairs of
// valid UTF-8 have exactly one encoding, so its CID identifies them.
func Marshal(pairs []Pair) []byte {
	size := 0
	for _, p := range pairs {
		size += len(p.Source) + len(p.Target) + 2
	}
	data := make([]byte, 0, size)
	for _, p := range pairs {
		data = append(appendEscaped(data, p.Source), '\t')
		data = append(appendEscaped(data, p.Target), '\n')
	}
	return data
}

// Unmarshal decodes the bytes that [Marshal] returns. It accepts no others; the error names the line.
func Unmarshal(data []byte) ([]Pair, error) {
	if len(data) > MaxMarshal {
		return nil, fmt.Errorf("decode corpus: it has %d bytes, the limit is %d", len(data), MaxMarshal)
	}
	s := string(data)
	pairs := make([]Pair, 0, strings.Count(s, "\n"))
	for n := 1; s != ""; n++ { // line n
		line, rest, ok := strings.Cut(s, "\n")
		if !ok {
			return nil, fmt.Errorf("decode corpus: line %d is cut short", n)
		}
		p, ok := cutTab(line)
		if !ok {
			return nil, fmt.Errorf("decode corpus: line %d is not two columns separated by a tab", n)
		}
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("decode corpus: line %d is not UTF-8", n)
		}
		var err error
		if p.Source, err = unescape(p.Source); err == nil {
			p.Target, err = unescape(p.Target)
		}
		if err != nil {
			return nil, fmt.Errorf("decode corpus: line %d: %w", n, err)
		}
		pairs = append(pairs, p)
		s = rest
	}
	return pairs, nil
}

// The characters that Marshal escapes, and the letters that it writes for them.
const (
	escaped = "\\\t\n\r"
	names   = `\tnr`
)

func appendEscaped(data []byte, s string) []byte {
	for i := range len(s) {
		if k := strings.IndexByte(escaped, s[i]); k >= 0 {
			data = append(data, '\\', names[k])
		} else {
			data = append(data, s[i])
		}
	}
	return data
}

func unescape(s string) (string, error) {
	// Tab and line feed cannot be here, since they ended the column and the line.
	if strings.IndexByte(s, '\r') >= 0 {
		return "", fmt.Errorf("a carriage return is not escaped")
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		// A backslash and a letter.
		i++
		if i == len(s) || strings.IndexByte(names, s[i]) < 0 {
			return "", fmt.Errorf("a backslash is not followed by \\, t, n or r")
		}
		b.WriteByte(escaped[strings.IndexByte(names, s[i])])
	}
	return b.String(), nil
}
