package document

import (
	"archive/zip"
	"slices"
	"strings"
	"testing"
)

const slideTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/ppt/presentation.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"/><Override PartName="/ppt/slides/slide1.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.slide+xml"/><Override PartName="/ppt/slides/slide2.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.slide+xml"/><Override PartName="/ppt/slides/slide10.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.slide+xml"/><Override PartName="/ppt/charts/chart1.xml" ContentType="application/vnd.openxmlformats-officedocument.drawingml.chart+xml"/></Types>`

const drawingSpace = "http://schemas.openxmlformats.org/drawingml/2006/main"

func slide(body string) string {
	return `<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="` + drawingSpace + `" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><p:txBody>` + body + `</p:txBody></p:sld>`
}

// pptx makes the smallest PPTX around the paragraphs of a slide.
func pptx(t testing.TB, body string, more ...member) []byte {
	t.Helper()
	return zipped(t, slices.Concat([]member{
		{"[Content_Types].xml", slideTypes, zip.Deflate},
		{"ppt/presentation.xml", `<p:presentation xmlns:p="p" xmlns:a="` + drawingSpace + `"><a:defRPr lang="en-US" sz="1800"/></p:presentation>`, zip.Deflate},
	}, more, []member{{"ppt/slides/slide1.xml", slide(body), zip.Deflate}})...)
}

func TestPPTX(t *testing.T) {
	tests := []struct {
		name, in, target string
		of               []string
		want             string
	}{
		{"runs of one format", `<a:p><a:r><a:rPr lang="en-US" dirty="0" err="1"/><a:t>Go</a:t></a:r><a:r><a:rPr lang="en-GB"/><a:t>od day</a:t></a:r><a:endParaRPr lang="en-US"/></a:p>`, "de",
			[]string{"Good day", "Guten Tag"},
			`<a:p><a:r><a:t>Guten Tag</a:t></a:r><a:endParaRPr lang="de"/></a:p>`},
		{"bold", `<a:p><a:r><a:rPr lang="en-US" sz="1200"/><a:t>A </a:t></a:r><a:r><a:rPr lang="en-US" b="1"><a:hlinkClick r:id="r"/></a:rPr><a:t>red</a:t></a:r><a:r><a:rPr sz="1200"/><a:t> house</a:t></a:r></a:p>`, "de",
			[]string{"A red house", "Ein rotes Haus", "red", "rotes"},
			`<a:p><a:r><a:rPr sz="1200"/><a:t>Ein </a:t></a:r><a:r><a:rPr b="1"><a:hlinkClick r:id="r"/></a:rPr><a:t>rotes</a:t></a:r><a:r><a:rPr sz="1200"/><a:t> Haus</a:t></a:r></a:p>`},
		{"line break after a sentence, and a field", `<a:p><a:r><a:t>It is so.</a:t></a:r><a:br/><a:r><a:t>Slide </a:t></a:r><a:fld id="{1}" type="slidenum"><a:t>3</a:t></a:fld></a:p>`, "de",
			[]string{"It is so.", "So ist es.", "Slide", "Folie"},
			`<a:p><a:r><a:t>So ist es.</a:t></a:r><a:br/><a:r><a:t>Folie </a:t></a:r><a:fld id="{1}" type="slidenum"><a:t>3</a:t></a:fld></a:p>`},
		{"right to left", `<a:p><a:r><a:t>One</a:t></a:r></a:p><a:p><a:pPr marL="1" algn="l"/><a:r><a:t>Two</a:t></a:r></a:p><a:p><a:pPr algn="ctr"/><a:r><a:t>3</a:t></a:r></a:p>`, "ar",
			[]string{"One", "واحد", "Two", "اثنان"},
			`<a:p><a:pPr algn="r" rtl="1"/><a:r><a:t>واحد</a:t></a:r></a:p><a:p><a:pPr rtl="1" marL="1" algn="r"/><a:r><a:t>اثنان</a:t></a:r></a:p><a:p><a:pPr algn="ctr"/><a:r><a:t>3</a:t></a:r></a:p>`},
		{"left to right", `<a:p><a:pPr algn="r" rtl="1"/><a:r><a:t>واحد</a:t></a:r></a:p>`, "en",
			[]string{"واحد", "One"},
			`<a:p><a:pPr algn="l" rtl="0"/><a:r><a:t>One</a:t></a:r></a:p>`},
	}
	for _, test := range tests {
		in := pptx(t, test.in)
		d, err := parsePPTX(in)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		unchanged(t, d, in)
		out, flags := translated(t, d, test.target, phrases(test.of...))
		if got := unzipped(t, []byte(out), "ppt/slides/slide1.xml"); got != slide(test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, slide(test.want))
		}
		if len(flags) > 0 {
			t.Errorf("%s: flags %v", test.name, flags)
		}
		if got := unzipped(t, []byte(out), "ppt/presentation.xml"); !strings.Contains(got, `<a:defRPr lang="`+test.target+`" sz`) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

// TestPPTXSequence: the segments come by the numbers of slides, and charts have titles.
func TestPPTXSequence(t *testing.T) {
	d, err := parsePPTX(pptx(t, `<a:p><a:r><a:t>First</a:t></a:r></a:p>`,
		member{"ppt/slides/slide10.xml", slide(`<a:p><a:r><a:t>Last</a:t></a:r></a:p>`), zip.Deflate},
		member{"ppt/charts/chart1.xml", slide(`<a:p><a:r><a:t>Chart</a:t></a:r></a:p>`), zip.Deflate},
		member{"ppt/slides/slide2.xml", slide(`<a:p><a:r><a:t>Second</a:t></a:r></a:p>`), zip.Deflate}))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Texts(); !slices.Equal(got, []string{"First", "Second", "Last", "Chart"}) {
		t.Errorf("texts %q", got)
	}
}
