package document

import (
	"archive/zip"
	"slices"
	"strings"
	"testing"
)

const odfSpaces = ` xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:officeooo="http://openoffice.org/2009/office" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"`

func odfContent(body string) string {
	return `<office:document-content` + odfSpaces + `><office:automatic-styles><style:style style:name="T1" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style><style:style style:name="T2" style:family="text"><style:text-properties officeooo:rsid="0012" fo:language="en" fo:country="GB"/></style:style></office:automatic-styles><office:body><office:text>` + body + `</office:text></office:body></office:document-content>`
}

const odfDefaults = `<office:document-styles` + odfSpaces + `><style:default-style style:family="paragraph"><style:paragraph-properties style:writing-mode="page"/><style:text-properties fo:language="en" fo:country="US" style:language-complex="hi" style:country-complex="IN"/></style:default-style><style:style style:name="A"><style:text-properties fo:language="fr" fo:country="FR"/></style:style><style:page-layout style:name="P"><style:page-layout-properties style:writing-mode="lr-tb"/></style:page-layout></office:document-styles>`

// odt makes the smallest ODT around the paragraphs of a text.
func odt(t testing.TB, body string, more ...member) []byte {
	t.Helper()
	return zipped(t, slices.Concat([]member{
		{"mimetype", "application/vnd.oasis.opendocument.text", zip.Store},
		{"content.xml", odfContent(body), zip.Deflate},
		{"styles.xml", odfDefaults, zip.Deflate},
	}, more)...)
}

func TestODT(t *testing.T) {
	tests := []struct {
		name, in string
		of       []string
		want     string
		flags    []Reason
	}{
		{"plain", `<text:p text:style-name="A">Good &amp; new</text:p>`, []string{"Good & new", "Gut & neu"}, `<text:p text:style-name="A">Gut &amp; neu</text:p>`, nil},
		{"bold", `<text:h>A <text:span text:style-name="T1">red</text:span> house</text:h>`, []string{"A red house", "Ein rotes Haus", "red", "rotes"},
			`<text:h>Ein <text:span text:style-name="T1">rotes</text:span> Haus</text:h>`, nil},
		{"styles that nobody sees", `<text:p>Go<text:span text:style-name="T2">od mor</text:span>ning</text:p>`, []string{"Good morning", "Guten Morgen"},
			`<text:p>Guten Morgen</text:p>`, nil},
		{"spaces", "<text:p>\n  One<text:s text:c=\"2\"/>two\n\tthree </text:p>", []string{"One  two three", "Eins  zwei drei"},
			"<text:p>Eins <text:s/>zwei drei </text:p>", nil},
		{"spaces at tags", `<text:p>A good <text:span text:style-name="T1"><text:s/>day</text:span> it</text:p>`, []string{"A good  day it", "Ein guter  Tag ist", "day", "Tag"},
			`<text:p>Ein guter <text:s/><text:span text:style-name="T1">Tag</text:span> ist</text:p>`, nil},
		{"tracked changes keep their places", `<text:p>Go<text:change text:change-id="c"/> on</text:p>`, []string{"Go", "Geh", "on", "weiter"},
			`<text:p>Geh<text:change text:change-id="c"/> weiter</text:p>`, []Reason{InParts}},
		{"note", `<text:p>A claim<text:note text:id="1"><text:note-citation>1</text:note-citation><text:note-body><text:p>A note</text:p></text:note-body></text:note> goes on</text:p>`,
			[]string{"A claim", "Behauptung", "A note", "Note", "goes on", "weiter"},
			`<text:p>Behauptung<text:note text:id="1"><text:note-citation>1</text:note-citation><text:note-body><text:p>Note</text:p></text:note-body></text:note><text:s/>weiter</text:p>`, []Reason{InParts}},
		{"two notes in a span", `<text:p>I <text:span text:style-name="T1">say<text:note><text:p>One</text:p></text:note><text:note><text:p>Two</text:p></text:note>so</text:span></text:p>`,
			[]string{"I", "Ich", "say", "sage", "so", "es"},
			`<text:p>Ich <text:span text:style-name="T1">sage</text:span><text:span text:style-name="T1"><text:note><text:p>One</text:p></text:note></text:span><text:span text:style-name="T1"><text:note><text:p>Two</text:p></text:note></text:span><text:span text:style-name="T1">es</text:span></text:p>`,
			[]Reason{InParts, Untranslated, Untranslated}},
		{"link and bookmark", `<text:p>See <text:a xlink:href="x">the<text:bookmark text:name="b"/> page</text:a>.</text:p>`, []string{"See the page.", "Siehe die Seite.", "the page", "die Seite"},
			`<text:p><text:bookmark text:name="b"/>Siehe <text:a xlink:href="x">die Seite</text:a>.</text:p>`, nil},
		{"contents", `<text:p><text:a xlink:href="#1">Start<text:tab/>1</text:a></text:p>`, []string{"Start", "Anfang"},
			`<text:p><text:a xlink:href="#1">Anfang<text:tab/>1</text:a></text:p>`, nil},
		{"a field", `<text:p>Page <text:page-number>4</text:page-number> of it</text:p>`, []string{"Page 4 of it", "Seite 4 davon"},
			`<text:p>Seite <text:page-number>4</text:page-number> davon</text:p>`, nil},
		{"deleted text stays", `<text:tracked-changes><text:p>Old</text:p></text:tracked-changes><text:p>New</text:p>`, []string{"New", "Neu"},
			`<text:tracked-changes><text:p>Old</text:p></text:tracked-changes><text:p>Neu</text:p>`, nil},
		{"paragraph in a paragraph", `<text:p>a<text:p>b</text:p>c</text:p>`, []string{"a", "x", "b", "y", "c", "z"}, `<text:p>x<text:p>y</text:p>z</text:p>`, []Reason{InParts}},
	}
	for _, test := range tests {
		in := odt(t, test.in)
		d, err := parseODT(in)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		unchanged(t, d, in)
		out, flags := translated(t, d, "", phrases(test.of...))
		if got := unzipped(t, []byte(out), "content.xml"); got != odfContent(test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got[strings.Index(got, "<office:text>"):], test.want)
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

// TestODFText: white space that would collapse is written as elements, also where the space
// before it stands in front of a tag.
func TestODFText(t *testing.T) {
	for _, test := range []struct{ before, text, want string }{
		{"", " a  b ", "<text:s/>a <text:s/>b "},
		{"a <text:span>", " b", "<text:s/>b"},
		{"a<text:span>", " b\tc\nd", " b<text:tab/>c<text:line-break/>d"},
		{"", "<&\x01\ufffe\xff]]>", "&lt;&amp;\ufffd]]&gt;"},
	} {
		if got := string(odfText([]byte(test.before), "text:", test.text)); got != test.before+test.want {
			t.Errorf("%q and %q: %q", test.before, test.text, got)
		}
	}
}

func TestODTLanguage(t *testing.T) {
	tests := []struct {
		target string
		want   []string
	}{
		{"de-AT", []string{`style:writing-mode="page"`, `fo:language="de" fo:country="AT" style:language-complex="hi"`, `fo:language="fr"`, `style:writing-mode="lr-tb"`}},
		{"fa", []string{`<style:paragraph-properties fo:text-align="right" style:writing-mode="rl-tb"/><style:text-properties fo:language="en" fo:country="US" style:language-complex="fa" style:country-complex="none"`, `properties style:writing-mode="rl-tb"/></style:page-layout>`}},
		{"ja", []string{`style:country-asian="none"`, `style:language-asian="ja"`}},
	}
	for _, test := range tests {
		d, err := parseODT(odt(t, `<text:p>Hello</text:p>`))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := translated(t, d, test.target, louder)
		got := unzipped(t, []byte(out), "styles.xml")
		wellFormed(t, got)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", test.target, want, got)
			}
		}
	}
}

