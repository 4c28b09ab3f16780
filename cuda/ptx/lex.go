package ptx

import (
	"fmt"
	"strings"
)

// token is a word or a punctuation mark of PTX.
type token struct {
	text string
	line int
}

// lex divides a module into tokens. It drops comments.
func lex(src string) ([]token, error) {
	var ts []token
	line := 1
	for i := 0; i < len(src); {
		switch c := src[i]; { // white space, comments, words, punctuation
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(src[i:], "//"):
			n := strings.IndexByte(src[i:], '\n')
			if n < 0 {
				n = len(src) - i
			}
			i += n
		case strings.HasPrefix(src[i:], `"nounroll"`):
			// A hint to the driver's compiler, the only string in our modules.
			ts = append(ts, token{`"nounroll"`, line})
			i += len(`"nounroll"`)
		case wordByte(c):
			j := i + 1
			for j < len(src) && wordByte(src[j]) {
				j++
			}
			ts = append(ts, token{src[i:j], line})
			i = j
		case strings.IndexByte("(){}[]<>,;:@!+-|", c) >= 0:
			ts = append(ts, token{src[i : i+1], line})
			i++
		default:
			return nil, fmt.Errorf("line %d: unexpected character %q", line, c)
		}
	}
	return ts, nil
}

// wordByte reports whether c may be part of a word.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("_$%.", c) >= 0
}
