package memory

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/alia-network/alia/protocol/disk"
)

// The file is lines of text, one for each entry, the oldest first:
//
//	CRC KEY {"from":"en","to":"de",...}
//
// CRC is the CRC-32C of the line behind it, 8 digits; KEY the key, 32 digits. JSON has no
// line break inside, so the line after a damaged one is whole again. New lines are appended;
// a line that a crash has cut is removed first. Only the removal of the oldest writes the
// file anew, beside it, and gives it the name of the old one.

const (
	crcDigits = 8
	keyDigits = 32
	jsonAt    = crcDigits + 1 + keyDigits + 1
	// maxLine is the bytes of the longest line: JSON needs at most six for a byte.
	maxLine = jsonAt + 6*(2*MaxText) + 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends the line of an entry.
func appendLine(b []byte, e Known) ([]byte, error) {
	var body bytes.Buffer
	k := e.key(e.Source)
	body.WriteString(hex.EncodeToString(k[:]))
	body.WriteByte(' ')
	j := json.NewEncoder(&body)
	j.SetEscapeHTML(false)
	if err := j.Encode(e); err != nil { // it ends the line
		return b, err
	}
	data := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(data, castagnoli))
	return append(append(b, data...), '\n'), nil
}

// readKey checks a line, without its end, and returns its key.
func readKey(l []byte) (k key, ok bool) {
	if len(l) <= jsonAt || l[crcDigits] != ' ' || l[jsonAt-1] != ' ' {
		return k, false
	}
	if want := fmt.Appendf(nil, "%08x", crc32.Checksum(l[crcDigits+1:], castagnoli)); !bytes.Equal(l[:crcDigits], want) {
		return k, false
	}
	_, err := hex.Decode(k[:], l[crcDigits+1:jsonAt-1])
	return k, err == nil
}

// read reads the entry of a line.
func (m *TM) read(at line) (e Known, err error) {
	if m.file == nil {
		return e, fs.ErrClosed
	}
	data := make([]byte, at.length)
	if _, err := m.file.ReadAt(data, at.at); err != nil {
		return e, err
	}
	if _, ok := readKey(data); !ok {
		return e, fmt.Errorf("%s: the line at byte %d is damaged", m.path(), at.at)
	}
	return e, json.Unmarshal(data[jsonAt:], &e)
}

// follow reads what other processes have added, or the file anew where another stands in
// its place.
func (m *TM) follow() error {
	now, err := os.Stat(m.path())
	if errors.Is(err, fs.ErrNotExist) {
		return m.closeFile()
	} else if err != nil {
		return err
	}
	if m.file != nil {
		ours, err := m.file.Stat()
		if err != nil {
			return err
		}
		if !os.SameFile(ours, now) || now.Size() < m.size {
			if err := m.closeFile(); err != nil {
				return err
			}
		}
	}
	if m.file == nil {
		if m.file, err = os.OpenFile(m.path(), os.O_RDWR|os.O_APPEND, 0); err != nil {
			return err
		}
		m.size, m.index, m.damaged = 0, map[key]line{}, 0
	}
	return m.scan()
}

// scan reads the lines of the file from m.size on. What is behind the last line end is being
// written, or was when its process ended.
func (m *TM) scan() error {
	in := bufio.NewReaderSize(io.NewSectionReader(m.file, m.size, 1<<62), 1<<16)
	var l []byte // a line, as far as it is read
	for length := int64(0); ; {
		part, err := in.ReadSlice('\n')
		length += int64(len(part))
		if len(l) <= maxLine { // a longer line is damaged, however long it is
			l = append(l, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if k, ok := readKey(l[:len(l)-1]); ok && length <= maxLine {
			m.index[k] = line{m.size, int32(length - 1)}
		} else {
			m.damaged++
		}
		m.size += length
		l, length = l[:0], 0
	}
}

// add appends the lines of entries. The lock is held, and the file was followed.
func (m *TM) add(entries []Known) error {
	var data []byte
	type place struct {
		k key
		line
	}
	var places []place
	for _, e := range entries {
		k := e.key(e.Source)
		if at, ok := m.index[k]; ok {
			if old, err := m.read(at); err == nil && old == e {
				continue
			}
		}
		if len(e.Source) > MaxText || len(e.Target) > MaxText {
			continue
		}
		start := len(data)
		var err error
		if data, err = appendLine(data, e); err != nil {
			return err
		}
		places = append(places, place{k, line{m.size + int64(start), int32(len(data) - start - 1)}})
	}
	if len(places) == 0 {
		return nil
	}
	if m.file == nil {
		f, err := os.OpenFile(m.path(), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		m.file, m.size, m.index = f, 0, map[key]line{}
		if err := disk.SyncPath(disk.OS, m.dir); err != nil {
			return err
		}
	}
	// Nobody else writes now, so a line without an end is what a crash has left.
	if err := m.file.Truncate(m.size); err != nil {
		return err
	}
	if _, err := m.file.Write(data); err != nil {
		return errors.Join(err, m.file.Truncate(m.size)) // a full disk: no half line stays
	}
	for _, p := range places {
		m.index[p.k] = p.line
	}
	m.size += int64(len(data))
	return nil
}

// oldestFirst lists the lines of the index as they stand in the file.
func (m *TM) oldestFirst() []line {
	lines := make([]line, 0, len(m.index))
	for _, at := range m.index {
		lines = append(lines, at)
	}
	slices.SortFunc(lines, func(a, b line) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	return lines
}

// shrink writes the file anew with its newest entries, to three quarters of the limit, so
// that it is not written anew at each Put.
func (m *TM) shrink() error {
	lines := m.oldestFirst()
	keep, first := int64(0), len(lines)
	for first > 0 && keep+int64(lines[first-1].length)+1 <= m.limit/4*3 {
		first--
		keep += int64(lines[first].length) + 1
	}
	f, err := os.CreateTemp(m.dir, ".translations-*")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	for _, at := range lines[first:] {
		if _, err = io.Copy(out, io.NewSectionReader(m.file, at.at, int64(at.length)+1)); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = disk.OS.Sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = m.closeFile() // some systems rename no file over an open one
	}
	if err == nil {
		err = os.Rename(f.Name(), m.path())
	}
	if err != nil {
		os.Remove(f.Name()) // the error above says more than one about the remains
		return errors.Join(err, m.follow())
	}
	return errors.Join(disk.SyncPath(disk.OS, m.dir), m.follow())
}
