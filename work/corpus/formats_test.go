package corpus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The lines "two, zwei", "three, drei" and "four, vier", with tabs, as xz and bzip2 compress them.
const (
	xzLines    = "fd377a585a000004e6d6b446020021011c00000010cf58cc01001d74776f097a7765690a746872656509647265690a666f757209766965720a00000000e95922bbfc78660001361e3d1995531fb6f37d010000000004595a"
	bzip2Lines = "425a6839314159265359e91743c800000c4180003007609790200021a8d3d23d4d3d2100003492104c0677521cd32da0ddfa3e2ee48a70a121d22e8790"
	// The header of a file that looks back 512 MiB.
	xzWide = "fd377a585a000004e6d6b44602002101220000008240acdcffff11016c5d00006ffdffffa3b7ff473e4815"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	data, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// all reads the rows of a file of pairs.
func all(path string, o Selection) (pairs []Pair, err error) {
	c := new(Corpus)
	rows, err := c.openFile(path, o)
	if err != nil {
		return nil, err
	}
	return c.held(rows)
}

// mo makes a compiled catalog.
func mo(order binary.AppendByteOrder, entries ...string) []byte {
	n := len(entries) / 2
	word := func(b []byte, v int) []byte { return order.AppendUint32(b, uint32(v)) }
	head := word(word(word(word(word(word(word(nil, 0x950412de), 0), n), 28), 28+8*n), 0), 0)
	var table, texts []byte
	for k := range 2 {
		for i := range n {
			s := entries[2*i+k]
			table = word(word(table, len(s)), 28+16*n+len(texts))
			texts = append(append(texts, s...), 0)
		}
	}
	return slices.Concat(head, table, texts)
}

const poFile = `# A catalog.
msgid ""
msgstr ""
"Language: de\n"
"Content-Type: text/plain; charset=%s\n"

#: a.c:1
msgid "Open the door"
msgstr "Öffne die "
"Tür"

#, fuzzy
msgid "wrong"
msgstr "falsch"

msgctxt "menu"
msgid "one \"file\""
msgid_plural "%%d files"
msgstr[0] "eine Datei\tda"
msgstr[1] "%%d Dateien"

msgid "not yet"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
`

const tmxFile = `<?xml version="1.0"?><!DOCTYPE tmx SYSTEM "tmx14.dtd"><tmx version="1.4"><header srclang="en-US"/><body>
<tu><tuv xml:lang="en-US"><seg>Press <bpt i="1">&lt;b&gt;</bpt>Start<ept i="1">&lt;/b&gt;</ept> &amp; <hi>wait</hi></seg></tuv><tuv xml:lang="de-DE"><seg>Drücke Start</seg></tuv></tu>
<tu><tuv xml:lang="EN"><seg>Yes</seg></tuv><tuv xml:lang="fr"><seg>Oui</seg></tuv></tu>
<tu><tuv lang="de"><seg>Nein</seg></tuv><tuv lang="en"><seg>No</seg></tuv></tu>
</body></tmx>`

func TestFormats(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := []Pair{{"two", "zwei"}, {"three", "drei"}, {"four", "vier"}}
	plain := []byte("two\tzwei\nthree\tdrei\nfour\tvier\n")
	catalog := []Pair{{"Open the door", "Öffne die Tür"}, {`one "file"`, "eine Datei\tda"}, {"%d files", "%d Dateien"}}
	compiled := []string{"", "Content-Type: text/plain; charset=UTF-8\nLanguage: de_DE\n", "Open the door", "Öffne die Tür",
		"menu\x04one \"file\"\x00%d files", "eine Datei\tda\x00%d Dateien"}
	memory := []Pair{{"Press Start & wait", "Drücke Start"}, {"No", "Nein"}}
	utf8 := fmt.Sprintf(poFile, "UTF-8")
	for name, c := range map[string]struct {
		data []byte
		o    Selection
		want []Pair
	}{
		"a.tsv":      {plain, Selection{}, lines},
		"a.txt":      {plain, Selection{}, lines}, // a name without a format is a table's
		"b.tsv.gz":   {compress(t, string(plain)), Selection{}, lines},
		"c.tsv.zst":  {z.EncodeAll(plain, nil), Selection{}, lines},
		"d.tsv.xz":   {unhex(t, xzLines), Selection{}, lines},
		"e.tsv.bz2":  {unhex(t, bzip2Lines), Selection{}, lines},
		"f.tsv":      {unhex(t, xzLines), Selection{}, lines}, // the first bytes say so
		"turned.tsv": {plain, Selection{Columns: "2,1"}, []Pair{{"zwei", "two"}, {"drei", "three"}, {"vier", "four"}}},
		"tatoeba.tsv": {
			[]byte("1276\tLet's try.\t1\t試してみよう。\n1277\tI must go.\t2\t行かなきゃ。\n"), Selection{},
			[]Pair{{"Let's try.", "試してみよう。"}, {"I must go.", "行かなきゃ。"}},
		},
		"anki.tsv": {
			[]byte("Go.\tGeh.\tCC-BY 2.0 (France) Attribution: tatoeba.org #2877272 (CM) & #8597805 (R)\n"), Selection{}, []Pair{{"Go.", "Geh."}},
		},
		"scored.tsv": {[]byte("1.061\tGo.\tGeh.\n0.9\tRun!\tLauf!\n"), Selection{}, []Pair{{"Go.", "Geh."}, {"Run!", "Lauf!"}}},
		"four.tsv":   {[]byte("a\tb\tc\td\na\tb\tc\n"), Selection{Columns: "3, 1"}, []Pair{{"c", "a"}, {"c", "a"}}},
		"de.po":      {[]byte(utf8), Selection{}, catalog},
		"de.po.gz":   {compress(t, strings.ReplaceAll(utf8, "\n", "\r\n")), Selection{}, catalog},
		"latin.po":   {[]byte(strings.NewReplacer("Ö", "\xd6", "ü", "\xfc").Replace(fmt.Sprintf(poFile, "ISO-8859-1"))), Selection{}, catalog},
		"le.mo":      {mo(binary.LittleEndian, compiled...), Selection{}, catalog},
		"be.mo":      {mo(binary.BigEndian, compiled...), Selection{}, catalog},
		"m.tmx":      {[]byte(tmxFile), Selection{}, memory},
		"m.TMX.gz":   {compress(t, tmxFile), Selection{}, memory},
	} {
		path := filepath.Join(write(t, map[string]string{name: "raw " + string(c.data)}), name)
		c.o.Source, c.o.Target = "en", "de"
		if got, err := all(path, c.o); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

// TestDirectoryOfPairs: without train files, the files of pairs are read, and of catalogs
// those of the language.
func TestDirectoryOfPairs(t *testing.T) {
	dir := write(t, map[string]string{
		"a.tsv": "one\teins\n", "b.tmx": tmxFile, "de.po": fmt.Sprintf(poFile, "UTF-8"), "fr.po": "msgid \"x\"\nmsgstr \"y\"\n", "notes.txt": "x",
	})
	c, r, err := Open(dir, Selection{Source: "en", Target: "de"})
	if err != nil || c.Len() != 5 || len(c.Valid) != 1 || r.Pairs != 5 {
		t.Errorf("%v: %+v", err, r)
	}
	if _, _, err := Open(dir, Selection{Source: "en", Target: "ru"}); err == nil || !strings.Contains(err.Error(), "b.tmx has no translation from en to ru: it has EN, de, de-DE, en, en-US, fr") {
		t.Errorf("another language: %v", err)
	}
}

// TestBadFormats: a damaged or hostile file is refused by its reason, and takes no memory.
func TestBadFormats(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(zstd.MaxWindowSize))
	if err != nil {
		t.Fatal(err)
	}
	packed := z.EncodeAll([]byte("a\tb\n"), nil)
	var wide bytes.Buffer // a frame that looks back 512 MiB
	if z, err = zstd.NewWriter(&wide, zstd.WithWindowSize(zstd.MaxWindowSize)); err == nil {
		if _, err = z.Write([]byte("a\tb\n")); err == nil {
			if err = z.Flush(); err == nil {
				err = z.Close()
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	good := mo(binary.LittleEndian, "a", "b")
	outside := slices.Clone(good)
	outside[28+4] = 0xff
	many := slices.Clone(good)
	many[8+3] = 0x7f
	for name, c := range map[string]struct{ data, want string }{
		"a.tsv.gz":   {"plain", "gzip: invalid header"},
		"b.tsv.zst":  {"plain", "zstd: invalid header"},
		"c.tsv.zst":  {string(packed[:len(packed)-2]), "cut short"},
		"d.tsv.zst":  {wide.String(), "takes more than 128 MiB"},
		"e.tsv.xz":   {string(unhex(t, xzWide)), "takes more than 128 MiB"},
		"f.tsv.xz":   {string(unhex(t, xzLines)[:50]), "cut short"},
		"g.tsv.bz2":  {string(unhex(t, bzip2Lines)[:30]), "cut short"},
		"one.tsv":    {"only one column\n", "line 1 is not two columns separated by a tab"},
		"three.tsv":  {"a\tb\tc\n", "it has 3, and those with text are 1, 2, 3: name those of the source and the target, such as --columns 1,2"},
		"number.tsv": {"1\t2\t3\n", "it has 3, and none of them has text"},
		"a.po":       {"Good morning.\n", "line 1 is no line of a gettext catalog: Good morning."},
		"b.po":       {"", "there is no msgid"},
		"c.po":       {"msgid \"a\"\nmsgstr \"b\n", "line 2 is no text in quotes"},
		"d.po":       {"\"a\"\n", "line 1 is no text in quotes"},
		"e.po":       {"msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=klingon\"\n", "charset \"klingon\" is unknown"},
		"f.po":       {"msgid \"\"\nmsgstr \"Language: fr\\n\"\n", "its language is fr, and not de"},
		"a.mo":       {"plain text that is long enough for a header", "no compiled gettext catalog"},
		"b.mo":       {string(good[:20]), "cut short"},
		"c.mo":       {string(many), "cut short"},
		"d.mo":       {string(outside), "lies outside of the file"},
		"a.tmx":      {"<html></html>", "begins with <html>"},
		"b.tmx":      {strings.Replace(tmxFile, "Yes", "&bomb;", 1), "entity"},
	} {
		path := filepath.Join(write(t, map[string]string{name: "raw " + c.data}), name)
		if _, err := all(path, Selection{Source: "en", Target: "de"}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	path := filepath.Join(write(t, map[string]string{"a.tsv": "a\tb\n", "a.po": "x"}), "a.tsv")
	for _, columns := range []string{"1", "1,1", "0,1", "a,b", "1,2,3", "1,100000"} {
		if _, err := all(path, Selection{Source: "en", Target: "de", Columns: columns}); err == nil || !strings.Contains(err.Error(), "give the numbers of two columns") {
			t.Errorf("columns %s: %v", columns, err)
		}
	}
	if _, err := all(strings.Replace(path, ".tsv", ".po", 1), Selection{Source: "en", Target: "de", Columns: "1,2"}); err == nil || !strings.Contains(err.Error(), "has no columns") {
		t.Errorf("columns of a catalog: %v", err)
	}
}

// endless repeats a line for ever.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.line[e.at%len(e.line)]
		e.at++
	}
	return len(p), nil
}

// TestBombs: what a small compressed file can blow up to is bounded.
func TestBombs(t *testing.T) {
	read := func(r io.Reader, most limits) (n int, err error) {
		l := newLines(&input{Reader: r, path: "x"}, most)
		for err == nil {
			_, _, err = l.next()
			n = l.n
		}
		return n, err
	}
	for _, c := range []struct{ line, want string }{
		{"\n", "x: it has more than 1000 lines: divide it"},
		{"some text here\n", "x: it has more than 5000 bytes of text: divide it"},
		{"x", "x: line 1 is longer than 16 MiB: this is no file with a sentence on each line"},
	} {
		if _, err := read(&endless{line: c.line}, limits{1000, 5000}); err == nil || err.Error() != c.want {
			t.Errorf("%q without end: %v", c.line, err)
		}
	}
	if n, err := read(strings.NewReader("a\nb\n"), limits{2, 4}); err != io.EOF || n != 2 {
		t.Errorf("exactly within the limits: %d lines, %v", n, err)
	}
	if n, err := read(strings.NewReader(strings.Repeat("x", MaxLine)+"\r\n"+strings.Repeat("y", MaxLine+1)+"\nz"), limits{9, 1 << 20}); err != io.EOF || n != 3 {
		t.Errorf("long lines: %d lines, %v", n, err)
	}
}

// FuzzCatalog: any bytes are a catalog or an error.
func FuzzCatalog(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(poFile, "UTF-8")))
	f.Add(mo(binary.LittleEndian, "", "Content-Type: text/plain; charset=UTF-8\n", "a\x00b", "c\x00d"))
	f.Add(mo(binary.BigEndian, "m\x04a", "b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) ([]message, error){parsePO, parseMO} {
			messages, err := parse(data)
			if err != nil || decodeMessages(messages) != nil {
				continue
			}
			for _, m := range messages {
				for _, p := range m.pairs() {
					if p.Source == "" || p.Target == "" {
						t.Fatalf("%q", p)
					}
				}
			}
		}
	})
}

// FuzzOpen: any bytes are a corpus or an error, and what is kept is kept again.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("a\tb\nc\td\n\n"))
	f.Add([]byte("1\ta\t2\tb\n1\tc\t2\td\n"))
	f.Add([]byte("a\xff\tb\nc\td\r\n\ne\tf\x00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.en-de.tsv")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, r, err := Open(path, Selection{})
		if err != nil {
			return
		}
		if err := c.Load(); err != nil || len(c.Train) != r.Kept() {
			t.Fatalf("%v: %d pairs, %+v", err, len(c.Train), r)
		}
		for _, p := range c.Train {
			if normal(p) != p {
				t.Fatalf("%q is not normalised", p)
			}
		}
	})
}
