package document

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Limits of a file. A segment with its pieces takes some 300 bytes of memory besides its
// text, so the largest file that is accepted takes less than two gigabytes.
const (
	maxArchive  = 512 << 20 // bytes of an archive: pictures and films are most of it
	maxText     = 64 << 20  // bytes of a text: twelve Bibles
	maxTree     = 8 << 20   // bytes of a text whose parser makes a tree a hundred times its size
	maxLines    = 4 << 20   // of a text
	maxSegments = 1 << 20   // a long novel has ten thousand
	maxPieces   = 4 << 20   // of all segments together
	maxRun      = 1 << 18   // pieces of one segment, before anything is made of them
)

// format is a line of the table of formats.
type format struct {
	name       Format
	extensions []string // the first is the usual one
	archive    bool     // a ZIP of members; a text otherwise
	parse      func(data []byte) (*Document, error)
}

// formats is the one table of formats, in the sequence in which help texts name them.
func formats() []format {
	return []format{
		{"txt", []string{".txt", ".text"}, false, parseText},
		{"md", []string{".md", ".markdown"}, false, parseMarkdown},
		{"srt", []string{".srt"}, false, parseSRT},
		{"vtt", []string{".vtt"}, false, parseVTT},
		{"po", []string{".po", ".pot"}, false, parsePO},
		{"json", []string{".json", ".arb"}, false, parseJSON},
		{"yaml", []string{".yaml", ".yml"}, false, parseYAML},
		{"html", []string{".html", ".htm"}, false, parseHTML},
		{"xhtml", []string{".xhtml", ".xht"}, false, parseXHTML},
		{"xliff", []string{".xlf", ".xliff"}, false, parseXLIFF},
		{"tmx", []string{".tmx"}, false, parseTMX},
		{"docx", []string{".docx"}, true, parseDOCX},
		{"pptx", []string{".pptx"}, true, parsePPTX},
		{"odt", []string{".odt"}, true, parseODT},
		{"odp", []string{".odp"}, true, parseODT},
		{"ods", []string{".ods"}, true, parseODT},
		{"epub", []string{".epub"}, true, parseEPUB},
	}
}

// Formats returns the formats that Parse reads, for help texts.
func Formats() (all []Format) {
	for _, f := range formats() {
		all = append(all, f.name)
	}
	return all
}

// Extensions returns the extensions of a format's files, such as ".yaml" and ".yml".
func (f Format) Extensions() []string {
	for _, g := range formats() {
		if g.name == f {
			return g.extensions
		}
	}
	return nil
}

// supported is the list of extensions for an error.
func supported() string {
	var all []string
	for _, f := range formats() {
		all = append(all, f.extensions...)
	}
	return strings.Join(all, ", ")
}

// Parse reads a file. The extension of its name and its bytes have to name the same format.
// Without an extension, such as in the names "" and "-" of standard input, the bytes decide.
// The error wraps [ErrUnsupported] for a kind of file that has no format here.
func Parse(name string, data []byte) (*Document, error) {
	if name == "" || name == "-" {
		name = "the input"
	}
	f, err := choose(name, data)
	if err != nil {
		return nil, err
	}
	limit := maxText
	if f.archive {
		limit = maxArchive
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s has %d MiB: a %s file may have %d MiB: divide it", name, len(data)>>20, f.name, limit>>20)
	}
	if n := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")); !f.archive && n > 2*maxLines {
		return nil, fmt.Errorf("%s has more than %d lines: divide it", name, maxLines)
	}
	if !f.archive && len(bytes.TrimSpace(data)) == 0 { // XML would have to have an element
		return &Document{Format: f.name, parts: []part{{name: name, data: data}}}, nil
	}
	d, err := f.parse(data)
	if err != nil && !errors.Is(err, errFull) {
		return nil, fmt.Errorf("%s: %s: %w", name, f.name, err)
	}
	if err != nil || d.full {
		return nil, fmt.Errorf("%s has more than %d segments, %d pieces of text and tags, or %d in one segment: divide it", name, maxSegments, maxPieces, maxRun)
	}
	d.Format = f.name
	d.inSequence()
	return d, nil
}

