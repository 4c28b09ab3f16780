package document

import (
	"archive/zip"
	"bytes"
	endian "encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// member is a member of an archive of a test.
type member struct {
	name, data string
	method     uint16
}

// zipped makes an archive. Times, a comment and extra fields are such as real programs write.
func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: m.method, Comment: "of " + m.name}
		if m.method == zip.Deflate {
			h.Modified = time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)
			h.Extra = []byte{0xCA, 0xFE, 2, 0, 'x', 'y'}
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetComment("a comment"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped reads one member.
func unzipped(t testing.TB, data []byte, name string) string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestArchiveKeepsMembers: the members that did not change keep their compressed bytes and
// their headers, in the same sequence.
func TestArchiveKeepsMembers(t *testing.T) {
	in := docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`, member{"word/media/picture.png", strings.Repeat("picture", 99), zip.Deflate},
		member{"word/vbaProject.bin", "macro", zip.Store}, member{"word/media/", "", zip.Store})
	d, err := parseDOCX(in)
	if err != nil {
		t.Fatal(err)
	}
	unchanged(t, d, in)
	text, _ := translated(t, d, "", louder)
	out := []byte(text)
	was, err := zip.NewReader(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	is, err := zip.NewReader(bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	if is.Comment != "a comment" || len(is.File) != len(was.File) {
		t.Fatalf("comment %q, %d members", is.Comment, len(is.File))
	}
	for i, f := range is.File {
		old := was.File[i]
		changed := f.Name == "word/document.xml"
		if f.Name != old.Name || f.Comment != old.Comment || !f.Modified.Equal(old.Modified) || f.Method != old.Method ||
			!bytes.Equal(f.Extra, old.Extra) || f.ExternalAttrs != old.ExternalAttrs {
			t.Errorf("%s: its header changed", f.Name)
		}
		if (f.CRC32 != old.CRC32) != changed {
			t.Errorf("%s: checksum %08x, was %08x", f.Name, f.CRC32, old.CRC32)
		}
		if !changed && !bytes.Equal(raw(t, f), raw(t, old)) {
			t.Errorf("%s: its compressed bytes changed", f.Name)
		}
	}
	if got := unzipped(t, out, "word/document.xml"); !strings.Contains(got, ">HELLO<") {
		t.Errorf("not translated: %s", got)
	}
}

func raw(t *testing.T, f *zip.File) []byte {
	t.Helper()
	r, err := f.OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestArchiveUnchanged: an archive of which no text changed is the same, whatever stands
// before, between and behind its members.
func TestArchiveUnchanged(t *testing.T) {
	in := docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`)
	d, err := parseDOCX(slices.Concat([]byte("#!/bin/sh\n"), in))
	if err != nil {
		t.Fatal(err)
	}
	unchanged(t, d, slices.Concat([]byte("#!/bin/sh\n"), in))
}

