package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Journal is the write-ahead log of accepted units. It has the miner's attestation
// and the publisher's acceptance of each unit, and later that the ledger has
// settled it. After a crash a publisher reads from the journal which units are
// done, and a relay which units are not settled.
//
// On disk a record is its length (4 bytes, big endian), its CRC-32C (4 bytes) and
// its body. A torn record at the end, which only a crash leaves, is cut off.
type Journal struct {
	mu      sync.Mutex // guards the fields below
	file    *os.File
	entries map[block.Link]*Accepted
	order   []block.Link
	pending int
}

// Accepted is an entry of the journal.
type Accepted struct {
	Attestation protocol.Attestation
	Accept      protocol.Accept
	unit.Effort
	// Settled is set when the ledger has the unit.
	Settled bool
}

// line is the encoded form of a journal record.
type line struct {
	_           struct{}   `cbor:",toarray"`
	Settled     block.Link // if set, the line says only that this unit is settled
	Attestation []byte
	Accept      []byte
	unit.Effort
}

const maxLine = 1 << 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenJournal opens the journal at path, and creates it if there is none.
func OpenJournal(path string, net protocol.Net) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{file: f, entries: map[block.Link]*Accepted{}}
	if err := j.load(net); err != nil {
		f.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	return j, nil
}

func (j *Journal) load(net protocol.Net) error {
	data, err := io.ReadAll(j.file)
	if err != nil {
		return err
	}
	good := 0
	for {
		body, n := next(data[good:])
		if n == 0 {
			break
		}
		if err := j.replay(body, net); err != nil {
			return fmt.Errorf("record at byte %d: %w", good, err)
		}
		good += n
	}
	if err := j.file.Truncate(int64(good)); err != nil {
		return err
	}
	_, err = j.file.Seek(int64(good), io.SeekStart)
	return err
}

// next returns the first record's body and whole length, or 0 when data
// holds no whole, undamaged record.
func next(data []byte) (body []byte, n int) {
	if len(data) < 8 {
		return nil, 0
	}
	size := binary.BigEndian.Uint32(data)
	if size > maxLine || int(size) > len(data)-8 {
		return nil, 0
	}
	body = data[8 : 8+size]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(data[4:]) {
		return nil, 0
	}
	return body, 8 + int(size)
}

func (j *Journal) replay(body []byte, net protocol.Net) error {
	var l line
	if err := block.Decode(body, &l); err != nil {
		return err
	}
	if l.Settled.Defined() {
		j.settle(l.Settled)
		return nil
	}
	a := Accepted{Effort: l.Effort}
	if err := protocol.Parse(l.Attestation, net, &a.Attestation); err != nil {
		return err
	}
	if err := protocol.Parse(l.Accept, net, &a.Accept); err != nil {
		return err
	}
	j.insert(a)
	return nil
}

func (j *Journal) insert(a Accepted) {
	unit := a.Attestation.Unit
	if _, ok := j.entries[unit]; ok {
		return
	}
	j.entries[unit] = &a
	j.order = append(j.order, unit)
	j.pending++
}

func (j *Journal) settle(unit block.Link) {
	if e, ok := j.entries[unit]; ok && !e.Settled {
		e.Settled = true
		j.pending--
	}
}

// Add writes an acceptance, and returns when it is on disk.
func (j *Journal) Add(a Accepted) error {
	attestation, err := protocol.Encode(&a.Attestation)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	accept, err := protocol.Encode(&a.Accept)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	l := line{Attestation: attestation, Accept: accept, Effort: a.Effort}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write([]line{l}); err != nil {
		return err
	}
	j.insert(a)
	return nil
}

// Settle notes that the ledger has units.
func (j *Journal) Settle(units []block.Link) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []line
	for _, u := range units {
		if e, ok := j.entries[u]; ok && !e.Settled {
			lines = append(lines, line{Settled: u})
		}
	}
	if err := j.write(lines); err != nil {
		return err
	}
	for _, u := range units {
		j.settle(u)
	}
	return nil
}

// write appends lines and syncs. After a failure the file is cut back to what
// was good, so that a full disk leaves no torn record in the middle.
func (j *Journal) write(lines []line) error {
	var buf bytes.Buffer
	for _, l := range lines {
		body, err := block.Encode(l)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		var head [8]byte
		binary.BigEndian.PutUint32(head[:], uint32(len(body)))
		binary.BigEndian.PutUint32(head[4:], crc32.Checksum(body, castagnoli))
		buf.Write(head[:])
		buf.Write(body)
	}
	at, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	_, err = j.file.Write(buf.Bytes())
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_, serr := j.file.Seek(at, io.SeekStart)
		return fmt.Errorf("journal: %w", errors.Join(err, j.file.Truncate(at), serr))
	}
	return nil
}

// Get returns the acceptance of unit, if there is one.
func (j *Journal) Get(unit block.Link) (Accepted, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[unit]
	if !ok {
		return Accepted{}, false
	}
	return *e, true
}

// Pending returns at most n acceptances the ledger has not settled, oldest first.
func (j *Journal) Pending(n int) []Accepted {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Accepted
	for _, u := range j.order {
		if len(out) == n {
			break
		}
		if e := j.entries[u]; !e.Settled {
			out = append(out, *e)
		}
	}
	return out
}

// Results returns the results of all acceptances, oldest first.
func (j *Journal) Results() []block.Link {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]block.Link, 0, len(j.order))
	for _, u := range j.order {
		out = append(out, j.entries[u].Attestation.Result)
	}
	return out
}

// Counts returns how many units were accepted, and how many of them the
// ledger has not settled.
func (j *Journal) Counts() (accepted, pending int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.order), j.pending
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }
