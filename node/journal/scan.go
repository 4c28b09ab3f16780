package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Damage is the error of a journal whose bytes are not those that were written.
type Damage struct {
	File   string
	Record uint32 // number of the damaged record in the file, from 1; 0 is the header
	Offset int64  // of that record in the file, in bytes
	Why    string
	// Missing says that the file is not there.
	Missing bool
}

// Error names the damage, its place, and the remedy.
func (d *Damage) Error() string {
	what := "is damaged in its header: " + d.Why
	if d.Missing {
		what = "is missing"
	} else if d.Record > 0 {
		what = fmt.Sprintf("is damaged in record %d, at byte %d: %s", d.Record, d.Offset, d.Why)
	}
	return fmt.Sprintf("%s %s. Restore %s from a backup. Without a backup, move that directory away and start again: "+
		"units are then done again, and pay that is not claimed yet can be claimed only by those who hold the acceptances",
		d.File, what, filepath.Dir(d.File))
}

// segment is a segment file.
type segment struct {
	number uint32
	path   string
	seed   uint32 // of the frames' sums
	extent
}

// extent is the part of a segment that holds whole batches.
type extent struct {
	size  int64  // bytes
	sum   uint32 // of these bytes
	count uint32 // records
}

func (s *segment) damage(record uint32, offset int64, format string, args ...any) error {
	return &Damage{File: s.path, Record: record, Offset: offset, Why: fmt.Sprintf(format, args...)}
}

// scanner reads a segment from its beginning.
type scanner struct {
	*segment
	file     *os.File
	in       *bufio.Reader
	end      int64  // the file's length
	read     extent // until the end of the last whole record; that of segment ends at a batch
	body     []byte
	window   []byte // part of the file, for the search in judge
	windowAt int64
}

// openSegment opens a segment file and checks its header. before is the segment
// with the number before it, or nil.
func openSegment(path string, number uint32, net protocol.Net, before *segment) (*scanner, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &scanner{segment: &segment{number: number, path: path}, file: f, in: bufio.NewReaderSize(f, 256<<10)}
	if err := s.header(net, before); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func (s *scanner) header(net protocol.Net, before *segment) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if s.end = info.Size(); s.end > maxSegment+maxBatch {
		return s.damage(0, 0, "the file has %d bytes, the limit is %d", s.end, maxSegment+maxBatch)
	}
	var h [headerSize]byte
	if _, err := io.ReadFull(s.in, h[:]); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return s.damage(0, 0, "it has %d of its %d bytes", s.end, headerSize)
	} else if err != nil {
		return err
	}
	want, seed, err := readHeader(h[:], net, s.number)
	if errors.Is(err, errHeader) {
		return s.damage(0, 0, "%v", err)
	} else if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if before != nil && before.sum != want {
		return before.damage(before.count, before.size, "the file is not what it was when %s was begun: records are missing behind this one, or were replaced", s.path)
	}
	s.seed, s.extent = seed, extent{size: headerSize, sum: sum(0, h[:])}
	s.read = s.extent
	return nil
}

// errEnd is returned by next at the end of the file, between two batches.
var errEnd = errors.New("end of the segment")

// errBad is a record that is not whole.
type errBad struct{ why string }

func (e errBad) Error() string { return e.why }

// next reads a record. before is the frame of the one before it. next returns the
// frame, and the body until the next call.
func (s *scanner) next(before frame) (frame, []byte, error) {
	rest := s.end - s.read.size
	if rest == 0 && before.left == 0 {
		return frame{}, nil, errEnd
	}
	if rest < frameSize {
		return frame{}, nil, errBad{fmt.Sprintf("the file ends %d bytes after the record's beginning", rest)}
	}
	var h [frameSize]byte
	if _, err := io.ReadFull(s.in, h[:]); err != nil {
		return frame{}, nil, fmt.Errorf("%s: %w", s.path, err)
	}
	f, ok := readFrame(h[:], s.seed)
	if !ok {
		return frame{}, nil, errBad{"the checksum of the record's head is wrong"}
	}
	if f.size() > rest {
		return frame{}, nil, errBad{fmt.Sprintf("the record has %d bytes, the file ends after %d", f.size(), rest)}
	}
	if f.number != s.read.count+1 {
		return frame{}, nil, errBad{fmt.Sprintf("record %d stands here", f.number)}
	}
	if n := f.padded(); cap(s.body) < n {
		s.body = make([]byte, n)
	}
	body := s.body[:f.padded()]
	if _, err := io.ReadFull(s.in, body); err != nil {
		return frame{}, nil, fmt.Errorf("%s: %w", s.path, err)
	}
	if sum(s.seed, body) != f.bodySum {
		return frame{}, nil, errBad{"the record's checksum is wrong"}
	}
	s.read = extent{size: s.read.size + f.size(), sum: sum(sum(s.read.sum, h[:]), body), count: s.read.count + 1}
	return f, body[:f.length], nil
}

// all gives every record of the segment to take. newest says that no segment
// follows: then a torn batch at the end, which a crash leaves when it interrupts a
// write, is not an error. all returns the length of the torn batch in bytes.
func (s *scanner) all(newest bool, take func(frame, []byte, ref) error) (torn int64, err error) {
	type record struct {
		frame
		body []byte
		at   ref
	}
	var batch []record // a batch counts when its last record is there
	var f frame
	var body []byte
	for {
		if f, body, err = s.next(f); err != nil {
			break
		}
		at := ref{segment: s.number, offset: uint32(s.read.size - f.size()), length: uint32(f.size()), kind: f.kind}
		batch = append(batch, record{f, bytes.Clone(indexed(f.kind, body)), at})
		if f.left > 0 {
			continue
		}
		for _, r := range batch {
			if err := take(r.frame, r.body, r.at); err != nil {
				return 0, fmt.Errorf("%s: record %d, at byte %d: %w", s.path, r.number, r.at.offset, err)
			}
		}
		batch, s.extent = batch[:0], s.read
	}
	var bad errBad
	switch {
	case errors.Is(err, errEnd):
		return 0, nil
	case !errors.As(err, &bad):
		return 0, err
	case !newest:
		return 0, s.damage(s.read.count+1, s.read.size, "%s", bad.why)
	}
	if err := s.judge(bad.why); err != nil {
		return 0, err
	}
	return s.end - s.size, nil
}

