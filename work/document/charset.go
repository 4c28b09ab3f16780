package document

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// charset is how a file writes its characters.
type charset struct {
	name string            // such as "UTF-8"
	bom  string            // the mark that the file begins with
	code encoding.Encoding // nil is UTF-8
	// declared says that the file names the charset, and guessed that only its text shows it.
	declared, guessed bool
}

// decode returns a file's text in UTF-8, without its byte order mark. declared is the name
// of the charset that the file itself gives, or "". The bytes decide otherwise: a mark, then
// UTF-8, then guessCharset. A file is accepted only if encode gives back the same bytes.
func decode(data []byte, declared string) ([]byte, charset, error) {
	cs := charset{name: "UTF-8"}
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		cs.bom = "\xef\xbb\xbf"
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		cs = charset{name: "UTF-16", bom: "\xff\xfe", code: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		cs = charset{name: "UTF-16", bom: "\xfe\xff", code: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}
	case binary(data):
		return nil, cs, fmt.Errorf("the content is binary, or text in UTF-16 without a byte order mark: %w", ErrUnsupported)
	case declared != "" && !strings.EqualFold(declared, "UTF-8") && !ascii(data):
		code, err := htmlindex.Get(declared)
		if err != nil {
			return nil, cs, fmt.Errorf("the file says that its charset is %q, which is not known: convert it to UTF-8", declared)
		}
		cs = charset{name: declared, code: code, declared: true}
	case utf8.Valid(data):
	case declared != "" || mixed(data):
		at := invalid(data)
		return nil, cs, fmt.Errorf("line %d: the byte 0x%02x is no UTF-8, and the other text is: the file mixes encodings, or is damaged: convert it to UTF-8",
			lineOf(data, at), data[at])
	default:
		name, code, err := guessCharset(data)
		if err != nil {
			return nil, cs, err
		}
		cs = charset{name: name, code: code, guessed: true}
	}
	body := data[len(cs.bom):]
	if cs.code == nil {
		if !utf8.Valid(body) {
			at := invalid(body)
			return nil, cs, fmt.Errorf("line %d: the byte 0x%02x is no UTF-8, which the file's byte order mark promises", lineOf(body, at), body[at])
		}
		return body, cs, nil
	}
	text, err := cs.code.NewDecoder().Bytes(body)
	if err != nil {
		return nil, cs, fmt.Errorf("the text is no %s: %w", cs.name, err)
	}
	again, err := cs.encode(text)
	if err != nil || !bytes.Equal(again, data) {
		at := 0
		for at < len(again) && at < len(data) && again[at] == data[at] {
			at++
		}
		line := lineOf(text, len(text))
		if i := bytes.IndexRune(text, utf8.RuneError); i >= 0 {
			line = lineOf(text, i)
		} else if err == nil {
			line = lineOf(data, at)
		}
		return nil, cs, fmt.Errorf("line %d: the text is no %s: convert it to UTF-8", line, cs.name)
	}
	return text, cs, nil
}

// encode is the inverse of decode.
func (cs charset) encode(text []byte) ([]byte, error) {
	out := []byte(cs.bom)
	if cs.code == nil {
		return append(out, text...), nil
	}
	b, err := cs.code.NewEncoder().Bytes(text)
	if err != nil {
		for i, r := range string(text) {
			if !cs.can(r) {
				return nil, fmt.Errorf("line %d of the translation has %q, which %s cannot write: %s", lineOf(text, i), r, cs.name, cs.advice())
			}
		}
		return nil, fmt.Errorf("write %s: %w", cs.name, err)
	}
	return append(out, b...), nil
}

// can reports whether the charset can write a character.
func (cs charset) can(r rune) bool {
	if cs.code == nil || cs.name == "UTF-16" || r < utf8.RuneSelf {
		return true
	}
	_, err := cs.code.NewEncoder().String(string(r))
	return err == nil
}

// document returns a document with one part, the text of a file, which is written in cs. A
// segment stays untranslated if cs lacks a letter of its translation.
func (cs charset) document(text []byte) *Document {
	d := cs.escaping(text)
	d.charset = cs
	return d
}

// escaping is document for a format that has an escape for any letter, such as \u, and writes
// it for what cs lacks.
func (cs charset) escaping(text []byte) *Document {
	d := &Document{parts: []part{{data: text}}}
	d.write = func(parts [][]byte) ([]byte, error) {
		out, err := cs.encode(parts[0])
		if err != nil || !cs.guessed || bytes.Equal(parts[0], text) {
			return out, err
		}
		if !utf8.Valid(out) && mixed(out) {
			return nil, fmt.Errorf("the file does not say that its charset is %s, and its translation cannot be told from UTF-8: %s", cs.name, cs.advice())
		}
		return out, misread(out, cs.name, cs.code)
	}
	return d
}

// binary reports whether bytes are no text in an encoding of single bytes or UTF-8: one NUL,
// or more than one control character in a hundred bytes.
func binary(data []byte) bool {
	controls := 0
	for _, b := range data {
		switch {
		case b == 0:
			return true
		case b < ' ' && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != '\v' && b != 0x1b, b == 0x7f:
			controls++
		}
	}
	return controls*100 > len(data)
}

func ascii(data []byte) bool {
	for _, b := range data {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// mixed reports whether text that is not UTF-8 has characters of UTF-8 all the same: more
// of them than a Latin-1 text has by accident, as in "CAFÉ»".
func mixed(data []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else if n > 1 {
			good++
		}
		i += n
	}
	return good*4 > bad
}

// invalid is the place of the first byte that is no UTF-8.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}

// lineOf is the number of the line that has the byte at.
func lineOf(data []byte, at int) int { return 1 + bytes.Count(data[:at], []byte("\n")) }
