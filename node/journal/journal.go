// Package journal is an append-only log of who did which unit of work, and of who
// owes what for it.
//
// A publisher writes which tickets it issued, which results it accepted and which
// of them it voided. A miner writes its tickets, its results and the acceptances
// that it holds. Both write what the ledger has settled. Records are typed and
// versioned, and belong to an entry: a unit and one of its slots.
//
//	j, err := journal.Open(dir, net, journal.Options{})
//	err = j.Append(journal.Line{key, journal.Accepted{Attestation: a, Accept: b}}) // durable when it returns
//	owed, err := j.List(journal.Pending, 256, nil)                                 // for the ledger
//	err = j.Append(journal.Line{key, journal.Settled{Height: h}})
//	err = j.Trim(h - window)                                                       // old segments go
//
// The log is a directory of segment files. After a crash or a power cut, every
// batch of records whose Append returned is there, and the batch that was being
// written is there whole or not at all. Whatever else is wrong with a file is an
// error, [Damage]: a changed bit, missing bytes, a missing file.
//
// Signatures are not verified when a journal is opened. The journal is a file of
// this node. The code that appends a record has verified it before, and checksums
// show that the bytes did not change. They do not protect against an attacker who
// can write the node's files: such an attacker could also take the node's key.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	dir     string
	net     protocol.Net
	disk    disk.Syncer
	limit   int64 // bytes after which a segment is full
	torn    int64
	unlock  func() error
	writing sync.Mutex // held by Append and Trim; guards broken
	broken  error      // why nothing more can be written

	mu       sync.Mutex // guards what follows
	index    index
	segments []*segment // by number; the last is written to
	file     *os.File   // of the last segment
	old      *os.File   // of the segment that was read last, where it is another
	oldOf    uint32
	changed  chan struct{} // closed and replaced at every change
}

// Options of a journal. The zero value is good.
type Options struct {
	// Segment is the length in bytes after which a new segment is begun; 0 is 4 MiB.
	Segment int64
	// Disk syncs files; nil is the operating system.
	Disk disk.Syncer
}

// Limits of a journal.
const (
	defaultSegment = 4 << 20
	maxSegment     = 1 << 30
	maxBatch       = 64 << 20 // bytes
	maxLines       = 1 << 16  // of a batch
)

// Line is a record and the entry that it is about.
type Line struct {
	Key
	Record Record
}

// ErrAccepted is wrapped by Append when another result of the entry was accepted
// and not voided. Another result may have another slot.
var ErrAccepted = errors.New("another result is accepted")

// Append writes lines as one batch, with one sync, and returns when they are
// durable: a crash leaves all of them or none. Lines that add nothing are left out:
// an acceptance that is there already, a ticket or a result of an entry that is
// settled, the end of an entry that is not known. On an error nothing was written.
func (j *Journal) Append(lines ...Line) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	batch, err := j.prepare(lines)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if len(batch) == 0 {
		return nil
	}
	if err := j.write(batch); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// draft is a record that is to be written.
type draft struct {
	kind   kind
	key    keyBytes
	height uint64
	body   []byte // with the key
}