// TestArchiveRefused: each bad archive is refused with its reason.
func TestArchiveRefused(t *testing.T) {
	good := docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`)
	ole := slices.Concat([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 600))
	locked := slices.Clone(ole)
	for i, c := range "EncryptedPackage" {
		locked[512+2*i] = byte(c)
	}
	damaged := bytes.Clone(good)
	damaged[bytes.Index(damaged, []byte("<w:body>"))+10] ^= 1
	encrypted := bytes.Clone(good)
	at := bytes.LastIndex(encrypted, []byte("PK\x01\x02"))
	for at >= 0 {
		encrypted[at+8] |= 1
		at = bytes.LastIndex(encrypted[:at], []byte("PK\x01\x02"))
	}
	twice := docx(t, "", member{"word/document.xml", "<x/>", zip.Store})
	bomb := docxOf(t, strings.Repeat(" ", 1<<24), zip.Deflate)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "it is empty"},
		{"text", []byte("Dear Sir"), "it is no ZIP archive"},
		{"cut off", good[:len(good)-40], "cut off or damaged"},
		{"half", good[:len(good)/2], "cut off or damaged"},
		{"old", ole, "binary file of Office 97 to 2003"},
		{"password", locked, "protected with a password"},
		{"encrypted", encrypted, "protected with a password"},
		{"damaged", damaged, "is damaged: member word/document.xml"},
		{"two members", twice, "two members with the name \"word/document.xml\""},
		{"another archive", zipped(t, member{"a.txt", "hello", zip.Store}), "without the member [Content_Types].xml"},
		{"presentation", pptx(t, ""), "its main member ppt/presentation.xml is of the type"},
		{"signed", docx(t, "", member{"_xmlsignatures/origin.sigs", "", zip.Store}), "digitally signed"},
		{"bomb", bomb, "unpacks to more than"},
		{"UTF-16", docxOf(t, "\xFF\xFE<\x00w\x00", zip.Store), "UTF-16"},
		{"Latin-1", docxOf(t, `<?xml version="1.0" encoding="ISO-8859-1"?><a>`+"\xE4</a>", zip.Store), "not UTF-8"},
		{"entities", docxOf(t, `<!DOCTYPE a [<!ENTITY b "b">]><w:document xmlns:w="`+wordSpace+`"><w:p>&b;</w:p></w:document>`, zip.Store), "invalid character entity &b;"},
		{"deep", docxOf(t, strings.Repeat("<a>", 1000), zip.Store), "nested more than 500 deep"},
		{"many attributes", docxOf(t, `<a `+strings.Repeat(`b="" `, 40_000)+`/>`, zip.Store), "more than 65536 quotation marks"},
		{"many prefixes", docxOf(t, `<a `+prefixes(300)+`/>`, zip.Store), "more than 200 prefixes"},
		{"a huge paragraph", docx(t, `<w:p>`+strings.Repeat("<a/>", 1<<20)+`</w:p>`), "more than 1048576 elements"},
		{"open element", docxOf(t, "<a>", zip.Store), "ends before its last element"},
		{"wrong end", docxOf(t, "<a></b>", zip.Store), "closes <b>, which is not the open element"},
		{"two ends", docxOf(t, "<a/></a>", zip.Store), "closes <a>, which is not the open element"},
		{"no element", docxOf(t, " ", zip.Store), "ends before its last element"},
	}
	for _, test := range tests {
		d, err := parseDOCX(test.data)
		if err == nil || d != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// prefixes declares prefixes of one space.
func prefixes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `xmlns:p%d="%s" `, i, wordSpace)
	}
	return b.String()
}

// TestArchiveLies: a size in the directory that is not true neither fills the memory nor
// passes.
func TestArchiveLies(t *testing.T) {
	in := docxOf(t, strings.Repeat(" ", 1<<24), zip.Deflate)
	at := bytes.Index(in, []byte("PK\x01\x02"))
	for at >= 0 { // every member says that it has 100 bytes
		endian.LittleEndian.PutUint32(in[at+24:], 100)
		next := bytes.Index(in[at+4:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += 4 + next
	}
	if _, err := parseDOCX(in); err == nil {
		t.Error("accepted")
	}
}

// FuzzArchive: whatever the bytes, a format accepts them and gives them back, or says why not.
func FuzzArchive(f *testing.F) {
	f.Add(docx(f, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`))
	f.Add(pptx(f, `<a:p><a:r><a:t>Hello</a:t></a:r></a:p>`))
	f.Add(odt(f, `<text:p>Hello</text:p>`))
	f.Add(epub(f, `<p>Hello</p>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (*Document, error){parseDOCX, parsePPTX, parseODT, parseEPUB} {
			d, err := parse(data)
			if err != nil {
				continue
			}
			unchanged(t, d, data)
			if _, _, err := d.Rebuild(Translations{Source: "en", Target: "ar", Of: louder}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWithoutZip64 keeps every extra field but one.
func TestWithoutZip64(t *testing.T) {
	extra := []byte{1, 0, 2, 0, 9, 9, 2, 0, 1, 0, 7, 3}
	if got := withoutZip64(extra); !bytes.Equal(got, []byte{2, 0, 1, 0, 7, 3}) {
		t.Errorf("got % x", got)
	}
	if broken := []byte{5, 0, 200, 0, 1}; !bytes.Equal(withoutZip64(broken), broken) {
		t.Error("a broken field was changed")
	}
}

// louder is a translator whose work can be seen.
func louder(text string) (string, bool) { return strings.ToUpper(text), true }

// translated is the document with translations.
func translated(t testing.TB, d *Document, target string, of func(string) (string, bool)) (string, []Doubt) {
	t.Helper()
	out, flags, err := d.Rebuild(Translations{Source: "en", Target: target, Of: of})
	if err != nil {
		t.Fatal(err)
	}
	return string(out), flags
}

// unchanged holds a document to the file that it was read from.
func unchanged(t testing.TB, d *Document, data []byte) {
	t.Helper()
	out, err := d.Check()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, data) {
		t.Fatalf("rebuilt from its own segments it is another file: %q, want %q", out, data)
	}
}