// inSequence sorts the places of each part. Parsers of nested things, such as footnotes,
// find them in another sequence.
func (d *Document) inSequence() {
	for i := range d.parts {
		slices.SortStableFunc(d.parts[i].places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	}
}

// choose names the format of a file.
func choose(name string, data []byte) (*format, error) {
	ext := strings.ToLower(path.Ext(strings.ReplaceAll(name, "\\", "/")))
	var want, is *format
	kind := sniff(data)
	for _, f := range formats() {
		if slices.Contains(f.extensions, ext) {
			want = &f
		}
		if string(f.name) == kind.format {
			is = &f
		}
	}
	refuse := func(what, todo string) error {
		return fmt.Errorf("%s %s: %w: %s (supported: %s)", name, what, ErrUnsupported, todo, supported())
	}
	switch {
	case want != nil && want.archive && kind.damaged:
		return want, nil // its parser says what is wrong
	case kind.binary && is == nil:
		return nil, refuse("is "+kind.words, "convert it first")
	case kind.binary && want == nil && ext == "":
		return is, nil
	case kind.binary && (want == nil || want.name != is.name):
		return nil, refuse("is "+kind.words+" by its content", "give it the extension "+is.extensions[0])
	case want != nil && want.archive && !kind.binary:
		return nil, refuse("is no "+string(want.name)+" file: its content is text", "give it the extension of its kind")
	case want != nil:
		return want, nil
	case ext != "":
		if words := unreadable[ext]; words != "" {
			return nil, refuse("is "+words+" by its name", "convert it first")
		}
		return nil, refuse("has the extension "+ext, "give it the extension of its kind, such as .txt")
	case is != nil:
		return is, nil
	case kind.format != "":
		return nil, refuse("is "+kind.words, "convert it first")
	}
	return &formats()[0], nil
}

// unreadable names kinds of files by extension, for files whose bytes do not tell.
var unreadable = map[string]string{
	".pdf": "a PDF", ".doc": "an old Word document", ".xls": "an old Excel sheet", ".ppt": "an old presentation",
	".xlsx": "an Excel sheet", ".rtf": "an RTF document",
	".docm": "a Word document with macros", ".png": "a picture", ".jpg": "a picture", ".jpeg": "a picture", ".gif": "a picture",
	".svg": "a picture", ".webp": "a picture", ".mp3": "sound", ".wav": "sound", ".mp4": "a film", ".mkv": "a film",
	".zip": "an archive", ".gz": "a compressed file", ".tar": "an archive", ".7z": "an archive", ".exe": "a program",
	".csv": "a table", ".tsv": "a table", ".tex": "LaTeX", ".rst": "reStructuredText", ".adoc": "AsciiDoc", ".xml": "XML",
	".ts": "source code", ".js": "source code", ".py": "source code", ".go": "source code", ".c": "source code",
	".properties": "a Java catalog", ".strings": "an Apple catalog", ".resx": "a .NET catalog", ".mo": "a compiled catalog",
}

// kind is what the bytes of a file say.
type kind struct {
	format  string // the name of a format, or of a kind that is none
	words   string // for people, such as "a PDF"
	binary  bool   // it cannot be text
	damaged bool   // it begins like an archive and is none
}

// magics are how binary files begin.
var magics = []struct {
	at           int
	bytes, words string
}{
	{0, "%PDF-", "a PDF"}, {0, "\x89PNG", "a PNG picture"}, {0, "\xff\xd8\xff", "a JPEG picture"}, {0, "GIF8", "a GIF picture"},
	{0, "\xd0\xcf\x11\xe0", "an old Office file (.doc, .xls, .ppt), or an Office file with a password"},
	{0, `{\rtf`, "an RTF document"}, {0, "%!PS", "a PostScript document"}, {0, "\x1f\x8b", "a gzip file"}, {0, "BZh", "a bzip2 file"},
	{0, "\xfd7zXZ", "an xz file"}, {0, "7z\xbc\xaf", "a 7z archive"}, {0, "Rar!", "a RAR archive"}, {0, "\x28\xb5\x2f\xfd", "a zstd file"},
	{257, "ustar", "a tar archive"}, {0, "\x7fELF", "a program"}, {0, "MZ\x90", "a program"}, {0, "\xca\xfe\xba\xbe", "a program"},
	{0, "\x00asm", "a program"}, {0, "SQLite format 3", "a database"}, {0, "ID3", "sound"}, {0, "OggS", "sound"}, {0, "fLaC", "sound"},
	{4, "ftyp", "a film"}, {8, "WEBP", "a WebP picture"}, {8, "WAVE", "sound"}, {8, "AVI ", "a film"}, {0, "II*\x00", "a TIFF picture"},
	{0, "MM\x00*", "a TIFF picture"}, {0, "\x1aE\xdf\xa3", "a film"}, {0, "\xde\x12\x04\x95", "a compiled catalog (.mo)"},
	{0, "\x95\x04\x12\xde", "a compiled catalog (.mo)"}, {0, "age-encryption.org/", "an encrypted file (age)"},
	{0, "-----BEGIN PGP MESSAGE", "an encrypted file (PGP)"}, {0, "\xff\xfe\x00\x00", "text in UTF-32"}, {0, "\x00\x00\xfe\xff", "text in UTF-32"},
}

// sniff names the kind of a file by its bytes.
func sniff(data []byte) kind {
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06")) {
		return sniffZIP(data)
	}
	for _, m := range magics {
		if len(data) >= m.at+len(m.bytes) && string(data[m.at:m.at+len(m.bytes)]) == m.bytes {
			return kind{words: m.words, binary: true}
		}
	}
	head := data[:min(len(data), 64<<10)]
	if text, _, err := decode(head[:len(head)&^1], ""); err == nil {
		head = text
	}
	s := strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff"))
	lower := strings.ToLower(s[:min(len(s), 4096)])
	switch {
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		return kind{format: "html", words: "HTML"}
	case strings.HasPrefix(lower, "<?xml"), strings.HasPrefix(lower, "<xliff"), strings.HasPrefix(lower, "<tmx"), strings.HasPrefix(lower, "<svg"):
		for _, root := range []string{"xliff", "tmx", "html", "svg"} {
			if strings.Contains(lower, "<"+root) {
				return kind{format: root, words: root}
			}
		}
		return kind{format: "xml", words: "XML of no known kind"}
	case strings.HasPrefix(s, "WEBVTT"):
		return kind{format: "vtt"}
	case strings.HasPrefix(s, "{") && strings.HasSuffix(strings.TrimSpace(string(data)), "}") && strings.Contains(s, `"`) && strings.Contains(s, ":"):
		return kind{format: "json"}
	case strings.Contains("\n"+s, "\nmsgid \"") && strings.Contains(s, "\nmsgstr"):
		return kind{format: "po"}
	}
	if lines := strings.SplitN(s, "\n", 3); len(lines) > 1 && cueTimes.MatchString(strings.TrimSpace(lines[1])) {
		return kind{format: "srt"}
	}
	return kind{}
}

