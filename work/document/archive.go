package document

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	endian "encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
)

// Bounds of an archive. They keep the memory for a hostile file small; the largest real
// documents hold a tenth of this.
const (
	maxMembers    = 20_000
	maxHeaders    = 5 * maxMembers // of members, those of archives inside the archive too
	maxMember     = 64 << 20       // bytes of one member that is read
	maxUnpacked   = 256 << 20      // bytes of all members that are read
	freeOfRatio   = 8 << 20        // members up to this many bytes may have any ratio
	maxRatio      = 200            // bytes of a member to a compressed byte: markup has 5 to 50
	localHeader   = 30             // bytes before a member's name and data (APPNOTE.TXT, section 4.3.7)
	zip64Extra    = 0x0001         // APPNOTE.TXT, section 4.5.3
	flagEncrypted = 0x0001         // APPNOTE.TXT, section 4.4.4
	flagTrailer   = 0x0008         // sizes stand behind the data
)

// archive is a document that is a ZIP file with members. Only the members that have text
// are unpacked: a picture of any size costs nothing.
type archive struct {
	kind     string // for people, such as "DOCX"
	data     []byte
	members  []*zip.File
	byName   map[string]int
	alike    map[string]int // how many members a program may take for one another: see folded
	comment  string
	unpacked int64
	parts    []int // the members that are parts of the document
	was      [][]byte
	doc      *Document
}

// openArchive reads the directory of an archive, and refuses what no format can work on.
func openArchive(format Format, data []byte) (*archive, error) {
	a := &archive{kind: strings.ToUpper(string(format)), data: data, byName: map[string]int{}, alike: map[string]int{}}
	if bytes.HasPrefix(data, oleMagic) {
		return nil, a.oldOffice()
	}
	r, err := readDirectory(data)
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("no %s file: it is empty", a.kind)
	case errors.Is(err, errManyMembers):
		return nil, fmt.Errorf("the %s file has %w; at most %d are supported", a.kind, err, maxMembers)
	case err != nil && bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return nil, fmt.Errorf("the %s file is cut off or damaged: its directory, which stands at its end, cannot be read (%w): copy the file again", a.kind, err)
	case err != nil:
		return nil, fmt.Errorf("no %s file: it is no ZIP archive (%w)", a.kind, err)
	case len(r.File) > maxMembers:
		return nil, fmt.Errorf("the %s file has %d members; at most %d are supported", a.kind, len(r.File), maxMembers)
	}
	a.members, a.comment = r.File, r.Comment
	for i, f := range r.File {
		if _, twice := a.byName[f.Name]; twice {
			return nil, fmt.Errorf("the %s file has two members with the name %q: programs would read different ones", a.kind, f.Name)
		}
		a.byName[f.Name] = i
		a.alike[folded(f.Name)]++
	}
	if err := a.checkPlaces(); err != nil {
		return nil, err
	}
	for _, f := range r.File {
		if strings.HasPrefix(f.Name, "_xmlsignatures/") || f.Name == "META-INF/documentsignatures.xml" || f.Name == "META-INF/signatures.xml" {
			return nil, fmt.Errorf("the %s file is digitally signed (%s): a translation would break the signature; save a copy without the signature", a.kind, f.Name)
		}
	}
	a.doc = &Document{Format: format, write: a.write}
	return a, nil
}

// errManyMembers is the error of readDirectory for a directory that would fill the memory.
var errManyMembers = fmt.Errorf("more than %d headers of members", maxHeaders)

// readDirectory reads the directory of a ZIP file. A directory may have more members than it
// says, and each takes ten times its bytes of memory: the headers are counted before.
func readDirectory(data []byte) (*zip.Reader, error) {
	if bytes.Count(data, []byte("PK\x01\x02")) > maxHeaders {
		return nil, errManyMembers
	}
	return zip.NewReader(bytes.NewReader(data), int64(len(data)))
}

// folded is a member's name as the least exact program reads it: Office Open XML compares
// names without case (ISO/IEC 29500-2, section 6.2.2), and some take a backslash for a slash.
func folded(name string) string {
	return strings.ToLower(path.Clean("/" + strings.ReplaceAll(name, "\\", "/")))
}