// prepare encodes lines and leaves out those that add nothing.
func (j *Journal) prepare(lines []Line) ([]draft, error) {
	if len(lines) > maxLines {
		return nil, fmt.Errorf("%d records in a batch, the limit is %d", len(lines), maxLines)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var batch []draft
	type ahead struct { // what an entry will be after the lines before
		state  State
		known  bool
		drafts []draft
	}
	entries := map[keyBytes]*ahead{}
	total := 0
	for i, l := range lines {
		d, err := encode(l)
		if err != nil {
			return nil, fmt.Errorf("record %d of the batch, of %s: %w", i+1, l.Key, err)
		}
		e := entries[d.key]
		if e == nil {
			e = &ahead{}
			if it := j.index.items[d.key]; it != nil {
				e.state, e.known = it.state, true
			}
			entries[d.key] = e
		}
		adds, err := fits(e.state, e.known, d.kind, d.body, func(k kind) ([]byte, error) {
			for _, d := range slices.Backward(e.drafts) {
				if d.kind == k {
					return d.body, nil
				}
				if d.kind == kindVoided {
					return nil, nil
				}
			}
			return j.last(d.key, k)
		})
		if err != nil {
			return nil, fmt.Errorf("record %d of the batch, of %s: %w", i+1, l.Key, err)
		}
		if !adds {
			continue
		}
		e.state, _ = after(e.state, e.known, d.kind)
		e.known, e.drafts = true, append(e.drafts, d)
		batch = append(batch, d)
		if total += frameSize + len(d.body) + alignment; total > maxBatch {
			return nil, fmt.Errorf("a batch of more than %d bytes", maxBatch)
		}
	}
	return batch, nil
}

func encode(l Line) (draft, error) {
	if l.Record == nil {
		return draft{}, errors.New("no record")
	}
	key, err := l.Key.bytes()
	if err != nil {
		return draft{}, err
	}
	if err := l.Record.check(l.Key); err != nil {
		return draft{}, err
	}
	data, err := block.Encode(l.Record)
	if err != nil {
		return draft{}, err
	}
	d := draft{kind: l.Record.kind(), key: key, height: heightOf(l.Record), body: slices.Concat(key[:], data)}
	if len(d.body) > maxBody {
		return draft{}, fmt.Errorf("%d bytes, the limit is %d", len(d.body), maxBody)
	}
	return d, nil
}

// last returns the body of an entry's last record of a kind after it was last
// voided, or nil. The caller holds mu.
func (j *Journal) last(key keyBytes, k kind) ([]byte, error) {
	it := j.index.items[key]
	if it == nil {
		return nil, nil
	}
	for _, r := range slices.Backward(it.refs) {
		if r.kind == kindVoided {
			return nil, nil
		}
		if r.kind == k {
			_, body, err := j.read(r)
			return body, err
		}
	}
	return nil, nil
}

// write writes a batch at the end of the last segment, and takes it into the
// index. After a failure the file is cut to its length of before. The caller holds
// writing.
func (j *Journal) write(batch []draft) error {
	if j.broken != nil {
		return j.broken
	}
	if j.current().size >= j.limit {
		if err := j.begin(); err != nil {
			return err
		}
	}
	s := *j.current()
	var buf []byte
	refs := make([]ref, len(batch))
	for i, d := range batch {
		start := len(buf)
		f := frame{number: s.count + 1, index: uint16(i), left: uint16(len(batch) - 1 - i), kind: d.kind, version: recordVersion}
		buf = appendRecord(buf, s.seed, f, d.body)
		refs[i] = ref{segment: s.number, offset: uint32(s.size + int64(start)), length: uint32(len(buf) - start), kind: d.kind}
		s.count++
	}
	_, err := j.file.WriteAt(buf, s.size)
	if err == nil {
		err = j.disk.Sync(j.file)
	}
	if err != nil {
		// What is left of the batch must not stand before the next one.
		undo := j.file.Truncate(s.size)
		if undo == nil {
			undo = j.disk.Sync(j.file)
		}
		if undo != nil {
			j.broken = fmt.Errorf("%s: an earlier write failed and was not undone: %w: start the program again", s.path, undo)
		}
		return errors.Join(err, undo)
	}
	s.size += int64(len(buf))
	s.sum = sum(s.sum, buf)
	j.mu.Lock()
	defer j.mu.Unlock()
	*j.current() = s
	for i, d := range batch {
		if d.kind != kindFirst {
			j.index.add(d.key, refs[i], d.height)
		}
	}
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// current is the segment that is written to.
func (j *Journal) current() *segment { return j.segments[len(j.segments)-1] }

// begin begins a new segment. The caller holds writing, or is Open.
func (j *Journal) begin() error {
	s := &segment{number: 1}
	var before uint32
	if len(j.segments) > 0 {
		s.number, before = j.current().number+1, j.current().sum
	}
	s.path = filepath.Join(j.dir, segmentName(s.number))
	h := newHeader(j.net, s.number, before)
	if err := disk.WriteFile(j.disk, s.path, h); err != nil {
		// The name may be durable or not. Records written to the segment before
		// would not agree with a new segment that turns up later.
		j.broken = fmt.Errorf("a segment could not be begun: %w: start the program again", err)
		return err
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		j.broken = fmt.Errorf("a segment could not be begun: %w: start the program again", err)
		return err
	}
	s.seed, s.extent = sum(0, h[:64]), extent{size: headerSize, sum: sum(0, h)}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		err = j.file.Close() // all of it is synced
	}
	j.file = f
	j.segments = append(j.segments, s)
	return err
}

// read reads a record. The caller holds mu.
func (j *Journal) read(at ref) (frame, []byte, error) {
	if j.current().number == at.segment {
		return j.current().readRecord(j.file, at)
	}
	i, ok := slices.BinarySearchFunc(j.segments, at.segment, func(s *segment, n uint32) int { return int(int64(s.number) - int64(n)) })
	if !ok {
		return frame{}, nil, fmt.Errorf("segment %d is gone", at.segment)
	}
	if j.old == nil || j.oldOf != at.segment {
		j.closeOld()
		f, err := os.Open(j.segments[i].path)
		if err != nil {
			return frame{}, nil, err
		}
		j.old, j.oldOf = f, at.segment
	}
	return j.segments[i].readRecord(j.old, at)
}

func (j *Journal) closeOld() {
	if j.old != nil {
		j.old.Close() // it was only read
		j.old = nil
	}
}

// entry reads an entry. The caller holds mu.
func (j *Journal) entry(it *item) (Entry, error) {
	key, err := it.key.key()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Key: key, State: it.state, Height: it.height}
	for _, at := range it.refs {
		f, body, err := j.read(at)
		if err != nil {
			return Entry{}, err
		}
		r, err := decode(f.kind, f.version, body[keySize:])
		if err != nil {
			return Entry{}, fmt.Errorf("%s: record %d: %w", segmentName(at.segment), f.number, err)
		}
		e.add(r)
	}
	return e, nil
}