// sniffZIP tells the ZIP archives apart: OpenDocument and EPUB by their member "mimetype",
// Office Open XML by the type of its main part.
func sniffZIP(data []byte) kind {
	damaged := kind{words: "a damaged ZIP archive", binary: true, damaged: true}
	z, err := readDirectory(data)
	if err != nil {
		return damaged
	}
	read := func(name string) string {
		for _, f := range z.File {
			if f.Name != name {
				continue
			}
			r, err := f.Open()
			if err != nil {
				return ""
			}
			defer r.Close()
			b, _ := io.ReadAll(io.LimitReader(r, 1<<20)) // what is damaged, the parser says
			return string(b)
		}
		return ""
	}
	known := []struct{ mark, format, words string }{
		{"opendocument.text", "odt", "an OpenDocument text"}, {"application/epub+zip", "epub", "an EPUB book"},
		{"opendocument.spreadsheet", "ods", "a spreadsheet"}, {"opendocument.presentation", "odp", "an OpenDocument presentation"},
		{"opendocument", "opendocument", "an OpenDocument file that is no text"},
		{"wordprocessingml.document.main", "docx", "a Word document"}, {"presentationml.presentation.main", "pptx", "a PowerPoint presentation"},
		{"spreadsheetml.sheet.main", "xlsx", "an Excel sheet"}, {"macroEnabled.main", "docm", "an Office file with macros"},
	}
	types := strings.TrimSpace(read("mimetype")) + "\n" + read("[Content_Types].xml")
	for _, k := range known {
		if strings.Contains(types, k.mark) {
			return kind{format: k.format, words: k.words, binary: true}
		}
	}
	return kind{format: "zip", words: "a ZIP archive", binary: true}
}
