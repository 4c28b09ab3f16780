package document

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const template = `# A template.
#, fuzzy
msgid ""
msgstr ""
"Project-Id-Version: mill 1.0\n"
"PO-Revision-Date: 2024-05-01 12:00+0200\n"
"Last-Translator: Jo Doe <jo@example.org>\n"
"Language-Team: none\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=CHARSET\n"
"Content-Transfer-Encoding: 8bit\n"

#. for the menu
#: src/mill.c:12
#, c-format
msgctxt "menu"
msgid "Open %s"
msgstr ""

#, c-format
msgid "%d file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

msgid ""
"The first line of a long message goes on and on, until nobody reads it.\n"
"The second \"line\".\n"
msgstr ""

msgid "Kept"
msgstr "Behalten"

#~ msgid "Old"
#~ msgstr "Alt"
`

// german is a translator of the texts in template.
func german(text string) (string, bool) {
	t, ok := map[string]string{
		"Open %s": "Öffne %s", "%d file": "%d Datei", "%d files": "%d Dateien",
		"The first line of a long message goes on and on, until nobody reads it.": "Die erste Zeile einer langen Nachricht geht immer weiter, zu 100 % und bis keiner mehr liest.",
		"The second \"line\".": "Die zweite „Zeile\".",
	}[text]
	return t, ok
}

func TestPO(t *testing.T) {
	d := checkIdentical(t, "x.pot", []byte(template))
	out, flags, err := d.Rebuild(Translations{Source: "en", Target: "de", Of: german})
	if err != nil {
		t.Fatal(err)
	}
	if len(flags) != 1 || flags[0].Reason != Numbers { // "100"
		t.Errorf("flags %+v", flags)
	}
	for _, want := range []string{
		"# A template.\nmsgid \"\"\n", `charset=UTF-8\n`, `"Language: de\n"`, `"Plural-Forms: nplurals=2; plural=(n != 1);\n"`,
		"#, c-format\nmsgctxt \"menu\"\nmsgid \"Open %s\"\nmsgstr \"Öffne %s\"\n",
		"msgstr[0] \"%d Datei\"\nmsgstr[1] \"%d Dateien\"\n",
		"#, fuzzy\nmsgid \"\"\n\"The first", "msgstr \"\"\n\"Die erste Zeile einer langen Nachricht geht immer weiter, zu 100 % und bis \"\n\"keiner mehr liest.\\n\"\n\"Die zweite „Zeile\\\".\\n\"\n",
		"msgid \"Kept\"\nmsgstr \"Behalten\"\n", "#~ msgid \"Old\"\n#~ msgstr \"Alt\"\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, language := range []string{"de", "ja", "ru", "ar", "sl", "fr", "pt-BR"} {
		out, flags, err := d.Rebuild(Translations{Source: "en", Target: language, Of: german})
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{"de": 2, "ja": 1, "ru": 3, "ar": 6, "sl": 4, "fr": 2, "pt-BR": 2}[language]
		doubts := 0
		for _, f := range flags {
			if f.Reason == Plurals {
				doubts++
			}
		}
		if strings.Count(string(out), "\nmsgstr[") != n || doubts > 0 != (n > 2) {
			t.Errorf("%s: want %d forms:\n%s", language, n, out)
		}
		msgfmt(t, out)
		checkIdentical(t, "x.po", out)
	}
}

// msgfmt lets gettext's compiler judge a catalog, where it is installed.
func msgfmt(t *testing.T, catalog []byte) {
	t.Helper()
	path, err := exec.LookPath("msgfmt")
	if err != nil {
		t.Log("msgfmt is not installed: no judge")
		return
	}
	cmd := exec.Command(path, "-c", "-o", os.DevNull, "-")
	cmd.Stdin = strings.NewReader(string(catalog))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("msgfmt -c: %v\n%s\n%s", err, out, clip(catalog))
	}
}

// TestPOHostile: msgfmt accepts whatever a model writes.
func TestPOHostile(t *testing.T) {
	for _, data := range []string{template, strings.ReplaceAll(template, "\n", "\r\n"), "msgid \"Hello\"\nmsgstr \"\"\n"} {
		d := checkIdentical(t, "x.po", []byte(data))
		for seed := range 40 {
			out, _, err := d.Rebuild(Translations{Target: "de", Of: hostile(uint64(seed))})
			if err != nil {
				t.Fatal(err)
			}
			msgfmt(t, out)
		}
		checkHostile(t, "x.po", []byte(data), 100)
	}
}

func TestPOErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"msgid \"a\nmsgstr \"\"\n", "line 1"},
		{"msgid \"a\"\n\nmsgid \"b\"\nmsgstr \"\"\n", "line 3"},
		{"\"a\"\n", "line 1"},
		{"hello\n", "line 1"},
		{"msgid \"a\"\nmsgstr \"b\" c\n", "line 2"},
		{"msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=nonsense\\n\"\nmsgid \"é\"\nmsgstr \"\"\n", "nonsense"},
	} {
		if _, err := Parse("x.po", []byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.in, err)
		}
	}
}

// TestPOFiles reads the catalogs of this machine, where there are some.
func TestPOFiles(t *testing.T) {
	files, _ := filepath.Glob("/usr/lib/libreoffice/share/basic/ScriptForge/po/*.po")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := checkIdentical(t, file, data)
		out, _, err := d.Rebuild(Translations{Target: "de", Of: upper})
		if err != nil {
			t.Fatal(err)
		}
		msgfmt(t, out)
	}
	realFiles(t, 60, ".po", ".pot")
}

func FuzzPO(f *testing.F) {
	f.Add([]byte(template))
	f.Add([]byte("msgid \"<b>a</b> \\\"%s\\\"\"\nmsgid_plural \"{n, plural, one {x} other {y}}\"\nmsgstr[0] \"\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzOne(t, "x.po", data)
		if d, err := Parse("x.po", data); err == nil {
			out, _, err := d.Rebuild(Translations{Target: "ru", Of: hostile(3)})
			if err == nil {
				_, err = Parse("x.po", out)
			}
			if err != nil && !strings.Contains(err.Error(), "the file does not say that its charset is") {
				t.Fatalf("%v: %q", err, out)
			}
		}
	})
}

// TestPOPrevious: the flag of an entry goes before its previous text, where gettext takes it.
func TestPOPrevious(t *testing.T) {
	in := "msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\"Language: de\\n\"\n\n#. c\n#| msgid \"old\"\nmsgid \"one %d\"\nmsgstr \"\"\n\n#, x\n#| msgctxt \"a\"\n#| msgid \"old\"\nmsgctxt \"a\"\nmsgid \"one %d\"\nmsgstr \"\"\n"
	out, _ := rebuilt(t, "x.po", in, func(string) (string, bool) { return "%s", true })
	want := strings.NewReplacer("#| msgid \"old\"\nmsgid", "#, fuzzy\n#| msgid \"old\"\nmsgid", "#, x", "#, fuzzy, x").Replace(in)
	if strings.ReplaceAll(out, "\"one %d\"\nmsgstr \"one %d\"", "\"one %d\"\nmsgstr \"\"") != want {
		t.Errorf("got %s\nwant %s", out, want)
	}
}
