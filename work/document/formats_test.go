package document

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func zipOf(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(members[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRefused: what no parser reads is refused by name, with the kind that it is and the
// kinds that are read.
func TestRefused(t *testing.T) {
	xlsx := zipOf(t, "[Content_Types].xml", `<Override ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>`)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"a.pdf", []byte("%PDF-1.7\n"), "is a PDF"},
		{"a.txt", []byte("%PDF-1.7\n"), "is a PDF"},
		{"", []byte("%PDF-1.7\n"), "the input is a PDF"},
		{"a.doc", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Office file"},
		{"a.xlsx", xlsx, "an Excel sheet"},
		{"a.txt", xlsx, "an Excel sheet"},
		{"a.md", zipOf(t, "x", "y"), "a ZIP archive"},
		{"a.png", []byte("\x89PNG\r\n\x1a\n"), "a PNG picture"},
		{"a.txt", []byte("\x7fELF\x02\x01\x01"), "a program"},
		{"a.txt", []byte("a\x00b"), "binary"},
		{"a.csv", []byte("a,b\n"), "a table"},
		{"a.xyz", []byte("text\n"), "the extension .xyz"},
		{"A.RTF", []byte(`{\rtf1`), "an RTF document"},
		{"-", []byte("<?xml version=\"1.0\"?><svg/>"), "svg"},
		{"a.txt", []byte("\xff\xfe\x00\x00a\x00\x00\x00"), "UTF-32"},
		{"a.txt", []byte("a\x00b\x00"), "UTF-16 without a byte order mark"},
	} {
		d, err := Parse(c.name, c.data)
		if d != nil || !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.name, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), ".md") && !strings.Contains(err.Error(), "binary") {
			t.Errorf("%q: %v does not say what is supported", c.name, err)
		}
	}
}

// TestByContent: without an extension the bytes decide.
func TestByContent(t *testing.T) {
	for _, c := range []struct {
		data string
		want Format
	}{
		{"Hello\n", "txt"}, {"", "txt"}, {"WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n", "vtt"}, {"1\n00:00:01,000 --> 00:00:02,000\nhi\n", "srt"},
		{"\ufeff{\"a\": \"b\"}\n", "json"}, {"# c\nmsgid \"a\"\nmsgstr \"\"\n", "po"}, {"{not json}", "txt"},
	} {
		for _, name := range []string{"", "-", "README"} {
			d, err := Parse(name, []byte(c.data))
			if err != nil || d.Format != c.want {
				t.Errorf("%q: %v %v, want %s", c.data, d, err, c.want)
			}
		}
	}
	for _, f := range formats() {
		if len(f.extensions) == 0 || len(f.name.Extensions()) != len(f.extensions) {
			t.Errorf("%s has no extensions", f.name)
		}
		if !f.archive {
			if d, err := Parse("empty"+f.extensions[0], nil); err != nil || len(d.Segments) > 0 {
				t.Errorf("an empty %s: %v", f.name, err)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	utf16 := func(s, order string) string {
		var b strings.Builder
		for _, r := range s {
			hi, lo := byte(r>>8), byte(r)
			if order == "LE" {
				hi, lo = lo, hi
			}
			b.WriteString(string([]byte{hi, lo}))
		}
		return b.String()
	}
	for _, c := range []struct{ name, in, want string }{
		{"UTF-8 with a mark", "\xef\xbb\xbfgrün\r\n", "\xef\xbb\xbfGRÜN\r\n"},
		{"UTF-16 little", "\xff\xfe" + utf16("grün\n", "LE"), "\xff\xfe" + utf16("GRÜN\n", "LE")},
		{"UTF-16 big", "\xfe\xff" + utf16("grün\n", "BE"), "\xfe\xff" + utf16("GRÜN\n", "BE")},
		{"Latin-1", "gr\xfcn\n", "GR\xdcN\n"},
		{"Windows-1252", "\x93gr\xfcn\x94 \x80 5\n", "\x93GR\xdcN\x94 \x80 5\n"},
		{"Latin-1 that looks like UTF-8 once", "CAF\xc9\xbb, \xe9t\xe9, \xe0 la gr\xe8ve\n", "CAF\xc9\xbb, \xc9T\xc9, \xc0 LA GR\xc8VE\n"},
	} {
		if got, _ := rebuilt(t, "x.txt", c.in, upper); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"one\ngrün\nbl\xfc\n", "line 3"},
		{"\xef\xbb\xbfone\ngr\xfcn\n", "line 2"},
		{"gr\xfcn\n\x81\n", "line 1: the byte 0xfc is no UTF-8, and the text does not show its charset"},
		{"\xff\xfea\x00\n\x00\x00\xd8", "line 2"},
		{"\xff\xfea", "line"},
	} {
		if _, err := Parse("x.txt", []byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.in, err, c.want)
		}
	}
}

// TestNoExplosion: hostile files of a megabyte are read or refused in well under a second on a quiet machine, whatever the
// format.
func TestNoExplosion(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a hundred megabytes: run without -short")
	}
	const size = 1 << 14
	for _, f := range formats() {
		if f.archive {
			continue
		}
		for _, unit := range []string{"[", "(", "*", "**a ", "_a", "`", "`a``", "<", "<b>", "</b>", "<b><i>", "![", "[a](", "[a][", "> ", "- ", "  - a\n", "{", "}", "{a,plural,b{", "%s",
			"\"", "'", "\\", "&", "&amp;", "a\n", "a\n\n", "- a\n", "|", "|a|b|\n|-|-|\n", "[^1]", "[^1]: a\n\n", "msgid \"a\"\nmsgstr \"\"\n", "\"a\"\n", "1\n00:00:01,000 --> 00:00:02,000\na\n\n",
			"a: b\n", "[a,", "{a: ", "a: &a [*a]\n", "? ", "\"a\":", "~~", "~", "<!--", "<?", "#", "\t", "\r"} {
			for _, head := range []string{"", "WEBVTT\n\n00:01.000 --> 00:02.000\n", "1\n00:00:01,000 --> 00:00:02,000\n", "msgid \"", "{\"a\":\"", "a: |\n  ", "a: \""} {
				if head != "" && head[0] != map[Format]byte{"vtt": 'W', "srt": '1', "po": 'm', "json": '{', "yaml": 'a'}[f.name] {
					continue
				}
				tail := map[byte]string{'m': "\"\nmsgstr \"\"\n", '{': "\"}"}[(head + " ")[0]]
				data := []byte(head + strings.Repeat(unit, size/len(unit)) + tail)
				start := time.Now()
				d, err := Parse("x"+f.extensions[0], data)
				if err == nil {
					out, _, err := d.Rebuild(Translations{Of: func(s string) (string, bool) { return s + "x", true }})
					if err != nil {
						t.Errorf("%s of %q: %v", f.name, unit, err)
					}
					_ = out
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("%s: %q after %q takes %v", f.name, unit, head, took)
				} else if took > 150*time.Millisecond {
					t.Logf("%s: %q after %q takes %v", f.name, unit, head, took)
				}
			}
		}
	}
}
