package document

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nested", `{"a":{"b":"Save {{name}}","n":5,"l":["one",true,"two"]},"u":"https://x.org"}`, `{"a":{"b":"SAVE {{name}}","n":5,"l":["ONE",true,"TWO"]},"u":"https://x.org"}`},
		{"escapes", `{"a" : "Say \"hi\".\nüber\/ \ud83d\ude00 %s"}`, `{"a" : "SAY \"HI\".\nÜBER/ 😀 %s"}`},
		{"escapes of a file in ASCII", `{"a":"\u00fcber"}`, `{"a":"\u00dcBER"}`},
		{"arb", `{"@@locale":"en","hi":"Hello {n}","@hi":{"description":"A greeting","placeholders":{"n":{"type":"String"}}}}`,
			`{"@@locale":"de","hi":"HELLO {n}","@hi":{"description":"A greeting","placeholders":{"n":{"type":"String"}}}}`},
		{"chrome", `{"app":{"message":"My $NAME$ app","description":"The name","placeholders":{"name":{"content":"$1","example":"x"}}}}`,
			`{"app":{"message":"MY $NAME$ APP","description":"The name","placeholders":{"name":{"content":"$1","example":"x"}}}}`},
		{"a message that is no description", `{"dialog":{"title":"Hi","message":"there","description":"all texts"}}`, `{"dialog":{"title":"HI","message":"THERE","description":"ALL TEXTS"}}`},
		{"root language", `{"en":{"a":"x y"}}`, `{"de":{"a":"X Y"}}`},
		{"icu", `{"a":"{n, plural, one {# file} other {# <b>files</b>}}"}`, `{"a":"{n, plural, one {# FILE} other {# <b>FILES</b>}}"}`},
		{"empty", "", ""},
		{"a string", `"text"`, `"TEXT"`},
	} {
		got, flags := rebuilt(t, "x.json", c.in, upper)
		if got != c.want || len(flags) > 0 {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, flags, got, c.want)
		}
		if c.in != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s: %s is no JSON", c.name, got)
		}
	}
	if _, err := Parse("x.json", []byte("{\n\"a\": 1,\n}")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("bad JSON: %v", err)
	}
	got, _ := rebuilt(t, "x.json", `{"a":"the {x}"}`, func(string) (string, bool) { return "l'{x}", true })
	if got != `{"a":"l’{x}"}` {
		t.Errorf("elision: %s", got)
	}
}

func TestYAML(t *testing.T) {
	in := `# a comment
en:
  plain: Hello %{name}   # a greeting
  double: "Say \"hi\"\tnow"
  single: 'It''s here'
  literal: |
    First line.

    Second line.
  folded: >-
    one long
    paragraph.

    and another
  multi: first
    second
  number: 5
  order: [ month name, "x y" ]
  anchor: &a Text here
  alias: *a
  symbol:
    - :year
  format: "%Y-%m-%d"
  html: <b>bold</b> text
last: &b
`
	in = strings.TrimSuffix(in, "last: &b\n")
	want := `# a comment
de:
  plain: HELLO %{name}   # a greeting
  double: "SAY \"HI\"\tNOW"
  single: 'IT''S HERE'
  literal: |
    FIRST LINE.

    SECOND LINE.
  folded: >-
    ONE LONG PARAGRAPH.

    AND ANOTHER
  multi: FIRST SECOND
  number: 5
  order: [ MONTH NAME, "X Y" ]
  anchor: &a TEXT HERE
  alias: *a
  symbol:
    - :year
  format: "%Y-%m-%d"
  html: <b>BOLD</b> TEXT
`
	got, flags := rebuilt(t, "x.yml", in, upper)
	if got != want {
		t.Errorf("flags %v\n got %s\nwant %s", flags, got, want)
	}
	for _, c := range []struct{ in, translation, want string }{
		{"a: word\n", "no", "a: \"no\"\n"},
		{"a: word\n", "x: y", "a: \"x: y\"\n"},
		{"a: word\n", "x #y", "a: \"x #y\"\n"},
		{"a: word\n", "- x", "a: \"- x\"\n"},
		{"a: [word, b]\n", "x, y", "a: [\"x, y\", b]\n"},
		{"a: 'word'\n", "l'x", "a: 'l''x'\n"},
		{"a: |\n  word\n\nb: 1\n", "Wort: x", "a: |\n  Wort: x\n\nb: 1\n"},
		{"- word\n", "* x", "- \"* x\"\n"},
	} {
		got, _ := rebuilt(t, "x.yaml", c.in, func(s string) (string, bool) {
			if s == "word" {
				return c.translation, true
			}
			return s, true
		})
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	// Another charset: what Latin-1 has not is written as an escape.
	got, _ = rebuilt(t, "x.yaml", "a: caf\xe9 word\n", func(string) (string, bool) { return "Слово", true })
	var m map[string]string
	if err := yaml.Unmarshal([]byte(got), &m); err != nil || m["a"] != "Слово" {
		t.Errorf("%q: %v", got, err)
	}
}

// TestCatalogFiles reads the catalogs of this machine, where there are some.
func TestCatalogFiles(t *testing.T) {
	realFiles(t, 60, ".json", ".arb")
	realFiles(t, 60, ".yml", ".yaml")
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"@@locale":"en","a":["x \u00fc\ud83d\ude00 {n, plural, one {# a} other {b}}",{"message":"<b>x</b>","description":"d"}],"b":1}`))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzOne(t, "x.json", data) })
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("en:\n  a: Hello %{x} # c\n  b: \"q\\n\"\n  c: 'it''s'\n  d: |\n    l\n\n    m\n  e: >-\n    f\n    g\n  h: [a b, {c: d e}]\n  i: &x y z\n  j: k\n    l\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzOne(t, "x.yaml", data) })
}

// TestYAMLTabs: a line of white space after a plain scalar may have tabs, and after one in
// quotes it may not.
func TestYAMLTabs(t *testing.T) {
	for in, want := range map[string]string{
		"a: one\n  \t\nb: two\n": "a: \"yes\"\n  \nb: \"yes\"\n", "one\n\t": "\"yes\"\n", "a: one\t\r\n  \t# c\r\nb: 1": "a: \"yes\"\r\n  # c\r\nb: 1",
		"a: 'one'\t\n": "a: 'yes'\t\n",
	} {
		if got, _ := rebuilt(t, "x.yaml", in, func(string) (string, bool) { return "yes", true }); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	in := "a: one\n  \t\nb: two\n"
	if got, _ := rebuilt(t, "x.yaml", in, upper); got != strings.NewReplacer("one", "ONE", "two", "TWO").Replace(in) {
		t.Errorf("got %q", got)
	}
}

// TestYAMLBooleans: what YAML 1.1 takes for a boolean is no text, and no translation becomes one.
func TestYAMLBooleans(t *testing.T) {
	in := "a: yes\nb: no\nc: 'yes'\nd: \"no\"\ne: !!str on\nf: [off, one]\ng: one\n"
	d := checkIdentical(t, "x.yaml", []byte(in))
	if got := strings.Join(d.Texts(), " "); got != "yes no on one" {
		t.Errorf("texts %q", got)
	}
	for _, value := range []string{"=", "<<", "no", "~"} {
		out, _ := rebuilt(t, "x.yaml", "g: one\n", func(string) (string, bool) { return value, true })
		if want := "g: \"" + value + "\"\n"; out != want {
			t.Errorf("%q: got %q, want %q", value, out, want)
		}
	}
}
