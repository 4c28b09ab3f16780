package document

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// good translates as a good model does: into capitals, but for the codes.
func good(s string) (string, bool) {
	var b strings.Builder
	for _, p := range placeholders(s) {
		if p.Kind == Plain {
			p.Text = strings.ToUpper(p.Text)
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}

const xliff1 = `<?xml version="1.0" encoding="UTF-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
  <file source-language="en" datatype="plaintext" original="a.txt">
    <body>
      <group translate="no"><trans-unit id="0"><source>Stay</source></trans-unit></group>
      <trans-unit id="0" restype="x-gettext-domain-header"><source>Language: de</source></trans-unit>
      <trans-unit id="1" approved="yes">
        <source>Save &amp; quit</source>
        <note>a note</note>
        <alt-trans><source>Save</source><target>alt</target></alt-trans>
      </trans-unit>
      <trans-unit id="2"><source>Done already</source><target state="final">Fertig</target></trans-unit>
      <trans-unit id="3"><source>Press <g id="1">Save</g> now</source><target state="needs-translation">Press <g id="1">Save</g> now</target></trans-unit>
      <trans-unit id="4"><source>Hello <ph id="1">%s</ph>!</source><target/></trans-unit>
      <trans-unit id="5"><source>Line<x id="1" ctype="lb"/>break</source></trans-unit>
      <trans-unit id="6"><source>a <bpt id="1">&lt;b></bpt>bold<ept id="1">&lt;/b></ept> word</source></trans-unit>
      <trans-unit id="7"><source>One. Two.</source><seg-source><mrk mtype="seg" mid="0">One.</mrk> <mrk mtype="seg" mid="1">Two.</mrk></seg-source></trans-unit>
      <trans-unit id="8"><source><![CDATA[Tom & <i>Jerry</i>]]></source></trans-unit>
      <trans-unit id="10"><source>See <ph id="1">&lt;img alt="<sub>A dog</sub>"/></ph> here</source></trans-unit>
      <trans-unit id="9"><source>Go <x id="START_LINK" equiv-text="&lt;a>"/>home<x id="CLOSE_LINK" equiv-text="&lt;/a>"/>, <x id="INTERPOLATION" equiv-text="{{name}}"/></source></trans-unit>
    </body>
  </file>
</xliff>
`

var xliff1German = strings.NewReplacer(
	`<file source-language="en"`, `<file target-language="de" source-language="en"`,
	"<source>Save &amp; quit</source>\n", "<source>Save &amp; quit</source>\n        <target state=\"translated\">SAVE &amp; QUIT</target>\n",
	`<target state="needs-translation">Press <g id="1">Save</g> now</target>`, `<target state="translated">PRESS <g id="1">SAVE</g> NOW</target>`,
	`<target/>`, `<target state="translated">HELLO <ph id="1">%s</ph>!</target>`,
	`break</source>`, `break</source><target state="needs-review-translation">LINE<x id="1" ctype="lb"/>BREAK</target>`,
	` word</source>`, ` word</source><target state="translated">A <bpt id="1">&lt;b></bpt>BOLD<ept id="1">&lt;/b></ept> WORD</target>`,
	`<source>One. Two.</source>`, `<source>One. Two.</source>`,
	`</seg-source>`, `</seg-source><target state="translated"><mrk mtype="seg" mid="0">ONE.</mrk> <mrk mtype="seg" mid="1">TWO.</mrk></target>`,
	`]]></source>`, `]]></source><target state="translated">TOM &amp; &lt;i&gt;JERRY&lt;/i&gt;</target>`,
	` here</source>`, ` here</source><target state="needs-review-translation">SEE <ph id="1">&lt;img alt="<sub>A DOG</sub>"/></ph> HERE</target>`,
	`"{{name}}"/></source>`, `"{{name}}"/></source><target state="translated">GO <x id="START_LINK" equiv-text="&lt;a>"/>HOME<x id="CLOSE_LINK" equiv-text="&lt;/a>"/>, <x id="INTERPOLATION" equiv-text="{{name}}"/></target>`,
).Replace(xliff1)

const xliff2 = `<?xml version="1.0"?>
<x:xliff xmlns:x="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="de-AT">
 <x:file id="f">
  <x:unit id="1">
   <x:originalData><x:data id="d1">%d</x:data><x:data id="d2">&lt;br/></x:data></x:originalData>
   <x:segment id="s1">
    <x:source>Delete <x:ph id="1" dataRef="d1"/> files</x:source>
   </x:segment>
   <x:ignorable><x:source> </x:source></x:ignorable>
   <x:segment state="initial"><x:source>A <x:pc id="2">bold</x:pc> word</x:source><x:target>old</x:target></x:segment>
   <x:segment state="translated"><x:source>Keep</x:source><x:target>Behalten</x:target></x:segment>
   <x:segment><x:source>A <x:sc id="3"/>red<x:ec startRef="3"/> one</x:source></x:segment>
   <x:segment><x:source>Up<x:ph id="4" dataRef="d2"/>down</x:source></x:segment>
  </x:unit>
  <x:unit id="2" translate="no"><x:segment><x:source>No</x:source></x:segment></x:unit>
 </x:file>
</x:xliff>
`

var xliff2German = strings.NewReplacer(
	`<x:segment id="s1">`, `<x:segment state="translated" id="s1">`,
	` files</x:source>`, " files</x:source>\n    <x:target>DELETE <x:ph id=\"1\" dataRef=\"d1\"/> FILES</x:target>",
	`"initial"`, `"translated"`, `<x:target>old</x:target>`, `<x:target>A <x:pc id="2">BOLD</x:pc> WORD</x:target>`,
	`<x:segment><x:source>A <x:sc`, `<x:segment state="translated"><x:source>A <x:sc`,
	` one</x:source>`, ` one</x:source><x:target>A <x:sc id="3"/>RED<x:ec startRef="3"/> ONE</x:target>`,
	`<x:segment><x:source>Up`, `<x:segment state="initial"><x:source>Up`,
	`down</x:source>`, `down</x:source><x:target>UP<x:ph id="4" dataRef="d2"/>DOWN</x:target>`,
).Replace(xliff2)

const tmx1 = `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
  <header creationtool="x" creationtoolversion="1" segtype="sentence" o-tmf="x" adminlang="en" srclang="en-US" datatype="plaintext"/>
  <body>
    <tu tuid="1">
      <tuv xml:lang="en-US">
        <seg>Press <bpt i="1">&lt;b></bpt>Save<ept i="1">&lt;/b></ept> now</seg>
      </tuv>
      <tuv xml:lang="fr"><seg>Appuyez</seg></tuv>
    </tu>
    <tu><tuv xml:lang="de"><seg>Ja</seg></tuv><tuv xml:lang="en"><seg>Yes</seg></tuv></tu>
    <tu><tuv xml:lang="de-DE"><seg/></tuv><tuv xml:lang="en"><seg>Perhaps</seg></tuv></tu>
    <tu><tuv xml:lang="fr"><seg>Non</seg></tuv></tu>
  </body>
</tmx>
`

var tmx1German = strings.NewReplacer(
	"Save<ept i=\"1\">&lt;/b></ept> now</seg>\n      </tuv>", "Save<ept i=\"1\">&lt;/b></ept> now</seg>\n      </tuv>\n      <tuv xml:lang=\"de\">\n        <seg>PRESS <bpt i=\"1\">&lt;b></bpt>SAVE<ept i=\"1\">&lt;/b></ept> NOW</seg>\n      </tuv>",
	"<seg/>", "<seg>PERHAPS</seg>",
).Replace(tmx1)

func TestBitext(t *testing.T) {
	utf16 := func(s string) string {
		s = strings.Replace(s, `encoding="UTF-8"`, `encoding="UTF-16"`, 1)
		b := []byte("\xff\xfe")
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return string(b)
	}
	latin := func(s string) string { return strings.Replace(s, `encoding="UTF-8"`, `encoding="ISO-8859-1"`, 1) }
	for _, test := range []struct {
		name    string
		parse   func([]byte) (*Document, error)
		in, out string
		flags   int
	}{
		{"xliff 1.2", parseXLIFF, xliff1, xliff1German, 2},
		{"xliff 1.2 in UTF-16", parseXLIFF, utf16(xliff1), utf16(xliff1German), 2},
		{"xliff 1.2 in Latin-1", parseXLIFF, latin(xliff1), latin(xliff1German), 2},
		{"xliff 1.2 with CRLF and a mark", parseXLIFF, "\ufeff" + strings.ReplaceAll(xliff1, "\n", "\r\n"), "\ufeff" + strings.ReplaceAll(xliff1German, "\n", "\r\n"), 2},
		{"xliff 2.1", parseXLIFF, xliff2, xliff2German, 1},
		{"tmx", parseTMX, tmx1, tmx1German, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := test.parse([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, d, []byte(test.in))
			out, flags := rebuild(t, d, "de", good)
			if out != test.out {
				t.Errorf("out\n%s\nwant\n%s", out, test.out)
			}
			if len(flags) != test.flags {
				t.Errorf("flags %v", flags)
			}
			out, _ = rebuild(t, d, "de", enemy)
			if again, err := test.parse([]byte(out)); err != nil {
				t.Errorf("translated by the enemy: %v\n%s", err, out)
			} else {
				sameBytes(t, again, []byte(out))
			}
			same, _ := rebuild(t, d, "de", func(string) (string, bool) { return "", false })
			if len(same) > len(test.in)+60 {
				t.Errorf("without translations\n%s", same)
			}
		})
	}
}

func TestTMXTexts(t *testing.T) {
	d, err := parseTMX([]byte(tmx1))
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"": 3, "de": 2, "de-AT": 2, "fr": 2} { // of the whole segments
		n := 0
		for _, s := range d.TextsInto(target) {
			if s == "Press Save now" || s == "Yes" || s == "Perhaps" {
				n++
			}
		}
		if n != want {
			t.Errorf("into %q: %d texts, want %d: %q", target, n, want, d.TextsInto(target))
		}
	}
	if _, _, err := d.Rebuild(Translations{Of: capitals}); err == nil {
		t.Error("a translation memory was translated into no language")
	}
}

func TestBitextErrors(t *testing.T) {
	lol := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><tmx><body>&lol2;</body></tmx>`
	for _, test := range []struct {
		parse    func([]byte) (*Document, error)
		in, want string
	}{
		{parseTMX, lol, "declares entities"},
		{parseTMX, `<!DOCTYPE tmx SYSTEM "file:///etc/passwd"><tmx>&x;</tmx>`, "invalid character entity &x;"},
		{parseTMX, strings.Repeat("<tmx>", 300), "more than 256 elements"},
		{parseTMX, "<tmx>\n<tu>\n</tmx>", "line 3, column 1: </tmx> closes <tu> of line 2"},
		{parseTMX, "<tmx>\n <tu>", "<tu> of line 2 is not closed"},
		{parseTMX, "", "there is no element"},
		{parseTMX, "<tmx/><tmx/>", "second element"},
		{parseTMX, "<tmx/>text", "text outside"},
		{parseTMX, "<tmx a='1' a='2'/>", "attribute a twice"},
		{parseTMX, "<xliff/>", "want <tmx>"},
		{parseTMX, "<tmx><tu><tuv><seg>a</seg></tuv></tu></tmx>", "names no language"},
		{parseTMX, "<?xml version='1.0' encoding='klingon'?><tmx/>", `"klingon"`},
		{parseTMX, "<tmx>\x01</tmx>", "illegal character code U+0001"},
		{parseTMX, "\xff\xfe<\x00t", "convert it to UTF-8"},
		{parseXLIFF, "<xliff version='3'/>", `version "3"`},
		{parseXLIFF, "<xliff version='1.2'><trans-unit id='1'/></xliff>", "line 1 has no source"},
		{parseXLIFF, "<html/>", "want <xliff>"},
	} {
		_, err := test.parse([]byte(test.in))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: error %v, want %q", test.in, err, test.want)
		}
	}
	d, err := parseXLIFF([]byte(strings.Replace(xliff1, "<file ", `<file target-language="fr" `, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Rebuild(Translations{Target: "de", Of: capitals}); err == nil || !strings.Contains(err.Error(), "into fr already") {
		t.Errorf("another target language: %v", err)
	}
}

// TestBitextJudges asks the programs of others what they think of translated files.
func TestBitextJudges(t *testing.T) {
	dir := t.TempDir()
	write := func(name, in string, parse func([]byte) (*Document, error)) string {
		d, err := parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := rebuild(t, d, "de", enemy)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	x1, x2, m := write("a.xlf", xliff1, parseXLIFF), write("b.xlf", xliff2, parseXLIFF), write("c.tmx", tmx1, parseTMX)
	for _, judge := range [][]string{
		{"xmllint", "--noout", "--nonet", x1, x2, m},
		{"xliff2po", "--progress=none", x1, filepath.Join(dir, "a.po")},
		{"pofilter", "--progress=none", "-t", "xmltags", x1, filepath.Join(dir, "bad.xlf")},
		{"pocount", "--csv", x1, m},
		{"msgfmt", "-c", "-o", os.DevNull, filepath.Join(dir, "a.po")},
	} {
		if _, err := exec.LookPath(judge[0]); err != nil {
			t.Logf("%s is not installed: it did not judge", judge[0])
			continue
		}
		if out, err := exec.Command(judge[0], judge[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", judge, err, out)
		}
	}
}

// elements returns the names of the elements of a file, or false if it is no XML.
func elements(data []byte) (all []string, ok bool) {
	x := xml.NewDecoder(bytes.NewReader(data))
	x.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	x.Entity = xml.HTMLEntity
	for {
		t, err := x.Token()
		if err != nil {
			return all, err == io.EOF
		}
		if s, ok := t.(xml.StartElement); ok {
			all = append(all, s.Name.Local)
		}
	}
}

func fuzzBitext(f *testing.F, parse func([]byte) (*Document, error), added map[string]bool) {
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parse(data)
		if err != nil {
			return
		}
		sameBytes(t, d, data)
		for _, of := range []func(string) (string, bool){capitals, enemy} {
			out, _, err := d.Rebuild(Translations{Target: "de", Of: of})
			if err != nil {
				continue
			}
			again, err := parse(out)
			if err != nil {
				t.Fatalf("%v: %q to %q", err, data, out)
			}
			sameBytes(t, again, out)
			if d.parts[0].recode != nil {
				continue
			}
			before, _ := elements(data)
			after, ok := elements(out)
			known := func(s string) bool { return !added[s] }
			if !ok || !subset(slices.DeleteFunc(before, func(s string) bool { return !known(s) }), after) {
				t.Fatalf("elements changed: %q to %q", data, out)
			}
		}
	})
}

// subset reports whether part stands in all, in its sequence.
func subset(part, all []string) bool {
	for _, s := range all {
		if len(part) > 0 && part[0] == s {
			part = part[1:]
		}
	}
	return len(part) == 0
}

func FuzzXLIFF(f *testing.F) {
	f.Add([]byte(xliff1))
	f.Add([]byte(xliff2))
	// What stands in a target that is translated again is taken out.
	fuzzBitext(f, parseXLIFF, map[string]bool{"target": true, "g": true, "x": true, "ph": true, "pc": true, "mrk": true})
}

func FuzzTMX(f *testing.F) {
	f.Add([]byte(tmx1))
	fuzzBitext(f, parseTMX, nil)
}
