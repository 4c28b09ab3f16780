package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/text"
)

// The file is a line of text, and then parts: the statement; each job with its opened units;
// the texts. A part is its length in 4 bytes, big endian, and a canonical record
// (PROTOCOL.md, section 4.8.2). The SHA-256 of all that ends the file.

// magic is the first line. Its number is the format's version.
const magic = "ALIA receipt of a document, 1\n"

// The limits of a file.
const (
	// MaxFile is the bytes of the largest file: a thousand pages have about one megabyte.
	MaxFile  = 256 << 20
	maxJobs  = 1 << 10
	maxTexts = 1 << 20
)

// errDamaged is the error of a file whose bytes are not those of its hash.
var errDamaged = errors.New("a byte of the receipt was changed: its bytes do not have the hash that ends it")

// Is reports whether a file begins as the receipt of a document.
func Is(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }

// Encode returns the bytes of a file.
func (r *Parsed) Encode() ([]byte, error) {
	data := []byte(magic)
	put := func(what string, i int, v any) error {
		part, err := block.Encode(v)
		if err != nil {
			return fmt.Errorf("receipt: %s %d: %w", what, i, err)
		}
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(part))), part...)
		return nil
	}
	s := r.Statement
	s.Jobs, s.Texts = uint32(len(r.jobs)), uint32(len(r.texts))
	if err := put("statement", 0, s); err != nil {
		return nil, err
	}
	for i, j := range r.jobs {
		if err := put("job", i, JobPart{Receipt: j.file, Opened: uint32(len(j.units))}); err != nil {
			return nil, err
		}
		for _, u := range j.units {
			if err := put("unit", int(u.Unit), u); err != nil {
				return nil, err
			}
		}
	}
	for i, t := range r.texts {
		if err := put("text", i, t); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(data)
	if data = append(data, sum[:]...); len(data) > MaxFile {
		return nil, fmt.Errorf("receipt: %d bytes, and the limit is %d: translate the document in parts", len(data), MaxFile)
	}
	return data, nil
}

// parts reads the parts of a file in their sequence.
type parts struct{ rest []byte }

// next reads a part into v. what and i name it in errors.
func (p *parts) next(what string, i int, v any) error {
	fail := func(err error) error { return fmt.Errorf("%s %d: %w", what, i, err) }
	if len(p.rest) < 4 {
		return fail(errors.New("the file ends before it"))
	}
	n := binary.BigEndian.Uint32(p.rest)
	if uint64(n) > uint64(len(p.rest)-4) {
		return fail(errors.New("the file ends inside it"))
	}
	data := p.rest[4 : 4+n]
	p.rest = p.rest[4+n:]
	if err := block.Decode(data, v); err != nil {
		return fail(err)
	}
	return nil
}

// Parse reads a file. It accepts one encoding of a content: [Parsed.Encode] gives the same
// bytes. Nothing that the receipt says is checked yet, see [Verify].
func Parse(data []byte) (*Parsed, error) {
	r, err := parse(data)
	if err == nil && !whole(data) {
		err = errDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return r, nil
}

// whole reports whether a file ends with its hash.
func whole(data []byte) bool {
	n := len(data) - sha256.Size
	return n >= 0 && sha256.Sum256(data[:n]) == [sha256.Size]byte(data[n:])
}

// parse is Parse without the hash.
func parse(data []byte) (*Parsed, error) {
	switch {
	case !Is(data):
		return nil, errors.New("the file is not the receipt of a document, or its first line was changed")
	case len(data) > MaxFile:
		return nil, fmt.Errorf("%d bytes, and the limit is %d", len(data), MaxFile)
	case len(data) < len(magic)+sha256.Size:
		return nil, errors.New("the end of the file is missing")
	}
	p, r := parts{data[len(magic) : len(data)-sha256.Size]}, &Parsed{}
	if err := p.next("statement", 0, &r.Statement); err != nil {
		return nil, err
	}
	if err := r.Statement.validate(); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	for i := range int(r.Jobs) {
		j, err := p.job(i)
		if err != nil {
			return nil, err
		}
		r.jobs = append(r.jobs, j)
	}
	for i := range int(r.Texts) {
		var t TextPart
		if err := p.next("text", i, &t); err != nil {
			return nil, err
		}
		if err := t.validate(len(r.jobs)); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		r.texts = append(r.texts, t)
	}
	if len(p.rest) > 0 {
		return nil, fmt.Errorf("%d bytes stand behind the last text", len(p.rest))
	}
	return r, nil
}

// job reads a job and its opened units.
func (p *parts) job(i int) (j job, err error) {
	var head JobPart
	if err := p.next("job", i, &head); err != nil {
		return j, err
	}
	j.file = head.Receipt
	for n := range int(head.Opened) {
		var u UnitPart
		if err := p.next(fmt.Sprintf("job %d: opened unit", i), n, &u); err != nil {
			return j, err
		}
		if n > 0 && u.Unit <= j.units[n-1].Unit {
			return j, fmt.Errorf("job %d: unit %d comes after unit %d", i, u.Unit, j.units[n-1].Unit)
		}
		j.units = append(j.units, u)
	}
	return j, nil
}

// validate refuses a statement that no receipt has.
func (s *Statement) validate() error {
	switch {
	case s.Version != 1:
		return fmt.Errorf("version %d, this program knows version 1", s.Version)
	case s.Jobs > maxJobs:
		return fmt.Errorf("%d jobs, and the limit is %d", s.Jobs, maxJobs)
	case s.Texts > maxTexts:
		return fmt.Errorf("%d texts, and the limit is %d", s.Texts, maxTexts)
	case !slices.Contains(document.Formats(), document.Format(s.Format)):
		return fmt.Errorf("the format %q is not known to this program", s.Format)
	case s.Texts > 0 && !s.Model.Defined():
		return errors.New("it names no model")
	}
	for _, f := range []FileRecord{s.Document, s.Translation} {
		if strings.ContainsAny(f.Name, "/\\") || strings.ContainsFunc(f.Name, unicode.IsControl) {
			return fmt.Errorf("%q is not the name of a file", f.Name)
		}
	}
	if s.Texts > 0 {
		if err := s.Decoding.Validate(); err != nil {
			return fmt.Errorf("a search that no engine makes: %w", err)
		}
	}
	return nil
}

// validate refuses a text that has fields of another origin.
func (t *TextPart) validate(jobs int) error {
	switch t.Origin {
	case Bought:
		if int(t.Job) >= jobs {
			return fmt.Errorf("it is of job %d, and the receipt has %d jobs", t.Job, jobs)
		}
		if len(t.Gaps) < 2 || t.Source != "" || t.Target != "" {
			return errors.New("a text of a job has sentences, and no text of its own")
		}
		for _, gap := range t.Gaps {
			if text.HasLetters(gap) {
				return fmt.Errorf("%.40q is not white space, or a text without letters", gap)
			}
		}
	case Computed, Human:
		if t.Job != 0 || t.At != 0 || len(t.Gaps) != 0 {
			return errors.New("a text that is of no job has sentences of one")
		}
	default:
		return fmt.Errorf("an origin of %d, and this program knows 1 to 3", t.Origin)
	}
	return nil
}