// Get reads an entry; ok is false when the journal has none.
func (j *Journal) Get(k Key) (e Entry, ok bool, err error) {
	key, err := k.bytes()
	if err != nil {
		return Entry{}, false, fmt.Errorf("journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	it := j.index.items[key]
	if it == nil {
		return Entry{}, false, nil
	}
	if e, err = j.entry(it); err != nil {
		return Entry{}, false, fmt.Errorf("journal: %w", err)
	}
	return e, true, nil
}

// Slots reads the entries of a unit, by slot. Slots are used from 0 on, without
// gaps.
func (j *Journal) Slots(unit block.Link) ([]Entry, error) {
	var entries []Entry
	for {
		e, ok, err := j.Get(Key{Unit: unit, Slot: uint32(len(entries))})
		if err != nil || !ok {
			return entries, err
		}
		entries = append(entries, e)
	}
}

// Accepted returns the acceptance of a unit, and whether the ledger has settled it:
// the settled one, or that of the lowest slot. It is nil when the unit has none.
func (j *Journal) Accepted(unit block.Link) (accepted *Accepted, settled bool, err error) {
	entries, err := j.Slots(unit)
	for _, e := range entries {
		if e.State == Paid && e.Accepted != nil {
			return e.Accepted, true, err
		}
		if accepted == nil {
			accepted = e.Accepted
		}
	}
	return accepted, false, err
}

// Each calls f with every entry of a state, those that came to it first before the
// others. Entries that come or change meanwhile may be left out.
func (j *Journal) Each(s State, f func(Entry) error) error {
	j.mu.Lock()
	var keys []keyBytes
	for it := j.index.lists[s].first; it != nil; it = it.next {
		keys = append(keys, it.key)
	}
	j.mu.Unlock()
	for _, k := range keys {
		key, err := k.key()
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		e, ok, err := j.Get(key)
		if err == nil && ok && e.State == s {
			err = f(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// List reads at most n entries of a state, those that came to it first before
// the others, and leaves out those that skip names; nil skips none. The time that
// List takes depends on the entries of that state and on no others.
func (j *Journal) List(s State, n int, skip func(Key) bool) ([]Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Entry
	for it := j.index.lists[s].first; it != nil && len(out) < n; it = it.next {
		if skip != nil {
			key, err := it.key.key()
			if err != nil {
				return nil, fmt.Errorf("journal: %w", err)
			}
			if skip(key) {
				continue
			}
		}
		e, err := j.entry(it)
		if err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Count returns the number of entries of a state.
func (j *Journal) Count(s State) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.index.lists[s].n
}

// Torn returns how many bytes Open cut off: a batch whose write a crash
// interrupted.
func (j *Journal) Torn() int64 { return j.torn }

// Changed is closed at the next change of the journal.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Close closes the journal's files.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.broken, fs.ErrClosed) {
		return nil
	}
	j.broken = fmt.Errorf("the journal: %w", fs.ErrClosed)
	j.closeOld()
	return errors.Join(j.file.Close(), j.unlock())
}
