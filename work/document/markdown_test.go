package document

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"heading", "# Title #\n\nSetext\n===\n", "# TITLE #\n\nSETEXT\n===\n"},
		{"emphasis", "Some *fine* and **very `bold` text**.\n", "SOME *FINE* AND **VERY `bold` TEXT**.\n"},
		{"link", "See [the manual](http://x.org/a_(b) \"A title\") or [this][ref] or [short].\n\n[ref]: http://y.org \"t\"\n[short]: /z\n",
			"SEE [THE MANUAL](http://x.org/a_(b) \"A title\") OR [THIS][ref] OR [SHORT][short].\n\n[ref]: http://y.org \"t\"\n[short]: /z\n"},
		{"image in a link", "[![The logo](a.png)](b.html) rocks <http://z.org>\n", "[![THE LOGO](a.png)](b.html) ROCKS <http://z.org>\n"},
		{"quote and list", "> - one *a*\n>   two\n> - three\n", "> - ONE *A*\n>   TWO\n> - THREE\n"},
		{"code", "Text\n\n    code\n\n```go\nfmt.Println()\n```\n\n<div>\nhtml\n</div>\n", "TEXT\n\n    code\n\n```go\nfmt.Println()\n```\n\n<div>\nhtml\n</div>\n"},
		{"front matter", "---\ntitle: Hello\n---\n\nText\n", "---\ntitle: Hello\n---\n\nTEXT\n"},
		{"table", "| Name | Size |\n|---|--:|\n| a \\| b | `x` two |\n", "| NAME | SIZE |\n|---|--:|\n| A \\| B | `x` TWO |\n"},
		{"footnote", "Text[^1] more.\n\n[^1]: The note.\n[^2]: Nobody refers to it.\n", "TEXT[^1] MORE.\n\n[^1]: THE NOTE.\n[^2]: NOBODY REFERS TO IT.\n"},
		{"task", "- [ ] open\n- [x] done ~~not~~\n", "- [ ] OPEN\n- [x] DONE ~~NOT~~\n"},
		{"hard break", "one.  \ntwo.\\\nthree.\n", "ONE.  \nTWO.\\\nTHREE.\n"},
		{"html", "a <b class=\"x\">bold</b> b<br>c\n", "A <b class=\"x\">BOLD</b> B<br>C\n"},
		{"escapes", "5 \\* 3 &amp; a_b &copy;\n", "5 \\* 3 & A\\_B ©\n"},
		{"placeholder", "Run `make` for {name} at %s.\n", "RUN `make` FOR {name} AT %s.\n"},
	} {
		got, _ := rebuilt(t, "x.md", c.in, upper)
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestMarkdownSequence: a footnote in the middle of a file is a segment in the middle.
func TestMarkdownSequence(t *testing.T) {
	d := checkIdentical(t, "x.md", []byte("One[^a].\n\n[^a]: Two.\n\nThree[^b].\n\n[^b]: Four.\n"))
	if got := strings.Join(d.Texts(), " "); got != "One[^a]. One Two. Three[^b]. Three Four." {
		t.Errorf("%q", got)
	}
}

// TestMarkdownWords: marks beside letters and punctuation, and text that looks like marks.
func TestMarkdownWords(t *testing.T) {
	for _, c := range []struct {
		in, want string
		words    map[string]string
	}{
		{"a **test** b\n", "ei&#110;**„Test“**&#101;\n", map[string]string{"a test b": "ein„Test“e", "test": "„Test“"}},
		// A translation that is no word of its own in the whole: part by part.
		{"a _test_ b\n", "a _Test_ b\n", map[string]string{"a test b": "einTest Wort", "test": "Test"}},
		{"a **test** b\n", "**测试**文字\n", map[string]string{"a test b": "测试文字", "test": "测试"}},
		{"test\n", "\\# - 1. x\n", map[string]string{"test": "# - 1. x"}},
		{"test\n", "1\\. x\n", map[string]string{"test": "1. x"}},
		{"test\n", "\\- \\[x\\](y) \\*z\\* \\`c\\` a\\_b\n", map[string]string{"test": "- [x](y) *z* `c` a_b"}},
		{"| test |\n|---|\n", "| a \\| b |\n|---|\n", map[string]string{"test": "a | b"}},
		{"test\n", "test\n", map[string]string{"test": "a <b>"}}, // a tag that the source has not
	} {
		got, _ := rebuilt(t, "x.md", c.in, func(s string) (string, bool) {
			if t, ok := c.words[s]; ok {
				return t, true
			}
			return s, true
		})
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// TestMarkdownFiles reads the Markdown files of this machine, where there are some.
func TestMarkdownFiles(t *testing.T) { realFiles(t, 60, ".md") }

// machineFiles are the paths of documents on this machine, by extension.
var machineFiles = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for _, root := range []string{"/usr/share/doc", "/usr/share/locale", "/usr/lib/libreoffice/share", filepath.Join(os.Getenv("HOME"), "go/pkg/mod")} {
		n := 0
		filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if n++; err != nil || n > 60000 {
				return filepath.SkipAll
			}
			if i, err := e.Info(); err == nil && i.Mode().IsRegular() && i.Size() < 200<<10 {
				all[filepath.Ext(path)] = append(all[filepath.Ext(path)], path)
			}
			return nil
		})
	}
	return all
})

