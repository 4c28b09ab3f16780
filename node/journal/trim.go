package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Trim forgets entries that were settled or voided at a ledger height of at most
// past, and deletes the oldest segments that hold nothing else. The newest segment
// stays.
//
// An entry that stays pending for long would keep all later segments, because they
// say that the other entries of its segment are settled. So where more than half of
// the journal is not needed, Trim writes such entries again, into the newest
// segment. A journal is therefore at most twice as long as what it must hold, and
// two segments.
func (j *Journal) Trim(past uint64) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.trim(past); err != nil {
		return fmt.Errorf("trim journal: %w", err)
	}
	return nil
}

func (j *Journal) trim(past uint64) error {
	if j.broken != nil {
		return j.broken
	}
	if j.current().size >= j.limit {
		if err := j.begin(); err != nil { // then the full segment may go too
			return err
		}
	}
	if len(j.segments) == 1 {
		return nil
	}
	j.mu.Lock()
	entries, needed := j.index.needed(past)
	j.mu.Unlock()
	var length int64
	for _, s := range j.segments {
		length += s.size
	}
	gone := 0
	for _, s := range j.segments[:len(j.segments)-1] {
		if here := entries[s.number]; len(here) > 0 {
			if length <= 2*needed+2*j.limit {
				break
			}
			moved, err := j.move(here)
			if err != nil {
				return err
			}
			length += moved
		}
		length -= s.size
		gone++
	}
	if gone == 0 {
		return nil
	}
	return j.drop(gone)
}

// moveBatch is about how many bytes of entries are written again in one batch.
const moveBatch = 4 << 20

// move writes entries again, at the end of the journal.
func (j *Journal) move(entries []*item) (moved int64, err error) {
	for len(entries) > 0 {
		var batch []draft
		size := 0
		for ; len(entries) > 0 && size < moveBatch && len(batch) < maxLines/2; entries = entries[1:] {
			drafts, err := j.copies(entries[0])
			if err != nil {
				return 0, err
			}
			for _, d := range drafts {
				size += frameSize + len(d.body)
			}
			batch = append(batch, drafts...)
		}
		if err := j.write(batch); err != nil {
			return 0, err
		}
		moved += int64(size)
	}
	return moved, nil
}

// copies reads all records of an entry, to be written again behind a kindMoved.
func (j *Journal) copies(it *item) ([]draft, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	batch := []draft{{kind: kindMoved, key: it.key, body: it.key[:]}}
	for _, at := range it.refs {
		f, body, err := j.read(at)
		if err != nil {
			return nil, err
		}
		batch = append(batch, draft{kind: f.kind, key: it.key, height: it.height, body: body})
	}
	return batch, nil
}

// drop deletes the n oldest segments.
func (j *Journal) drop(n int) error {
	// The number of the oldest segment is written before files are deleted: then a
	// file that is missing without having been deleted is damage.
	body, err := block.Encode(first{Number: j.segments[n].number})
	if err != nil {
		return err
	}
	if err := j.write([]draft{{kind: kindFirst, body: body}}); err != nil {
		return err
	}
	return j.remove(n)
}

// remove deletes the files of the n oldest segments and forgets their records.
func (j *Journal) remove(n int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closeOld()
	gone := j.segments[:n]
	j.segments = append([]*segment(nil), j.segments[n:]...)
	j.index.drop(j.segments[0].number)
	var errs []error
	for _, s := range gone {
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, disk.SyncPath(j.disk, j.dir))...)
}
