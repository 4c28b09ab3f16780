package bench

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alia-network/alia/work/corpus"
)

// PageSegments is the paragraphs on a page of a document that is made here.
const PageSegments = 25

// english is the sentences of the phrasebook that comes with the program.
func english() (lines []string) {
	for _, p := range corpus.Phrasebook().Train {
		lines = append(lines, p.Source)
	}
	return lines
}

// paragraphs are n lines as the paragraphs of a document. The first has the document's number, so that
// no two documents are the same job for a network.
func paragraphs(lines []string, n, number int) []string {
	all := []string{fmt.Sprintf("Report %d.", number)}
	for i := range n - 1 {
		all = append(all, lines[(number*n+i)%len(lines)])
	}
	return all
}

// The members of a DOCX besides its text (ECMA-376, parts 1 and 2).
const (
	docxTypes = xml.Header + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`
	docxRelations = xml.Header + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`
	docxBegin = xml.Header + `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`
	docxEnd   = `</w:body></w:document>`
)

// writeDOCX makes a DOCX with a paragraph for each text, PageSegments on a page.
func writeDOCX(texts []string) ([]byte, error) {
	var body strings.Builder
	body.WriteString(docxBegin)
	for i, t := range texts {
		body.WriteString("<w:p>")
		if i > 0 && i%PageSegments == 0 {
			body.WriteString("<w:pPr><w:pageBreakBefore/></w:pPr>")
		}
		body.WriteString(`<w:r><w:t xml:space="preserve">`)
		if err := xml.EscapeText(&body, []byte(t)); err != nil {
			return nil, err
		}
		body.WriteString("</w:t></w:r></w:p>")
	}
	body.WriteString(docxEnd)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range [][2]string{{"[Content_Types].xml", docxTypes}, {"_rels/.rels", docxRelations}, {"word/document.xml", body.String()}} {
		w, err := z.Create(m[0])
		if err == nil {
			_, err = io.WriteString(w, m[1])
		}
		if err != nil {
			return nil, errors.Join(err, z.Close())
		}
	}
	err := z.Close() // writes the directory
	return out.Bytes(), err
}
