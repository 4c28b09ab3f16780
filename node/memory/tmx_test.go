package memory_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/alia-network/alia/node/memory"
)

// read reads a TMX file whole.
func read(data string) (all []memory.Known, found memory.TMXFindings, err error) {
	for e, err := range memory.ReadTMX(strings.NewReader(data), &found) {
		if err != nil {
			return all, found, err
		}
		all = append(all, e)
	}
	return all, found, nil
}

// TestTMX: what a memory writes, another reads.
func TestTMX(t *testing.T) {
	m := open(t, t.TempDir(), memory.DefaultLimit)
	all := []memory.Known{
		entry(model, "a < b & \"c\"", "a > b"), entry(model, " two\r\nlines\t", " zwei\nZeilen "), entry(memory.Settings{From: "en", To: "de"}, "日本", "Japan"),
	}
	if err := m.Put(all...); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := memory.WriteTMX(&out, m.All()); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	got, found, err := read(out.String())
	if err != nil || !slices.Equal(got, all) || found != (memory.TMXFindings{}) {
		t.Errorf("%v, %+v: %q, want %q", err, found, got, all)
	}
}

// foreign is a file as other programs write them.
const foreign = `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
  <header creationtool="OmegaT" segtype="sentence" o-tmf="OmegaT TMX" adminlang="EN-US" srclang="EN-US" datatype="plaintext"/>
  <body>
    <tu><note>by Ada</note>
      <tuv xml:lang="EN-US"><seg>Open the door.</seg></tuv>
      <tuv xml:lang="DE-DE" creationid="ada"><seg>Öffne die <hi>Tür</hi>.</seg></tuv>
      <tuv lang="fr"><seg>Ouvre la porte.</seg></tuv>
    </tu>
    <tu><tuv xml:lang="EN"><seg>Press <bpt i="1">&lt;b&gt;</bpt>Start<ept i="1">&lt;/b&gt;</ept>.</seg></tuv><tuv xml:lang="DE"><seg>x</seg></tuv></tu>
    <tu><tuv xml:lang="EN"><seg> </seg></tuv><tuv xml:lang="DE"><seg>x</seg></tuv></tu>
    <tu srclang="de"><tuv xml:lang="EN"><seg>Yes</seg></tuv><tuv xml:lang="DE"><seg>Ja</seg></tuv></tu>
  </body>
</tmx>`

func TestForeignTMX(t *testing.T) {
	people := func(from, to string) memory.Settings { return memory.Settings{From: from, To: to} }
	all := []memory.Known{
		entry(people("en", "de"), "Open the door.", "Öffne die Tür."), entry(people("en", "fr"), "Open the door.", "Ouvre la porte."), entry(people("de", "en"), "Ja", "Yes"),
	}
	// The same file in other encodings.
	wide := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(strings.Replace(foreign, "utf-8", "UTF-16", 1))) {
		wide = binary.LittleEndian.AppendUint16(wide, c)
	}
	latin := strings.NewReplacer("utf-8", "ISO-8859-1", "Ö", "\xd6", "ü", "\xfc").Replace(foreign)
	for name, data := range map[string]string{"UTF-8": foreign, "BOM": "\ufeff" + foreign, "UTF-16": string(wide), "Latin-1": latin} {
		got, found, err := read(data)
		if err != nil || !slices.Equal(got, all) || found != (memory.TMXFindings{Codes: 1, Empty: 1}) {
			t.Errorf("%s: %v, %+v: %q", name, err, found, got)
		}
	}
}

// TestHostileTMX: a file that somebody made to do harm is refused by its reason.
func TestHostileTMX(t *testing.T) {
	body := func(s string) string { return "<tmx><header srclang='en'/><body>" + s + "</body></tmx>" }
	bomb := `<!DOCTYPE tmx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for name, c := range map[string]struct{ data, want string }{
		"nothing":      {"", "not TMX"},
		"HTML":         {"<html></html>", "begins with <html>"},
		"a text":       {"Good morning.", "not TMX"},
		"cut":          {foreign[:len(foreign)-40], "unexpected EOF"},
		"an entity":    {bomb + body("<tu><tuv xml:lang='en'><seg>&b;</seg></tuv></tu>"), "entity"},
		"deep":         {body(strings.Repeat("<tu>", 2)), "inside a <tu>"},
		"deeper":       {body(strings.Repeat("<x>", 20)), "more than 16 elements"},
		"a comment":    {body("<!--" + strings.Repeat("< x ", 5<<20) + "-->"), "more than 16777216 bytes"},
		"languages":    {body("<tu>" + strings.Repeat("<tuv xml:lang='de'><seg>x</seg></tuv>", 300)), "more than 256 languages"},
		"an encoding":  {`<?xml version="1.0" encoding="klingon"?>` + body(""), "klingon"},
		"a property":   {body("<tu><prop type='x-alia-how'>" + strings.Repeat("x", 2000)), "<prop>"},
		"a wrong end":  {body("</tu>"), "line 1"},
		"wrong tokens": {body("<seg>x"), "line 1"},
	} {
		got, _, err := read(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		if len(got) > 2 {
			t.Errorf("%s: %q", name, got)
		}
	}
	long := strings.Repeat("x", memory.MaxText+5)
	got, found, err := read(body("<tu><tuv xml:lang='en'><seg>" + long + "</seg></tuv><tuv xml:lang='de'><seg>y</seg></tuv></tu>"))
	if err != nil || len(got) != 0 || found.Long != 1 {
		t.Errorf("a long text: %d, %+v, %v", len(got), found, err)
	}
}

// FuzzTMX: whatever is read can be kept, written and read again.
func FuzzTMX(f *testing.F) {
	f.Add(foreign)
	f.Add(`<tmx><header srclang="*all*"/><tu><prop type="x-alia-model">m</prop><tuv xml:lang="a"><seg>x</seg></tuv><tuv lang="b"><seg>y</seg></tuv></tu></tmx>`)
	f.Fuzz(func(t *testing.T, data string) {
		got, _, err := read(data)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if _, err := memory.WriteTMX(&out, func(yield func(memory.Known, error) bool) {
			for _, e := range got {
				if !yield(e, nil) {
					return
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		again, _, err := read(out.String())
		if err != nil || !slices.Equal(again, got) {
			t.Errorf("%v: %q became %q", err, got, again)
		}
	})
}