func TestODTRefused(t *testing.T) {
	manifest := func(s string) member {
		return member{"META-INF/manifest.xml", `<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">` + s + `</m:manifest>`, zip.Deflate}
	}
	tests := []struct {
		data []byte
		want string
	}{
		{odt(t, "", manifest(`<m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry>`)), "protected with a password"},
		{odt(t, "", member{"META-INF/documentsignatures.xml", "<x/>", zip.Store}), "digitally signed"},
		{zipped(t, member{"mimetype", "application/epub+zip", zip.Store}), `no ODT file: it says that it is of the type "application/epub+zip"`},
		{zipped(t, member{"content.xml", "<x/>", zip.Store}), "does not say that it is an OpenDocument"},
		{zipped(t, member{"mimetype", "application/vnd.oasis.opendocument.text", zip.Store}), "lacks its member content.xml"},
	}
	for _, test := range tests {
		if _, err := parseODT(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	d, err := parseODT(zipped(t, manifest(`<m:file-entry m:full-path="/" m:media-type="application/vnd.oasis.opendocument.presentation"/>`), member{"content.xml", odfContent(`<text:p>Hi</text:p>`), zip.Store}))
	if err != nil || d.Format != ODP {
		t.Errorf("a presentation without a mimetype: %v", err)
	}
}

// FuzzODT: see FuzzDOCX.
func FuzzODT(f *testing.F) {
	f.Add(`<text:p>Go<text:span text:style-name="T1">od <text:s/><text:tab/>day<text:note><text:p>n</text:p></text:note></text:span> all</text:p>`, "x")
	f.Add(`<text:p><text:a>b<text:span>c</text:span><text:bookmark-end/></text:a> d. <text:line-break/>e<text:date>2 May</text:date></text:p>`, "  <]]>\x01\n\t ")
	f.Fuzz(func(t *testing.T, body, answer string) {
		in := odt(t, body)
		d, err := parseODT(in)
		if err != nil {
			return
		}
		unchanged(t, d, in)
		for _, of := range []func(string) (string, bool){
			func(text string) (string, bool) { return text + answer, true },
			func(text string) (string, bool) { return answer, true },
		} {
			out, _ := translated(t, d, "ar", of)
			wellFormed(t, unzipped(t, []byte(out), "content.xml"))
			if _, err := parseODT([]byte(out)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
