package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/disk"
)

// ErrLocked is wrapped by the error of Open when the journal is open elsewhere, in this
// process or in another.
var ErrLocked = errors.New("in use")

// segmentName is the name of a segment's file.
func segmentName(number uint32) string { return fmt.Sprintf("%08d", number) }

// Open opens the journal in dir, which it makes if there is none, and locks it until
// Close: while it is open elsewhere, the error wraps [ErrLocked]. Open reads every record once, and keeps in memory where an entry's
// records are, about 250 bytes for each entry.
func Open(dir string, net protocol.Net, o Options) (*Journal, error) {
	o.Segment = cmp.Or(o.Segment, defaultSegment)
	if o.Segment < headerSize || o.Segment > maxSegment {
		return nil, fmt.Errorf("open journal: segments of %d bytes, want %d to %d", o.Segment, headerSize, maxSegment)
	}
	j := &Journal{dir: dir, net: net, disk: disk.Or(o.Disk), limit: o.Segment, changed: make(chan struct{})}
	j.index.items = map[keyBytes]*item{}
	if err := j.open(); err != nil {
		if j.file != nil {
			err = errors.Join(err, j.file.Close())
		}
		if j.unlock != nil {
			err = errors.Join(err, j.unlock())
		}
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}

func (j *Journal) open() error {
	if info, err := os.Stat(j.dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, as development versions before 0.1.0 wrote it. No released version did, and this one does not read it. "+
			"Move the file away: units in it that are not claimed on the ledger are claimed only by the version that wrote it", j.dir)
	}
	if err := disk.MakeDir(j.disk, j.dir); err != nil {
		return err
	}
	var err error
	if j.unlock, err = lockDir(j.dir); err != nil {
		return err
	}
	numbers, err := j.files()
	if err != nil {
		return err
	}
	oldest := uint32(1)
	for i, n := range numbers {
		if err := j.load(n, i == len(numbers)-1, &oldest); err != nil {
			return err
		}
	}
	if len(j.segments) == 0 {
		return j.begin()
	}
	return j.compare(oldest)
}

// load reads a segment into the index. newest says that no segment follows.
func (j *Journal) load(number uint32, newest bool, oldest *uint32) error {
	var before *segment
	if len(j.segments) > 0 && j.current().number+1 == number {
		before = j.current()
	}
	s, err := openSegment(filepath.Join(j.dir, segmentName(number)), number, j.net, before)
	if err != nil {
		return err
	}
	torn, err := s.all(newest, func(f frame, body []byte, at ref) error {
		key, height, first, err := indexRecord(f, body)
		if err != nil {
			return err
		}
		if f.kind == kindFirst {
			*oldest = first
		} else {
			j.index.add(key, at, height)
		}
		return nil
	})
	if err == nil && torn > 0 {
		j.torn = torn
		if err = s.file.Truncate(s.size); err == nil {
			err = j.disk.Sync(s.file)
		}
	}
	if err != nil {
		return errors.Join(err, s.file.Close())
	}
	j.segments = append(j.segments, s.segment)
	if newest {
		j.file = s.file
		return nil
	}
	return s.file.Close()
}

// files lists the numbers of the segment files, and deletes what an interrupted
// write of a header left.
func (j *Journal) files() ([]uint32, error) {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			if err := os.Remove(filepath.Join(j.dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		n, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil || n == 0 || segmentName(uint32(n)) != e.Name() {
			return nil, fmt.Errorf("%s does not belong to a journal: move the file away", filepath.Join(j.dir, e.Name()))
		}
		numbers = append(numbers, uint32(n))
	}
	slices.Sort(numbers)
	return numbers, nil
}

// compare checks the segment files against the number of the oldest: it misses a segment
// that was not deleted, and deletes the remains of a Trim.
func (j *Journal) compare(oldest uint32) error {
	next, remains := oldest, 0
	for _, s := range j.segments {
		switch {
		case s.number < oldest:
			remains++
			continue
		case s.number != next:
			return &Damage{File: filepath.Join(j.dir, segmentName(next)), Missing: true}
		}
		next++
	}
	if remains == len(j.segments) {
		return &Damage{File: filepath.Join(j.dir, segmentName(oldest)), Missing: true}
	}
	if remains == 0 {
		return nil
	}
	return j.remove(remains)
}