// indexed is what the index reads of a body: the key, and the few bytes of those
// records that the index understands.
func indexed(k kind, body []byte) []byte {
	switch k {
	case kindIssued, kindAccepted, kindTask, kindDone, kindTaken:
		return body[:min(len(body), keySize)]
	}
	return body
}

// judge returns an error unless the bytes after s.read, where no whole record
// stands, are what an interrupted write of one batch leaves.
//
// A batch is synced before the next is written. So a whole record of a later batch
// proves that the bad record was whole once, and was damaged. Without such a
// record, the bytes that the device never got are missing at the end of the file,
// or are zeros: file systems allot and devices write sectors of 512 bytes, and
// what was allotted and not written reads as zeros. A record whose sectors all
// hold something was written, and was damaged. etcd tells a torn record in the
// same way (etcd-io/etcd, server/storage/wal/decoder.go, isTornEntry).
func (s *scanner) judge(why string) error {
	bad, from, to := s.read.count+1, s.read.size, s.end
	for at := from; at < s.end; at += alignment {
		f, ok := s.whole(at)
		if !ok {
			continue
		}
		if first := f.number - uint32(f.index); first > bad {
			return s.damage(bad, from, "%s, and record %d after it is whole", why, f.number)
		}
		to = min(to, at) // the bad record ends here at the latest
	}
	if to-from < frameSize {
		return nil
	}
	var h [frameSize]byte
	if _, err := s.file.ReadAt(h[:], from); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if f, ok := readFrame(h[:], s.seed); ok {
		if from+f.size() > s.end {
			return nil
		}
		to = min(to, from+f.size())
	}
	zeros, err := s.zeros(from, to)
	if err != nil || zeros {
		return err
	}
	return s.damage(bad, from, "%s, and no interrupted write leaves such bytes: none of the record's sectors is empty", why)
}

// whole reports whether a whole record stands at an offset.
func (s *scanner) whole(at int64) (frame, bool) {
	// The search goes forward in small steps, so it reads by windows.
	const window = 64 << 10
	if at < s.windowAt || at+frameSize > s.windowAt+int64(len(s.window)) {
		buf := make([]byte, window)
		n, err := s.file.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) || n < frameSize {
			return frame{}, false
		}
		s.window, s.windowAt = buf[:n], at
	}
	f, ok := readFrame(s.window[at-s.windowAt:][:frameSize], s.seed)
	if !ok || at+f.size() > s.end {
		return frame{}, false
	}
	body := make([]byte, f.padded())
	if _, err := s.file.ReadAt(body, at+frameSize); err != nil {
		return frame{}, false
	}
	return f, sum(s.seed, body) == f.bodySum
}

// zeros reports whether a part of the file between two offsets that lies in one
// sector is all zeros.
func (s *scanner) zeros(from, to int64) (bool, error) {
	const sector = 512
	var buf [sector]byte
	for from < to {
		part := buf[:min(to, from/sector*sector+sector)-from]
		if _, err := s.file.ReadAt(part, from); err != nil {
			return false, fmt.Errorf("%s: %w", s.path, err)
		}
		if len(bytes.TrimLeft(part, "\x00")) == 0 {
			return true, nil
		}
		from += int64(len(part))
	}
	return false, nil
}

// readRecord reads and checks the record at a ref of a segment.
func (s *segment) readRecord(f io.ReaderAt, at ref) (frame, []byte, error) {
	buf := make([]byte, at.length)
	if _, err := f.ReadAt(buf, int64(at.offset)); err != nil {
		return frame{}, nil, fmt.Errorf("%s: %w", s.path, err)
	}
	head, ok := readFrame(buf, s.seed)
	if !ok || head.size() != int64(len(buf)) || sum(s.seed, buf[frameSize:]) != head.bodySum {
		return frame{}, nil, s.damage(head.number, int64(at.offset), "the record changed since the journal was opened")
	}
	return head, buf[frameSize:][:head.length], nil
}

// indexRecord checks the part of a record that the index reads. It returns the
// record's key and height. For a kindFirst it returns the number of the oldest
// segment instead.
func indexRecord(f frame, body []byte) (key keyBytes, height uint64, oldest uint32, err error) {
	switch {
	case f.version != recordVersion:
		return key, 0, 0, errVersion(f.kind, f.version)
	case f.kind == 0 || f.kind >= kindsEnd:
		return key, 0, 0, fmt.Errorf("record type %d is unknown: use a newer version of the program", f.kind)
	}
	if f.kind == kindFirst {
		var r first
		err = block.Decode(body, &r)
		return key, 0, r.Number, err
	}
	if len(body) < keySize {
		return key, 0, 0, fmt.Errorf("a body of %d bytes has no key", len(body))
	}
	copy(key[:], body)
	if _, err := key.key(); err != nil {
		return key, 0, 0, err
	}
	if f.kind == kindVoided || f.kind == kindSettled {
		r, err := decode(f.kind, f.version, body[keySize:])
		if err != nil {
			return key, 0, 0, err
		}
		height = heightOf(r)
	}
	return key, height, 0, nil
}
