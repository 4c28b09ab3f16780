package document

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"
)

const bookContainer = `<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`

const bookPackage = `<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The book</dc:title><dc:language>en</dc:language><dc:creator>A. Writer</dc:creator></metadata><manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/><item id="c1" href="text/chapter%201.xhtml" media-type="application/xhtml+xml"/></manifest><spine toc="ncx"><itemref idref="c1"/></spine></package>`

func page(body string) string {
	return `<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><head><title>Page</title></head><body>` + body + `</body></html>`
}

// epub makes the smallest book around a chapter.
func epub(t testing.TB, body string, more ...member) []byte {
	t.Helper()
	return zipped(t, slices.Concat([]member{
		{"mimetype", "application/epub+zip", zip.Store},
		{"META-INF/container.xml", bookContainer, zip.Deflate},
		{"OEBPS/book.opf", bookPackage, zip.Deflate},
		{"OEBPS/nav.xhtml", page(`<nav><ol><li><a href="text/chapter%201.xhtml">Chapter</a></li></ol></nav>`), zip.Deflate},
		{"OEBPS/toc.ncx", `<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Label &amp; more</text></navLabel></navPoint></navMap></ncx>`, zip.Deflate},
		{"OEBPS/text/chapter 1.xhtml", page(body), zip.Deflate},
	}, more)...)
}

func TestEPUB(t *testing.T) {
	in := epub(t, `<p>Hello <b>there</b></p>`)
	d, err := parseEPUB(in)
	if err != nil {
		t.Fatal(err)
	}
	unchanged(t, d, in)
	for _, want := range []string{"Hello there", "Chapter", "Label & more", "The book"} {
		if !slices.Contains(d.Texts(), want) {
			t.Errorf("no text %q in %q", want, d.Texts())
		}
	}
	out, flags := translated(t, d, "de", louder)
	if len(flags) > 0 {
		t.Errorf("flags %v", flags)
	}
	for name, want := range map[string]string{ // order-free: each is a test by itself
		"OEBPS/text/chapter 1.xhtml": `<p>HELLO <b>THERE</b></p>`,
		"OEBPS/nav.xhtml":            `chapter%201.xhtml">CHAPTER</a>`,
		"OEBPS/toc.ncx":              `<text>LABEL &amp; MORE</text>`,
		"OEBPS/book.opf":             `<dc:title>THE BOOK</dc:title><dc:language>de</dc:language><dc:creator>A. Writer<`,
	} {
		if got := unzipped(t, []byte(out), name); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", name, want, got)
		}
	}
	// The type of the file can be read at its place (Open Container Format, section 4.3).
	if !bytes.Equal([]byte(out)[30:58], []byte("mimetypeapplication/epub+zip")) {
		t.Errorf("the file begins with %q", out[:60])
	}
}

func TestEPUBRefused(t *testing.T) {
	locked := func(method string) member {
		return member{"META-INF/encryption.xml", `<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:EncryptionMethod Algorithm="` + method + `"/><enc:CipherData><enc:CipherReference URI="OEBPS/text/chapter 1.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>`, zip.Deflate}
	}
	if _, err := parseEPUB(epub(t, "", locked("http://www.idpf.org/2008/embedding"))); err != nil {
		t.Errorf("a book with a font of its own: %v", err)
	}
	one := func(opf string) []byte {
		return zipped(t, member{"META-INF/container.xml", bookContainer, zip.Deflate}, member{"OEBPS/book.opf", opf, zip.Deflate})
	}
	tests := []struct {
		data []byte
		want string
	}{
		{epub(t, "", locked("http://www.w3.org/2001/04/xmlenc#aes256-cbc")), "digital rights management: META-INF/encryption.xml says that OEBPS/text/chapter 1.xhtml is encrypted"},
		{zipped(t, member{"a", "b", zip.Store}), "without the member META-INF/container.xml"},
		{zipped(t, member{"META-INF/container.xml", "<x/>", zip.Store}), "names no package document"},
		{zipped(t, member{"META-INF/container.xml", bookContainer, zip.Store}), "lacks its member OEBPS/book.opf"},
		{one(strings.Replace(bookPackage, `idref="c1"`, `idref="c2"`, 1)), `no item with this id`},
		{one(strings.Replace(bookPackage, `text/chapter`, `http://example.org/chapter`, 1)), "which is no address in the file"},
		{one(bookPackage), "lacks its member OEBPS/text/chapter 1.xhtml"},
	}
	for _, test := range tests {
		if _, err := parseEPUB(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
