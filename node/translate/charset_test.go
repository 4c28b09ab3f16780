package translate_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/translate"
)

// TestAccept: a file that cannot be in the target language is refused before anything is paid.
func TestAccept(t *testing.T) {
	const french = `<?xml version="1.0"?><xliff version="1.2"><file source-language="en" target-language="fr" original="x"><body>` +
		`<trans-unit id="a"><source>one</source></trans-unit><trans-unit id="b"><source>two</source><target>deux</target></trans-unit></body></file></xliff>`
	for _, c := range []struct{ file, data, target, want string }{
		{"a.txt", "one two\nF\xfcr Gr\xfc\xdfe\n", "ru", `a.txt: the file is in windows-1252, which has no letters of the language "ru": convert the file to UTF-8 first, such as by iconv -f windows-1252 -t UTF-8`},
		{"a.txt", "one two\nFür Grüße\n", "ru", ""},
		{"a.txt", "one two\nF\xfcr Gr\xfc\xdfe\n", "de", ""},
		{"a.json", "{\"a\": \"one two\", \"b\": \"F\xfcr Gr\xfc\xdfe\"}", "ru", ""},
		{"a.xlf", french, "ru", "a.xlf: the XLIFF file has translations into fr already"},
	} {
		s := &sold{Local: localInto(t, c.target)}
		dir, conf := world(t, s)
		conf.To = c.target
		in := filepath.Join(dir, c.file)
		write(t, in, c.data)
		_, err := conf.File(t.Context(), in, filepath.Join(dir, "out"+filepath.Ext(c.file)))
		if c.want == "" && (err != nil || len(s.asked) == 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(s.asked) > 0) {
			t.Errorf("%s into %s: %v, want %q, asked %q", c.file, c.target, err, c.want, s.asked)
		}
	}
}

// TestLackedLetter: a translation with a letter that the charset of the file lacks is paid, and
// the file comes back.
func TestLackedLetter(t *testing.T) {
	s := &sold{Local: local(t)}
	_, c := world(t, s)
	data := "one two\nF\xfcr Gr\xfc\xdfe\n"
	known(t, c, "one two", "слово")
	out, r, err := c.Bytes(t.Context(), "a.txt", []byte(data))
	if err != nil || !strings.HasPrefix(string(out), "one two\n") {
		t.Fatalf("%q, %v", out, err)
	}
	if len(r.Flags) == 0 || r.Flags[0].Reason != "charset" || !strings.Contains(r.Flags[0].Detail, "windows-1252 has no 'с', 'л', 'о', 'в': convert") {
		t.Errorf("flags %+v", r.Flags)
	}
}

// known puts a translation into the memory, as a person would.
func known(t *testing.T, c *translate.Config, source, target string) {
	t.Helper()
	models, err := c.Engine.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := c.Settings(t.Context(), models[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Memory.Put(memory.Known{Settings: settings, Source: source, Target: target}); err != nil {
		t.Fatal(err)
	}
}
