package document

import (
	"archive/zip"
	"bytes"
	endian "encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// lastEntry gives a copy of an archive, and in it the last entry of the directory.
func lastEntry(data []byte) (copied, entry []byte) {
	copied = bytes.Clone(data)
	return copied, copied[bytes.LastIndex(copied, []byte("PK\x01\x02")):]
}

// withEntries gives an archive whose directory has more entries than it says.
func withEntries(data []byte, n int, entry func(i int) []byte) []byte {
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	out := bytes.Clone(data[:end])
	for i := range n {
		out = append(out, entry(i)...)
	}
	tail := bytes.Clone(data[end:])
	endian.LittleEndian.PutUint32(tail[12:], uint32(len(out))-endian.LittleEndian.Uint32(tail[16:]))
	count := endian.LittleEndian.Uint16(tail[10:]) + uint16(n)
	endian.LittleEndian.PutUint16(tail[8:], count)
	endian.LittleEndian.PutUint16(tail[10:], count)
	return append(out, tail...)
}

// TestArchivePlaces: an archive that could not be written again, or only as one of gigabytes,
// is refused before anything is translated.
func TestArchivePlaces(t *testing.T) {
	good := docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`, member{"word/media/big.bin", strings.Repeat("0123456789", 10_000), zip.Store})
	changed := func(at int, value uint32) []byte {
		data, entry := lastEntry(good)
		endian.LittleEndian.PutUint32(entry[at:], value)
		return data
	}
	_, entry := lastEntry(good)
	entry = entry[:46+len("word/media/big.bin")+len("of word/media/big.bin")]
	overlap := withEntries(good, 500, func(i int) []byte { // all of them are the same 100 kB
		e := bytes.Clone(entry)
		copy(e[46:], fmt.Sprintf("word/media/%07d", i))
		return e
	})
	many := withEntries(good, 20*(1<<16), func(int) []byte { return append([]byte("PK\x01\x02"), make([]byte, 42)...) })
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"a size past the end", changed(20, 1<<30), `member "word/media/big.bin" are not where`},
		{"a place past the end", changed(42, 1<<30), `member "word/media/big.bin" are not where`},
		{"a place without a header", changed(42, 7), `member "word/media/big.bin" are not where`},
		{"members on one place", overlap, "lies inside another"},
		{"a directory that fills the memory", many, "more than 100000 headers"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := Parse("a.docx", c.data)
		runtime.ReadMemStats(&after)
		if d != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: takes %d MiB of memory", c.name, got>>20)
		}
	}
}

// TestArchiveTwins: a part is refused that another member could be taken for.
func TestArchiveTwins(t *testing.T) {
	for _, twin := range []string{"word/Document.xml", "WORD/DOCUMENT.XML", `word\document.xml`, "/word/document.xml", "word/./document.xml"} {
		_, err := parseDOCX(docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`, member{twin, "x", zip.Store}))
		if err == nil || !strings.Contains(err.Error(), "differ from \"word/document.xml\" in case or slashes") {
			t.Errorf("%s: %v", twin, err)
		}
	}
	// Pictures are copied, whatever their names.
	d, err := parseDOCX(docx(t, `<w:p><w:r><w:t>Hello</w:t></w:r></w:p>`, member{"word/media/a.png", "x", zip.Store}, member{"word/media/A.PNG", "y", zip.Store}))
	if err != nil || len(d.Segments) != 1 {
		t.Errorf("%v", err)
	}
}

// TestArchiveMethod: a part that is compressed by a method of another program says what to do.
func TestArchiveMethod(t *testing.T) {
	data, entry := lastEntry(docx(t, "", member{"word/footnotes.xml", "<x/>", zip.Store}))
	endian.LittleEndian.PutUint16(entry[10:], 9) // Deflate64, which Windows takes for large files
	a, err := openArchive(DOCX, data)
	if err == nil {
		_, err = a.read("word/footnotes.xml")
	}
	if err == nil || !strings.Contains(err.Error(), "compressed by method 9") || !strings.Contains(err.Error(), "save it again") {
		t.Errorf("%v", err)
	}
}
