package document

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// encoded is a text in a charset.
func encoded(t *testing.T, charset, text string) []byte {
	t.Helper()
	code, err := htmlindex.Get(charset)
	if err != nil {
		t.Fatal(err)
	}
	data, err := code.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	if charset == "utf-16" {
		data = "\xff\xfe" + data
	}
	return []byte(data)
}

// TestLackedLetters: a translation with a letter that the charset of the file lacks does not
// cost the file. Where the format has an escape the letter is written, and elsewhere its
// segment stays and says why.
func TestLackedLetters(t *testing.T) {
	of := func(text string) (string, bool) {
		return strings.NewReplacer("one", "слово ü", "two", "zwei").Replace(text), true
	}
	po := func(charset, text, one string) string {
		return "msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=" + charset + "\\n\"\n\n# " + text + "\nmsgid \"one\"\nmsgstr \"" + one + "\"\n\nmsgid \"two\"\nmsgstr \"zwei\"\n"
	}
	for _, c := range []struct{ name, file, in, want, detail string }{
		{"text", "x.txt", "one gr\xfcn\ntwo\n", "one gr\xfcn\nzwei\n", "windows-1252 has no 'с', 'л', 'о', 'в': convert the file to UTF-8 first, such as by iconv -f windows-1252 -t UTF-8"},
		{"subtitles", "x.srt", "1\n00:00:01,000 --> 00:00:02,000\none gr\xfcn\n\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n", "1\n00:00:01,000 --> 00:00:02,000\none gr\xfcn\n\n2\n00:00:03,000 --> 00:00:04,000\nzwei\n", "windows-1252 has no 'с'"},
		{"subtitles of the web", "x.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\none gr\xfcn\n\n00:03.000 --> 00:04.000\ntwo\n", "WEBVTT\n\n00:01.000 --> 00:02.000\none gr\xfcn\n\n00:03.000 --> 00:04.000\nzwei\n", "windows-1252 has no 'с'"},
		{"catalog", "x.po", strings.Replace(po("ISO-8859-2", "gr\xfcn", ""), "zwei", "", 1), po("ISO-8859-2", "gr\xfcn", ""), "ISO-8859-2 has no 'с', 'л', 'о', 'в': convert the file to UTF-8 first, such as by msgconv -t UTF-8"},
		{"catalog that has them", "x.po", strings.Replace(po("ISO-8859-5", "\xe1", ""), "zwei", "", 1), po("ISO-8859-5", "\xe1", ""), "ISO-8859-5 has no 'ü'"},
		{"JSON", "x.json", "{\"a\": \"one gr\xfcn\", \"b\": \"two\"}", "{\"a\": \"\\u0441\\u043b\\u043e\\u0432\\u043e \xfc gr\xfcn\", \"b\": \"zwei\"}", ""},
		{"YAML", "x.yaml", "a: one gr\xfcn\nb: two\n", "a: \"\\u0441\\u043b\\u043e\\u0432\\u043e \xfc gr\xfcn\"\nb: zwei\n", ""},
		{"Markdown", "x.md", "*one* gr\xfcn\n\ntwo\n", "*&#1089;&#1083;&#1086;&#1074;&#1086; \xfc* gr\xfcn\n\nzwei\n", ""},
		{"page", "x.html", "<meta charset=iso-8859-1><p>one gr\xfcn<p title=one>two", "<meta charset=iso-8859-1><p>&#1089;&#1083;&#1086;&#1074;&#1086; \xfc gr\xfcn<p title=\"&#1089;&#1083;&#1086;&#1074;&#1086; \xfc\">zwei", ""},
		{"XLIFF", "x.xlf", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><xliff version=\"1.2\"><file source-language=\"en\" original=\"gr\xfcn\"><body><trans-unit id=\"a\"><source>one</source></trans-unit></body></file></xliff>",
			"&#1089;&#1083;&#1086;&#1074;&#1086; \xfc</target>", ""},
	} {
		d := checkIdentical(t, c.file, []byte(c.in))
		out, flags, err := d.Rebuild(Translations{Of: of})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(string(out), c.want) || c.file != "x.xlf" && string(out) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, out, c.want)
		}
		detail := ""
		for _, f := range flags {
			if f.Reason == Charset {
				detail += f.Detail
			}
		}
		if !strings.HasPrefix(detail, c.detail) || c.detail == "" && detail != "" {
			t.Errorf("%s: flags %+v, want %q", c.name, flags, c.detail)
		}
	}
}