// checkPlaces refuses members that do not lie in the file one beside another. Members that
// share bytes would make a file of a megabyte one of gigabytes when they are copied, and a
// member that cannot be copied must be found before the translation is paid.
func (a *archive) checkPlaces() error {
	type place struct{ at, end int64 }
	var places []place
	for _, f := range a.members {
		at, err := f.DataOffset()
		left := int64(len(a.data)) - at
		if err != nil || left < 0 || f.CompressedSize64 > uint64(left) {
			return fmt.Errorf("the %s file is damaged: its bytes of member %q are not where its directory says: copy the file again", a.kind, f.Name)
		}
		places = append(places, place{at, at + int64(f.CompressedSize64)})
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(places); i++ {
		if places[i-1].end > places[i].at-localHeader {
			for _, f := range a.members {
				if at, err := f.DataOffset(); err == nil && at == places[i].at {
					return fmt.Errorf("the %s file is damaged, or made to fill the memory: its member %q lies inside another: open it in its program and save it again", a.kind, f.Name)
				}
			}
		}
	}
	return nil
}

// oleMagic begins a compound file ([MS-CFB], section 2.2).
var oleMagic = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

// oldOffice says what a compound file is: Office puts a document with a password into one
// ([MS-OFFCRYPTO], section 2.3.4), and its old formats are compound files.
func (a *archive) oldOffice() error {
	name := make([]byte, 0, 32)
	for _, u := range utf16.Encode([]rune("EncryptedPackage")) {
		name = endian.LittleEndian.AppendUint16(name, u)
	}
	if bytes.Contains(a.data, name) {
		return fmt.Errorf("the %s file is protected with a password: save a copy without the password", a.kind)
	}
	return fmt.Errorf("no %s file: it is a binary file of Office 97 to 2003: save it as %s", a.kind, a.kind)
}

func (a *archive) has(name string) bool {
	_, ok := a.byName[name]
	return ok
}

// read unpacks a member, within the bounds.
func (a *archive) read(name string) ([]byte, error) {
	i, ok := a.byName[name]
	if !ok {
		return nil, fmt.Errorf("the %s file lacks its member %s", a.kind, name)
	}
	f := a.members[i]
	if f.Flags&flagEncrypted != 0 {
		return nil, fmt.Errorf("the %s file is protected with a password (member %s is encrypted): save a copy without the password", a.kind, name)
	}
	if a.alike[folded(name)] > 1 {
		return nil, fmt.Errorf("the %s file has two members whose names differ from %q in case or slashes at most: programs would read different ones", a.kind, name)
	}
	limit := min(int64(maxMember), maxUnpacked-a.unpacked)
	if packed := int64(f.CompressedSize64); packed < maxMember {
		limit = min(limit, max(freeOfRatio, packed*maxRatio))
	}
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return nil, fmt.Errorf("the %s file: member %s is compressed by method %d, and only Deflate (8) is supported: open the file in its program and save it again", a.kind, name, f.Method)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s file: member %s: %w", a.kind, name, err)
	}
	defer r.Close()
	// The size in the directory is a claim: what comes out is counted.
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("the %s file: member %s unpacks to more than %d bytes: too large, or made to fill the memory", a.kind, name, limit)
	}
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("the %s file is damaged: member %s does not have the bytes that its checksum is of: copy the file again", a.kind, name)
	}
	if err != nil {
		return nil, fmt.Errorf("the %s file: member %s: %w", a.kind, name, err)
	}
	a.unpacked += int64(len(data))
	return data, nil
}

// add makes a member a part of the document. was is the member's bytes.
func (a *archive) add(p part, was []byte) {
	a.parts = append(a.parts, a.byName[p.name])
	a.was = append(a.was, was)
	a.doc.parts = append(a.doc.parts, p)
}

// write gives the archive back with new bytes for its parts. Every other member keeps its
// compressed bytes, its place, name, times and extra fields. An archive of which no part
// changed is returned as it was: what stands between its members, too.
func (a *archive) write(parts [][]byte) ([]byte, error) {
	changed := map[int][]byte{}
	for i, member := range a.parts {
		if !bytes.Equal(parts[i], a.was[i]) {
			changed[member] = parts[i]
		}
	}
	if len(changed) == 0 {
		return bytes.Clone(a.data), nil
	}
	var out bytes.Buffer
	out.Grow(len(a.data))
	w := zip.NewWriter(&out)
	for i, f := range a.members {
		if err := a.writeMember(w, f, changed[i]); err != nil {
			return nil, fmt.Errorf("write member %s of the %s file: %w", f.Name, a.kind, err)
		}
	}
	// The comment of the archive stands at its end (APPNOTE.TXT, section 4.3.16).
	if err := w.SetComment(a.comment); err != nil {
		return nil, fmt.Errorf("write the %s file: %w", a.kind, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write the %s file: %w", a.kind, err)
	}
	return out.Bytes(), nil
}

// writeMember copies a member, or writes its new bytes. nil data copies.
func (a *archive) writeMember(w *zip.Writer, f *zip.File, data []byte) error {
	h := f.FileHeader
	h.Extra = withoutZip64(h.Extra) // the writer makes its own
	if strings.HasSuffix(h.Name, "/") {
		// A folder. Some programs compress its no bytes to two: the writer takes none.
		h.Method, h.Flags = zip.Store, h.Flags&^flagTrailer
		h.CRC32, h.CompressedSize64, h.UncompressedSize64 = 0, 0, 0
		_, err := w.CreateRaw(&h)
		return err
	}
	if data == nil {
		r, err := f.OpenRaw()
		if err != nil {
			return err
		}
		to, err := w.CreateRaw(&h)
		if err != nil {
			return err
		}
		_, err = io.Copy(to, r)
		return err
	}
	packed := data
	if h.Method != zip.Store {
		var b bytes.Buffer
		c, err := flate.NewWriter(&b, flate.DefaultCompression)
		if err != nil {
			return err
		}
		if _, err := c.Write(data); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
		h.Method, packed = zip.Deflate, b.Bytes()
	}
	h.Flags &^= flagTrailer
	h.CRC32 = crc32.ChecksumIEEE(data)
	h.CompressedSize64, h.UncompressedSize64 = uint64(len(packed)), uint64(len(data))
	to, err := w.CreateRaw(&h)
	if err != nil {
		return err
	}
	_, err = to.Write(packed)
	return err
}

// withoutZip64 takes the sizes of 64 bits out of a member's extra fields.
func withoutZip64(extra []byte) []byte {
	var out []byte
	for len(extra) >= 4 {
		n := min(4+int(endian.LittleEndian.Uint16(extra[2:])), len(extra))
		if endian.LittleEndian.Uint16(extra) != zip64Extra {
			out = append(out, extra[:n]...)
		}
		extra = extra[n:]
	}
	return append(out, extra...)
}