// realFiles checks at most so many files of the machine that have an extension.
func realFiles(t *testing.T, most int, exts ...string) {
	if testing.Short() {
		t.Skip("reads the documents of this machine: run without -short")
	}
	refused, n, odd, segments := 0, 0, 0, 0
	for _, ext := range exts {
		for _, path := range machineFiles()[ext] {
			data, err := os.ReadFile(path)
			if err != nil || n >= most {
				continue
			}
			n++
			d, err := Parse(path, data)
			if err != nil {
				refused++
				t.Log(err)
				continue
			}
			identical(t, path, data, d)
			checkHostile(t, path, data, 2)
			segments += len(d.Segments)
			for _, s := range d.Segments {
				if s.odd {
					odd++
					t.Logf("%s: %s: odd: %q", path, s.Where, clip([]byte(s.Text())))
				}
			}
		}
	}
	t.Logf("%d files, %d refused, %d segments, %d odd", n, refused, segments, odd)
	if refused*10 > n {
		t.Errorf("%d of %d files are refused", refused, n)
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("---\na: b\n---\n# T\n\n> - one *a* [b](c \"d\") ![e](f)\n>   `x` **y**  \n> z[^1]\n\n[^1]: n\n\n| a | b |\n|---|---|\n| c | d |\n"))
	f.Add([]byte("a <b>c</b> \\* &amp; <http://x.y> ~~s~~ [r][q]\n\n[q]: /u\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzOne(t, "x.md", data) })
}

// TestMarkdownTables: a few bytes that stand for millions of cells are refused, and a table that
// a person would write is not.
func TestMarkdownTables(t *testing.T) {
	table := func(columns, rows int, row string) []byte {
		return []byte(strings.Repeat("|x", columns) + "|\n" + strings.Repeat("|-", columns) + "|\n" + strings.Repeat(row, rows))
	}
	for _, c := range []struct {
		columns, rows int
		row, refusal  string
	}{
		{40, 100, "|a\n", ""},
		{900, 10_000, "|\n", "line 4652: tables have more than 1000 columns, or 4194304 cells in all"},
		{100_000, 1, "|\n", "line 2: tables have more than 1000 columns"},
	} {
		_, err := Parse("x.md", table(c.columns, c.rows, c.row))
		if got := fmt.Sprint(err); (err != nil) != (c.refusal != "") || !strings.Contains(got, c.refusal) {
			t.Errorf("%d columns, %d rows: %v, want %q", c.columns, c.rows, err, c.refusal)
		}
	}
}

// TestMarkdownTame: what the parser takes the square of its length for is refused, and what
// people write is not.
func TestMarkdownTame(t *testing.T) {
	for _, c := range []struct{ name, text, refusal string }{
		{"lists in one line", strings.Repeat("1. ", 101) + "a\n", "line 1: quotes and lists are nested more than 100 deep"},
		{"quotes and lists", "a\n\n" + strings.Repeat("> 1) ", 51) + "a\n", "line 3: quotes and lists are nested"},
		{"lists in lines", strings.Repeat("  ", 201) + "- a\n", "nested more than 100 deep"},
		{"marks", strings.Repeat("*a_ ", 20_001) + "\n", "too many marks"},
		{"marks of many paragraphs", strings.Repeat(strings.Repeat("*a_ ", 2000)+"\n\n", 102), "too many marks"},
		{"a line across", strings.Repeat("* ", 200) + "\n\n" + strings.Repeat("- ", 200) + "\n", ""},
		{"a nested list", "- a\n  1. b\n     - c\n\n           - d\n" + strings.Repeat(" ", 500) + "e\n", ""},
		{"a long table", "|a|b|\n|-|-|\n" + strings.Repeat("|`a_b`|[c](d)|\n", 5000), ""},
		{"emphasis", strings.Repeat("*a* _b_ [c](d)\n\n", 20_000), ""},
	} {
		_, err := Parse("x.md", []byte(c.text))
		if got := fmt.Sprint(err); (err != nil) != (c.refusal != "") || !strings.Contains(got, c.refusal) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refusal)
		}
	}
}