// TestAcceptLetters: a charset without the letters of a language is refused before any work,
// where the format has no escape.
func TestAcceptLetters(t *testing.T) {
	latin, cyrillic := "Die Tür ist grün, und die Straße ist naß.\n", "Дверь зелёная, а улица мокрая и длинная.\n"
	for _, c := range []struct{ file, charset, text, target, want string }{
		{"x.txt", "windows-1252", latin, "ru", "which has no letters of the language \"ru\": convert the file to UTF-8 first, such as by iconv -f windows-1252 -t UTF-8"},
		{"x.txt", "windows-1252", latin, "zh_TW", "windows-1252"},
		{"x.txt", "windows-1252", latin, "zh", "windows-1252"},
		{"x.txt", "windows-1252", latin, "ja", "windows-1252"},
		{"x.txt", "windows-1252", latin, "ko", "windows-1252"},
		{"x.txt", "windows-1252", latin, "el", "windows-1252"},
		{"x.txt", "windows-1252", latin, "fr", ""},
		{"x.txt", "windows-1252", latin, "vi", ""}, // most of its letters
		{"x.txt", "windows-1252", latin, "sr", ""}, // in Latin script perhaps
		{"x.txt", "windows-1252", latin, "", ""},
		{"x.txt", "windows-1252", latin, "no language", ""},
		{"x.txt", "utf-8", latin, "ru", ""},
		{"x.txt", "utf-16", latin, "zh", ""},
		{"x.md", "windows-1252", latin, "ru", ""},
		{"x.txt", "windows-1251", cyrillic, "uk", ""},
		{"x.txt", "windows-1251", cyrillic, "en", ""},
		{"x.txt", "windows-1251", cyrillic, "he", "windows-1251"},
		{"x.po", "macintosh", "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=macintosh\\n\"\n\n# grün\nmsgid \"a\"\nmsgstr \"\"\n", "el", "msgconv -t UTF-8"},
		{"x.po", "gb18030", "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=gb18030\\n\"\n\n# 表\nmsgid \"a\"\nmsgstr \"\"\n", "hi", ""},
	} {
		d := checkIdentical(t, c.file, encoded(t, c.charset, c.text))
		err := d.Accept("de", c.target)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s in %s into %q: %v, want %q", c.file, c.charset, c.target, err, c.want)
		}
	}
}

// TestMisread: a file that does not name its charset is not written so that it would be read
// in another.
func TestMisread(t *testing.T) {
	for _, c := range []struct{ name, in, translation, want string }{
		{"x.txt", "grün", "Â«", "read as UTF-8: convert the file to UTF-8 first, such as by iconv -f windows-1252 -t UTF-8"},
		{"x.html", "<p>grün", "Â«", "read as UTF-8"},
		{"x.txt", "grün", "Âû« and Û«", "cannot be told from UTF-8"},
		{"x.txt", "grün", "Tür", ""},
		{"x.txt", "grün", "tree", ""},
		{"x.html", "<meta charset=windows-1252><p>grün", "Â«", ""},
	} {
		d := checkIdentical(t, c.name, encoded(t, "windows-1252", c.in))
		_, _, err := d.Rebuild(Translations{Of: func(string) (string, bool) { return c.translation + " x", true }})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q: %v, want %q", c.in, c.translation, err, c.want)
		}
	}
	// No language is taken for another.
	for _, from := range spokenTexts {
		for _, to := range spokenTexts {
			for _, charset := range strings.Fields(from.charsets) {
				d := checkIdentical(t, "x.txt", encoded(t, charset, from.text))
				if _, _, err := d.Rebuild(Translations{Of: func(string) (string, bool) { return to.text, true }}); err != nil {
					t.Errorf("%s: %q: %v", charset, to.text, err)
				}
			}
		}
	}
}
