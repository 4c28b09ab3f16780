package document

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestMemoryBounds: hostile files of megabytes take little memory, and are refused with what
// to do.
func TestMemoryBounds(t *testing.T) {
	xliff := func(attributes, body string) string {
		return `<xliff version="1.2"` + attributes + `><file><body>` + body + `</body></file></xliff>`
	}
	const n = 1 << 20
	var attributes strings.Builder
	for i := range maxXMLAttrs {
		fmt.Fprintf(&attributes, " a%d=''", i)
	}
	for _, c := range []struct{ name, text, refusal string }{
		{"tags in a page", strings.Repeat("a<i>", n), "in one segment: divide it"},
		{"titles in a page", strings.Repeat("<a title=b>", n), "in one segment: divide it"},
		{"line ends in a string", `{"a":"` + strings.Repeat(`a\n`, n) + `"}`, "in one segment: divide it"},
		{"line ends in a catalog", "msgid \"" + strings.Repeat(`a\n`, n) + "\"\nmsgstr \"\"\n", "in one segment: divide it"},
		{"tags in a cue", "1\n00:00:01,000 --> 00:00:02,000\n" + strings.Repeat("x<b>", n), "in one segment: divide it"},
		{"controls in a page", "<p>a" + strings.Repeat("&#1;", n), "in one segment: divide it"},
		{"tags in a unit", xliff("", "<trans-unit><source>a"+strings.Repeat("<x/>", n)+"</source></trans-unit>"), "<trans-unit> of line 1 has more than 262144 elements and texts: divide it"},
		{"variants in a unit", `<tmx version="1.4"><body><tu>` + strings.Repeat("<tuv/>", n) + `</tu></body></tmx>`, "<tu> of line 1 has more than 262144 elements and texts: divide it"},
		{"languages of a unit", `<tmx version="1.4"><body><tu>` + strings.Repeat(`<tuv xml:lang="x"><seg/></tuv>`, maxVariants+1) + `</tu></body></tmx>`, "the tu of line 1 has more than 256 languages"},
		{"attributes", xliff(attributes.String(), ""), "<xliff> and the elements around it have more than 1000 attributes"},
		{"many attributes", xliff(strings.Repeat(" a=''", n), ""), "more than 65536 quotation marks"},
		{"values in YAML", "[" + strings.Repeat("a,", 2*n+1) + "]", "more than 2097152 lines and commas: divide it"},
		{"lines of Markdown", strings.Repeat("# a\n", n+1), "more than 1048576 lines with text: divide it"},
	} {
		name := map[string]string{"x": "x.xlf", "t": "x.tmx", "[": "x.yaml", "#": "x.md", "{": "x.json", "m": "x.po", "1": "x.srt"}[strings.TrimPrefix(c.text, "<")[:1]]
		if name == "" || strings.HasPrefix(c.name, "titles") {
			name = "x.html"
		}
		data := []byte(c.text)
		c.text = ""
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := Parse(name, data)
		runtime.ReadMemStats(&after)
		if d != nil || err == nil || !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refusal)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 700 {
			t.Errorf("%s: %d MiB take %d MiB of memory in all", c.name, len(data)>>20, took)
		}
	}
}

// TestNestedTexts: pairs of tags inside one another do not multiply the text that is translated
// and paid.
func TestNestedTexts(t *testing.T) {
	const n = 60
	open, text, shut := strings.Repeat("a <b>", n), strings.Repeat("word ", 10_000), strings.Repeat("</b> c", n)
	for _, c := range []struct{ name, data string }{
		{"x.html", "<p>" + open + text + shut}, {"x.txt", open + text + shut}, {"x.json", `{"a":"` + open + text + shut + `"}`},
		{"x.xlf", `<xliff version="1.2"><file><body><trans-unit><source>` + strings.ReplaceAll(open+text+shut, "b>", "g>") + `</source></trans-unit></body></file></xliff>`},
	} {
		d := checkIdentical(t, c.name, []byte(c.data))
		size := 0
		for _, s := range d.Texts() {
			size += len(s)
		}
		if size > 6*len(c.data) {
			t.Errorf("%s: %d bytes have %d bytes of texts", c.name, len(c.data), size)
		}
		out, _, err := d.Rebuild(Translations{Source: "en", Target: "de", Of: louder})
		if err != nil || !strings.Contains(string(out), "WORD WORD") {
			t.Errorf("%s: %v: not translated", c.name, err)
		}
	}
	// What people write is translated as a whole.
	d := checkIdentical(t, "x.html", []byte("<p>He <b>wears <i>a <u>red</u> shirt</i></b> today"))
	if texts := strings.Join(d.Texts(), "|"); !strings.Contains(texts, "He wears a red shirt today|wears a red shirt|a red shirt") {
		t.Errorf("%s", texts)
	}
}

// TestFullEnds: the reading of a document ends where it has too much, and what is broken behind
// that is not seen.
func TestFullEnds(t *testing.T) {
	many := func(text, brk string) string { return strings.Repeat(text+brk, maxRun/2+1) }
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"x.docx", docx(t, "<w:p><w:r>"+many("<w:t>a</w:t>", "<w:br/>")+"</w:r></w:p></broken>")},
		{"x.pptx", pptx(t, "<a:p>"+many("<a:r><a:t>a</a:t></a:r>", "<a:br/>")+"</a:p></broken>")},
		{"x.odt", odt(t, "<text:p>"+many("a", "<text:line-break/>")+"</text:p></broken>")},
	} {
		if _, err := Parse(c.name, c.data); err == nil || !strings.Contains(err.Error(), "in one segment: divide it") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
