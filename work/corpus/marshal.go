package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
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
		data = p.Append(data)
	}
	return data
}

// Append appends the pair to data, as [Marshal] encodes it.
func (p Pair) Append(data []byte) []byte {
	data = append(appendEscaped(data, p.Source), '\t')
	return append(appendEscaped(data, p.Target), '\n')
}

// Unmarshal decodes the bytes that [Marshal] returns. It accepts no others; the error names the line.
func Unmarshal(data []byte) ([]Pair, error) {
	if len(data) > MaxMarshal {
		return nil, fmt.Errorf("decode corpus: it has %d bytes, the limit is %d", len(data), MaxMarshal)
	}
	pairs := make([]Pair, 0, bytes.Count(data, []byte("\n")))
	one := func(yield func([]byte, error) bool) { yield(data, nil) }
	for p, err := range Decode(one) {
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// maxEncoded is the bytes of the longest line that Decode takes apart from the chunk it is in.
const maxEncoded = 1 << 22

// Decode decodes pairs, as [Unmarshal] does, from the chunks of their encoding one by one. The
// sequence ends with the first error.
func Decode(chunks iter.Seq2[[]byte, error]) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		var begun []byte // the line that a chunk before has begun
		n := 0
		for chunk, err := range chunks {
			if err != nil {
				yield(Pair{}, err)
				return
			}
			for len(chunk) > 0 {
				line, rest, ok := bytes.Cut(chunk, []byte("\n"))
				if len(begun) > 0 || !ok {
					if len(begun)+len(line) > maxEncoded {
						yield(Pair{}, fmt.Errorf("decode corpus: line %d has more than %d bytes", n+1, maxEncoded))
						return
					}
					begun = append(begun, line...)
					line = begun
				}
				if chunk = rest; !ok {
					break
				}
				n++
				p, err := decodeLine(string(line))
				begun = begun[:0]
				if err != nil {
					yield(p, fmt.Errorf("decode corpus: line %d%w", n, err))
					return
				}
				if !yield(p, nil) {
					return
				}
			}
		}
		if len(begun) > 0 {
			yield(Pair{}, fmt.Errorf("decode corpus: line %d is cut short", n+1))
		}
	}
}

func decodeLine(line string) (Pair, error) {
	p, ok := cutTab(line)
	if !ok {
		return Pair{}, errors.New(" is not two columns separated by a tab")
	}
	if !utf8.ValidString(line) {
		return Pair{}, errors.New(" is not UTF-8")
	}
	var err error
	if p.Source, err = unescape(p.Source); err == nil {
		p.Target, err = unescape(p.Target)
	}
	return p, err
}

// cutTab returns the two columns of a line of tab-separated values, and whether there are two.
func cutTab(line string) (Pair, bool) {
	source, target, ok := strings.Cut(line, "\t")
	return Pair{source, target}, ok && !strings.Contains(target, "\t")
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
		return "", errors.New(": a carriage return is not escaped")
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
			return "", errors.New(": a backslash is not followed by \\, t, n or r")
		}
		b.WriteByte(escaped[strings.IndexByte(names, s[i])])
	}
	return b.String(), nil
}
