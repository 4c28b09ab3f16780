package document

import (
	"archive/zip"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

const wordSpace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

const wordTypes = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/><Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"/><Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`

const wordRels = `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`

// docxOf makes the smallest DOCX around a main member.
func docxOf(t testing.TB, xml string, method uint16, more ...member) []byte {
	t.Helper()
	return zipped(t, slices.Concat([]member{
		{"[Content_Types].xml", wordTypes, zip.Deflate},
		{"_rels/.rels", wordRels, zip.Deflate},
		{"word/document.xml", xml, method},
	}, more)...)
}

// docx makes the smallest DOCX around the paragraphs of a body.
func docx(t testing.TB, body string, more ...member) []byte {
	t.Helper()
	return docxOf(t, wordBody(body), zip.Store, more...)
}

func wordBody(body string) string {
	return `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\r\n" + `<w:document xmlns:w="` + wordSpace +
		`" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><w:body>` + body + `</w:body></w:document>`
}

// phrases is a translator that knows what it was told.
func phrases(pairs ...string) func(string) (string, bool) {
	return func(text string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == text {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestDOCX(t *testing.T) {
	tests := []struct {
		name, in string
		of       []string // phrases
		want     string
		flags    []Reason
	}{
		{"plain", `<w:p><w:pPr><w:pStyle w:val="A"/></w:pPr><w:r w:rsidR="1"><w:t>Good morning</w:t></w:r></w:p>`,
			[]string{"Good morning", "Guten Morgen"},
			`<w:p><w:pPr><w:pStyle w:val="A"/></w:pPr><w:r w:rsidR="1"><w:t>Guten Morgen</w:t></w:r></w:p>`, nil},
		{"a word in many runs", `<w:p><w:r w:rsidR="1"><w:t>Go</w:t></w:r><w:proofErr w:type="spellStart"/><w:r w:rsidR="2"><w:t xml:space="preserve">od </w:t></w:r><w:r><w:rPr><w:lang w:val="en-GB"/></w:rPr><w:t>morning</w:t></w:r><w:proofErr w:type="spellEnd"/></w:p>`,
			[]string{"Good morning", "Guten Morgen"},
			`<w:p><w:r w:rsidR="1"><w:t>Guten Morgen</w:t></w:r><w:proofErr w:type="spellEnd"/></w:p>`, nil},
		{"hard space", "<w:p><w:r><w:t>A</w:t></w:r><w:r><w:t>\u00a0day\n</w:t></w:r></w:p>", []string{"A\u00a0day", "Ein\u00a0Tag"}, "<w:p><w:r><w:t>Ein\u00a0Tag</w:t></w:r></w:p>", nil},
		{"bold", `<w:p><w:r><w:t xml:space="preserve">A </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>red</w:t></w:r><w:r><w:t xml:space="preserve"> house</w:t></w:r></w:p>`,
			[]string{"A red house", "Ein rotes Haus", "red", "rotes"},
			`<w:p><w:r><w:t xml:space="preserve">Ein </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>rotes</w:t></w:r><w:r><w:t xml:space="preserve"> Haus</w:t></w:r></w:p>`, nil},
		{"all bold", `<w:p><w:r><w:rPr><w:b/><w:lang w:val="en-US"/></w:rPr><w:t>A &amp; B</w:t></w:r></w:p>`,
			[]string{"A & B", "A < B"},
			`<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>A &lt; B</w:t></w:r></w:p>`, nil},
		{"link", `<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r><w:hyperlink r:id="rId4"><w:r><w:rPr><w:rStyle w:val="Hyperlink"/></w:rPr><w:t>the page</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r></w:p>`,
			[]string{"See the page.", "Siehe die Seite.", "the page", "die Seite"},
			`<w:p><w:r><w:t xml:space="preserve">Siehe </w:t></w:r><w:hyperlink r:id="rId4"><w:r><w:rPr><w:rStyle w:val="Hyperlink"/></w:rPr><w:t>die Seite</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r></w:p>`, nil},
		{"link alone", `<w:p><w:hyperlink r:id="rId4"><w:r><w:t>Home</w:t></w:r></w:hyperlink></w:p>`,
			[]string{"Home", "Start"},
			`<w:p><w:hyperlink r:id="rId4"><w:r><w:t>Start</w:t></w:r></w:hyperlink></w:p>`, nil},
		{"link as a field", `<w:p><w:r><w:t xml:space="preserve">See </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "http://example.org" </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>this page</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`,
			[]string{"See this page", "Siehe diese Seite", "this page", "diese Seite"},
			`<w:p><w:r><w:t xml:space="preserve">Siehe </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "http://example.org" </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>diese Seite</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`, nil},
		{"page number", `<w:p><w:r><w:t xml:space="preserve">Page </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText><w:fldChar w:fldCharType="separate"/><w:t>7</w:t><w:fldChar w:fldCharType="end"/><w:t xml:space="preserve"> of many</w:t></w:r></w:p>`,
			[]string{"Page 7 of many", "Seite 7 von vielen"},
			`<w:p><w:r><w:t xml:space="preserve">Seite </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/><w:instrText>PAGE</w:instrText><w:fldChar w:fldCharType="separate"/><w:t>7</w:t><w:fldChar w:fldCharType="end"/></w:r><w:r><w:t xml:space="preserve"> von vielen</w:t></w:r></w:p>`, nil},
		{"tab", `<w:p><w:r><w:t>Name</w:t><w:tab/><w:t>Street</w:t></w:r></w:p>`,
			[]string{"Name", "Name!", "Street", "Straße"},
			`<w:p><w:r><w:t>Name!</w:t></w:r><w:r><w:tab/></w:r><w:r><w:t>Straße</w:t></w:r></w:p>`, nil},
		{"line break", `<w:p><w:r><w:t>One</w:t><w:br/><w:t>Two</w:t></w:r></w:p>`,
			[]string{"One", "Eins", "Two", "Zwei"},
			`<w:p><w:r><w:t>Eins</w:t></w:r><w:r><w:br/></w:r><w:r><w:t>Zwei</w:t></w:r></w:p>`, []Reason{InParts}},
		{"footnote at the end", `<w:p><w:r><w:t>A claim</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>`,
			[]string{"A claim", "Eine Behauptung"},
			`<w:p><w:r><w:t>Eine Behauptung</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>`, nil},
		{"deleted text stays", `<w:p><w:del w:id="1"><w:r><w:delText>Bad</w:delText></w:r></w:del><w:ins w:id="2"><w:r><w:t>Good</w:t></w:r></w:ins></w:p>`,
			[]string{"Good", "Gut"},
			`<w:p><w:del w:id="1"><w:r><w:delText>Bad</w:delText></w:r></w:del><w:ins w:id="2"><w:r><w:t>Gut</w:t></w:r></w:ins></w:p>`, nil},
		{"bookmark inside", `<w:p><w:r><w:t>Good</w:t></w:r><w:bookmarkStart w:id="0" w:name="_GoBack"/><w:bookmarkEnd w:id="0"/><w:r><w:t xml:space="preserve"> day</w:t></w:r></w:p>`,
			[]string{"Good day", "Guten Tag"},
			`<w:p><w:bookmarkStart w:id="0" w:name="_GoBack"/><w:r><w:t>Guten Tag</w:t></w:r><w:bookmarkEnd w:id="0"/></w:p>`, nil},
		{"text box, twice", `<w:p><w:r><w:t>Be</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires="wps"><wps:txbx><w:txbxContent><w:p><w:r><w:t>Box</w:t></w:r></w:p></w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><v:textbox><w:txbxContent><w:p><w:r><w:t>Box</w:t></w:r></w:p></w:txbxContent></v:textbox></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>fore</w:t></w:r></w:p>`,
			[]string{"Box", "Kasten", "Be", "Vor", "fore", "her"},
			`<w:p><w:r><w:t>Vor</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires="wps"><wps:txbx><w:txbxContent><w:p><w:r><w:t>Kasten</w:t></w:r></w:p></w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><v:textbox><w:txbxContent><w:p><w:r><w:t>Kasten</w:t></w:r></w:p></w:txbxContent></v:textbox></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>her</w:t></w:r></w:p>`, []Reason{InParts}},
		{"content control", `<w:sdt><w:sdtContent><w:p><w:sdt><w:sdtPr><w:alias w:val="x"/></w:sdtPr><w:sdtContent><w:r><w:t>Title</w:t></w:r></w:sdtContent></w:sdt></w:p></w:sdtContent></w:sdt>`,
			[]string{"Title", "Titel"},
			`<w:sdt><w:sdtContent><w:p><w:sdt><w:sdtPr><w:alias w:val="x"/></w:sdtPr><w:sdtContent><w:r><w:t>Titel</w:t></w:r></w:sdtContent></w:sdt></w:p></w:sdtContent></w:sdt>`, nil},
		{"no translation", `<w:p><w:r><w:t>Hello</w:t></w:r><w:r><w:rPr><w:lang w:val="en-US"/></w:rPr><w:t>!</w:t></w:r></w:p>`, nil,
			`<w:p><w:r><w:t>Hello</w:t></w:r><w:r><w:rPr><w:lang w:val="en-US"/></w:rPr><w:t>!</w:t></w:r></w:p>`, []Reason{Untranslated}},
		{"formula", `<w:p><w:r><w:t>It is</w:t></w:r><m:oMath><m:r><m:t>x=2</m:t></m:r></m:oMath></w:p>`,
			[]string{"It is", "Es ist"},
			`<w:p><w:r><w:t>Es ist</w:t></w:r><m:oMath><m:r><m:t>x=2</m:t></m:r></m:oMath></w:p>`, nil},
		{"raised number", `<w:p><w:r><w:t>10 m</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r><w:r><w:t xml:space="preserve"> of cloth</w:t></w:r></w:p>`,
			[]string{"10 m2 of cloth", "10 m2 Stoff"},
			`<w:p><w:r><w:t>10 m</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2</w:t></w:r><w:r><w:t xml:space="preserve"> Stoff</w:t></w:r></w:p>`, nil},
	}
	for _, test := range tests {
		in := docx(t, test.in)
		d, err := parseDOCX(in)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		unchanged(t, d, in)
		out, flags := translated(t, d, "", phrases(test.of...))
		got := unzipped(t, []byte(out), "word/document.xml")
		if got != wordBody(test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got[strings.Index(got, "<w:body>"):], test.want)
		}
		var reasons []Reason
		for _, f := range flags {
			reasons = append(reasons, f.Reason)
		}
		if !slices.Equal(reasons, test.flags) {
			t.Errorf("%s: flags %v, want %v", test.name, reasons, test.flags)
		}
	}
}

// TestDOCXPrefixes: the prefixes of names are the file's own business.
func TestDOCXPrefixes(t *testing.T) {
	for _, in := range []string{
		`<document xmlns="` + wordSpace + `"><p><r><t>Hello</t></r></p></document>`,
		`<x:document xmlns:x="http://purl.oclc.org/ooxml/wordprocessingml/main"><x:p><x:r><x:t>Hello</x:t></x:r></x:p></x:document>`,
	} {
		d, err := parseDOCX(docxOf(t, in, zip.Deflate))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := translated(t, d, "de", louder)
		if got := unzipped(t, []byte(out), "word/document.xml"); got != strings.ReplaceAll(in, "Hello", "HELLO") {
			t.Errorf("got %s", got)
		}
	}
}

// TestDOCXLanguage: the styles get the language and the direction of the target.
func TestDOCXLanguage(t *testing.T) {
	styles := `<w:styles xmlns:w="` + wordSpace + `"><w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/><w:lang w:val="en-US" w:eastAsia="zh-CN"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:keepNext/><w:spacing w:after="8"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:styleId="A"><w:rPr><w:lang w:val="en-GB"/></w:rPr></w:style></w:styles>`
	for target, want := range map[string]string{ // order-free: each is a test by itself
		"de": `<w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/><w:lang w:val="de"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:keepNext/><w:spacing w:after="8"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:styleId="A"><w:rPr></w:rPr></w:style>`,
		"ar": `<w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/><w:rtl/><w:lang w:bidi="ar" w:val="ar"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:keepNext/><w:bidi/><w:spacing w:after="8"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:styleId="A"><w:rPr></w:rPr></w:style>`,
	} {
		d, err := parseDOCX(docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`, member{"word/styles.xml", styles, zip.Deflate}))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := translated(t, d, target, louder)
		if got := unzipped(t, []byte(out), "word/styles.xml"); !strings.Contains(got, want) {
			t.Errorf("%s: got %s", target, got)
		}
	}
}

// TestDOCXDirection: a paragraph's own direction gives way to that of the styles, and the
// columns of a table turn.
func TestDOCXDirection(t *testing.T) {
	in := `<w:tbl><w:tblPr><w:tblStyle w:val="A"/><w:tblW w:w="0"/></w:tblPr><w:tr><w:tc><w:p><w:pPr><w:bidi w:val="0"/><w:jc w:val="left"/></w:pPr><w:r><w:t>Hello</w:t></w:r></w:p></w:tc></w:tr></w:tbl>`
	loud := strings.ReplaceAll(strings.ReplaceAll(in, "Hello", "HELLO"), `<w:bidi w:val="0"/>`, "")
	for target, want := range map[string]string{ // order-free: each is a test by itself
		"de": loud, "ar": strings.ReplaceAll(loud, `<w:tblW`, `<w:bidiVisual/><w:tblW`),
	} {
		d, err := parseDOCX(docx(t, in))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := translated(t, d, target, louder)
		if got := unzipped(t, []byte(out), "word/document.xml"); got != wordBody(want) {
			t.Errorf("%s: got %s", target, got)
		}
		back, err := parseDOCX([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		out, _ = translated(t, back, "en", louder)
		if got := unzipped(t, []byte(out), "word/document.xml"); got != wordBody(loud) {
			t.Errorf("%s and back: got %s", target, got)
		}
	}
}

// TestDOCXMembers: footnotes and the title are translated, after the body.
func TestDOCXMembers(t *testing.T) {
	d, err := parseDOCX(docx(t, `<w:p><w:r><w:t>Body</w:t></w:r></w:p>`,
		member{"docProps/core.xml", `<cp:coreProperties xmlns:cp="c" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Title</dc:title><dc:language>en</dc:language></cp:coreProperties>`, zip.Deflate},
		member{"word/footnotes.xml", `<w:footnotes xmlns:w="` + wordSpace + `"><w:footnote><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t xml:space="preserve"> Note</w:t></w:r></w:p></w:footnote></w:footnotes>`, zip.Deflate}))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Texts(); !slices.Equal(got, []string{"Body", "Note", "Title"}) {
		t.Errorf("texts %q", got)
	}
	out, _ := translated(t, d, "de", louder)
	if got := unzipped(t, []byte(out), "docProps/core.xml"); !strings.Contains(got, "<dc:title>TITLE</dc:title><dc:language>de</dc:language>") {
		t.Errorf("properties %s", got)
	}
	if got := unzipped(t, []byte(out), "word/footnotes.xml"); !strings.Contains(got, `<w:t xml:space="preserve"> NOTE</w:t>`) {
		t.Errorf("footnotes %s", got)
	}
}

// TestDOCXLong: paragraphs that no person wrote take time in the length of the text, not in
// its square, and are given back.
func TestDOCXLong(t *testing.T) {
	const n = 20_000
	for name, body := range map[string]string{ // order-free: each is a test by itself
		"fields without ends":  strings.Repeat(`<w:r><w:fldChar w:fldCharType="begin"/></w:r>`, n) + `<w:r><w:t>End</w:t></w:r>`,
		"fields in fields":     `<w:r><w:t>Go</w:t></w:r>` + strings.Repeat(`<w:r><w:fldChar w:fldCharType="begin"/></w:r>`, n) + strings.Repeat(`<w:r><w:fldChar w:fldCharType="end"/></w:r>`, n) + `<w:r><w:t>End</w:t></w:r>`,
		"line breaks":          `<w:r>` + strings.Repeat(`<w:t>ab</w:t><w:br/>`, n) + `</w:r>`,
		"bookmarks":            `<w:r><w:t>Go</w:t></w:r>` + strings.Repeat(`<w:bookmarkStart w:id="1"/>`, n) + `<w:r><w:t>End</w:t></w:r>`,
		"bold and codes":       `<w:r><w:t>Go a long way</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>x</w:t>` + strings.Repeat(`<w:sym/>`, n) + `<w:t>y</w:t></w:r>`,
		"text boxes":           strings.Repeat(`<w:r><w:t>a</w:t><w:pict><w:p><w:r><w:t>b</w:t></w:r></w:p></w:pict></w:r>`, n/10),
		"text boxes in a link": `<w:r><w:t>a</w:t></w:r><w:hyperlink>` + strings.Repeat(`<w:r><w:t>a</w:t><w:pict><w:p><w:r><w:t>b</w:t></w:r></w:p></w:pict></w:r>`, n/10) + `</w:hyperlink><w:r><w:t>a</w:t></w:r>`,
		"links in links":       strings.Repeat(`<w:hyperlink><w:r><w:t>deep and</w:t></w:r>`, 400) + strings.Repeat(`</w:hyperlink>`, 400),
		"formats":              strings.Repeat(`<w:r><w:t>ab</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>cd</w:t></w:r>`, n/20),
	} {
		in := docx(t, `<w:p>`+body+`</w:p>`)
		d, err := parseDOCX(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		unchanged(t, d, in)
		out, _ := translated(t, d, "de", louder)
		wellFormed(t, unzipped(t, []byte(out), "word/document.xml"))
	}
}

// wellFormed reads XML to its end, and checks that elements nest.
func wellFormed(t testing.TB, data string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(data))
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in %q", err, data)
		}
	}
}

// FuzzDOCX: a body of any XML is given back as it was, and a translator that gives anything
// leaves well-formed XML.
func FuzzDOCX(f *testing.F) {
	f.Add(`<w:p><w:r><w:t>Go</w:t></w:r><w:hyperlink r:id="x"><w:r><w:rPr><w:b/></w:rPr><w:t>od</w:t><w:tab/><w:t> day. </w:t></w:r></w:hyperlink></w:p>`, "x")
	f.Add(`<w:p><w:r><w:t>a</w:t><w:drawing><w:p><w:r><w:t>b</w:t></w:r></w:p></w:drawing><w:t>c</w:t></w:r><w:bookmarkEnd/></w:p>`, "<&]]>\x01\"")
	f.Add(`<w:p><w:r><w:fldChar w:fldCharType="begin"/><w:instrText>HYPERLINK</w:instrText><w:fldChar w:fldCharType="separate"/><w:t>see it</w:t><w:fldChar w:fldCharType="end"/><w:t>d</w:t></w:r></w:p>`, "é")
	f.Add(`<w:p><w:ins><w:r><w:t>q {n} </w:t><w:br/><w:t>f 5</w:t></w:r></w:ins><w:r><w:rPr><w:i/></w:rPr><w:t>2</w:t></w:r></w:p>`, "")
	f.Fuzz(func(t *testing.T, body, answer string) {
		in := docx(t, body)
		d, err := parseDOCX(in)
		if err != nil {
			return
		}
		unchanged(t, d, in)
		for _, of := range []func(string) (string, bool){
			func(text string) (string, bool) { return text + answer, true },
			func(text string) (string, bool) { return answer, true },
			func(text string) (string, bool) { return text + answer, len(text)%2 == 0 },
		} {
			out, _ := translated(t, d, "ar", of)
			wellFormed(t, unzipped(t, []byte(out), "word/document.xml"))
			if _, err := parseDOCX([]byte(out)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
