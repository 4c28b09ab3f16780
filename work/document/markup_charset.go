package document

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// decodeMarkup gives a file of HTML or XML in UTF-8, and what makes the file's own bytes of
// changed text, which is nil for UTF-8. A character that the file's charset does not have
// becomes a numeric reference. The error says why the charset cannot be kept.
func decodeMarkup(data []byte, xml bool) (text []byte, recode func([]byte) ([]byte, error), err error) {
	enc, name, err := markupCharset(data, xml)
	if err == nil && !xml && isASCII(data) && !namesCharset(data) {
		return data, references, nil
	}
	if err != nil || enc == nil {
		return data, nil, err
	}
	if text, err = enc.NewDecoder().Bytes(data); err != nil {
		return nil, nil, fmt.Errorf("the file is not in %s, the charset it says: %w", name, err)
	}
	_, single := enc.(*charmap.Charmap)
	guessed := single && !xml && !namesCharset(data)
	recode = func(text []byte) ([]byte, error) {
		b, err := encoding.HTMLEscapeUnsupported(enc.NewEncoder()).Bytes(text)
		if err != nil {
			return nil, fmt.Errorf("write in %s: %w", name, err)
		}
		if guessed && !bytes.Equal(b, data) {
			return b, misread(b, name, enc)
		}
		return b, nil
	}
	// A file with broken characters cannot be written again as it was.
	again, err := recode(text)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(again, data) {
		at := 0
		for at < len(again) && at < len(data) && again[at] == data[at] {
			at++
		}
		return nil, nil, fmt.Errorf("the file is not in %s, the charset it says: byte %d is broken; convert it to UTF-8", name, at)
	}
	return text, recode, nil
}

// namesCharset reports whether a page may say what its charset is, as in <meta charset=…>.
func namesCharset(page []byte) bool {
	return bytes.Contains(bytes.ToLower(page[:min(1024, len(page))]), []byte("charset"))
}

func isASCII(data []byte) bool {
	return bytes.IndexFunc(data, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// references writes a page in ASCII that names no charset. A browser would not read UTF-8
// in it, but references mean the same everywhere.
func references(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		} else {
			out = fmt.Appendf(out, "&#%d;", r)
		}
	}
	return out, nil
}

var xmlEncoding = regexp.MustCompile(`^<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// markupCharset finds the charset of a file. nil is UTF-8.
func markupCharset(data []byte, xml bool) (encoding.Encoding, string, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return nil, "UTF-8", nil
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		return nil, "", fmt.Errorf("the file is in UTF-32: convert it to UTF-8")
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "UTF-16", nil
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "UTF-16", nil
	case bytes.HasPrefix(data, []byte("<\x00")):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16", nil
	case bytes.HasPrefix(data, []byte("\x00<")):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "UTF-16", nil
	}
	declared, name, certain := htmlcharset.DetermineEncoding(data, "")
	if m := xmlEncoding.FindSubmatch(data); m != nil {
		if declared, name = htmlcharset.Lookup(string(m[1])); declared == nil {
			return nil, "", fmt.Errorf("the file says that it is in %q, a charset that ALIA does not know: convert it to UTF-8", m[1])
		}
		certain = true
	} else if xml {
		return nil, "UTF-8", nil // XML 1.0, section 4.3.3
	}
	// What the file's first bytes showed to be no UTF-16 is none, whatever the file says.
	if name == "utf-8" || declared == encoding.Nop || strings.HasPrefix(name, "utf-16") {
		return nil, "UTF-8", nil
	}
	if !certain && !utf8.Valid(data) && !namesCharset(data) {
		name, enc, err := guessCharset(data)
		return enc, name, err
	}
	// A text in bytes above 127 that is good UTF-8 is no text of a charset with one byte a
	// character: the file was converted, and its declaration was forgotten.
	plain, err := htmlindex.Get(name)
	if err != nil {
		return nil, "", fmt.Errorf("the file is in %s, a charset that ALIA cannot write: convert it to UTF-8", name)
	}
	if _, single := plain.(*charmap.Charmap); single && !certain && !isASCII(data) && utf8.Valid(data) {
		return nil, "UTF-8", nil
	}
	return plain, name, nil
}
