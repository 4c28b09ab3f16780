// Package corrections keeps what people correct in translations, until it is paid and
// trained on.
//
// A [Pool] is a directory of a home: the home's owner is the collector. Authors propose
// corrections. Persons or the quality rules ([Judge]) approve or reject each. An approved
// one goes into the translation memory, is paid from the budget that the collector has
// published ([Pool.Pay]), and becomes a pair of a corpus ([Pool.Export]).
//
//	p, err := corrections.Open(corrections.Config{Dir: dir, Net: net, Collector: account, Key: key, Memory: m})
//	defer p.Close()
//	e, err := p.Write(ctx, corrections.Draft{From: "en", To: "de", Source: s, Human: h, Licence: "CC0-1.0"})
//	e, err = p.Vote(e.ID, corrections.Choice{Approve: true})
//	paid, err := p.Pay(ctx, bank)
//
// All that happens is a line of one file, which only grows. What a correction is worth and
// whether it was paid follows from the lines alone. Several processes may use a pool.
package corrections

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Errors that callers act on.
var (
	ErrKnown      = errors.New("it is known already")
	ErrUnknown    = errors.New("this home has no such correction")
	ErrDecided    = errors.New("it is decided already")
	ErrOwn        = errors.New("nobody reviews a correction of their own")
	ErrVoted      = errors.New("the same person has voted already")
	ErrNoReviewer = errors.New("the vote does not count")
	ErrNoise      = errors.New("too many more corrections were rejected than approved: ask the collector to approve some that wait")
	ErrMany       = errors.New("too many corrections wait for a review: propose more when some are decided")
	ErrUnproven   = errors.New("this home has not made that translation")
	ErrDamaged    = errors.New("the file of corrections is damaged")
)

// maxFile bounds the file of a pool, in bytes: all of it is in memory.
const maxFile = 512 << 20

// Config is what a pool is opened with.
type Config struct {
	Dir       string // of the home, see home.Dir.Corrections
	Net       protocol.Net
	Collector protocol.Account
	// Key is the collector's. Without it records can be read and imported, and none signed.
	Key ed25519.PrivateKey
	// Memory has what models gave for texts, and gets approved corrections. nil: nothing is
	// looked up, so no correction of a model's translation is taken.
	Memory *memory.TM
	Now    func() time.Time // nil: the clock
	Disk   disk.Syncer      // nil: the system's
}

// Pool is the corrections of a home. It is safe for concurrent use.
type Pool struct {
	Config
	lock *lockedfile.Mutex // held while the file is changed, by one process of all

	mu   sync.Mutex // guards what follows
	file *os.File   // nil until there is one
	size int64      // of the whole lines that were read
	book *book
}

// Open opens the pool in a directory, and makes the directory unless it is there. A file
// with a damaged line is an error that wraps [ErrDamaged]: money depends on each.
func Open(c Config) (*Pool, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Disk = disk.Or(c.Disk)
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("corrections: %w", err)
	}
	p := &Pool{Config: c, lock: lockedfile.MutexAt(filepath.Join(c.Dir, "lock")), book: newBook(c.Net, c.Collector)}
	if err := p.locked(nil); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close closes the pool's file.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forget()
}

// forget drops what was read; the file is read again from its beginning.
func (p *Pool) forget() error {
	p.size, p.book = 0, newBook(p.Net, p.Collector)
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}

func (p *Pool) path() string { return filepath.Join(p.Dir, "corrections.1") }

// locked reads what other processes have added, and runs f, which no other process meets.
func (p *Pool) locked(f func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	unlock, err := p.lock.Lock()
	if err == nil {
		defer unlock()
		if err = p.follow(); err == nil && f != nil {
			err = f()
		}
	}
	if err != nil {
		return fmt.Errorf("corrections: %w", err)
	}
	return nil
}

// follow reads the lines that are new.
func (p *Pool) follow() error {
	if p.file == nil {
		f, err := os.OpenFile(p.path(), os.O_RDWR|os.O_APPEND, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		p.file = f
	}
	in := bufio.NewReaderSize(io.NewSectionReader(p.file, p.size, 1<<62), maxLine+2)
	for {
		l, err := in.ReadSlice('\n')
		if err == io.EOF && !endless(l) {
			return nil // what has no end is what a crash has left: it was promised to nobody
		}
		var e entry
		if err == nil {
			e, err = parseLine(bytes.TrimSuffix(l, []byte("\n")))
		}
		if err == nil {
			err = p.book.apply(e, false)
		}
		if err != nil {
			where := p.size
			return errors.Join(fmt.Errorf("%w: %s, at byte %d: %w: put a backup in its place", ErrDamaged, p.path(), where, err), p.forget())
		}
		p.size += int64(len(l))
	}
}

// endless reports whether the rest of a file is a whole line whose end was changed. No crash
// leaves that. To drop the line would forget a payment, and make it once more.
func endless(rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	_, err := parseLine(rest[:len(rest)-1])
	return err == nil
}

// add takes entries into the book, and then writes them. The lock is held. After an error
// neither has any.
func (p *Pool) add(entries ...entry) (err error) {
	var data []byte
	for _, e := range entries {
		data = appendLine(data, e)
	}
	if p.size+int64(len(data)) > maxFile {
		return fmt.Errorf("%s has %d MiB, and takes no more: export the corrections, and begin another home", p.path(), maxFile>>20)
	}
	applied := 0
	defer func() {
		if err != nil && applied > 0 { // the book has what the file has not
			err = errors.Join(err, p.forget(), p.follow())
		}
	}()
	for _, e := range entries {
		if err := p.book.apply(e, true); err != nil {
			return err
		}
		applied++
	}
	if p.file == nil {
		if p.file, err = os.OpenFile(p.path(), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
			return err
		}
		if err := disk.SyncPath(p.Disk, p.Dir); err != nil {
			return err
		}
	}
	// Nobody else writes now, so a line without an end is what a crash has left.
	if err := p.file.Truncate(p.size); err != nil {
		return err
	}
	if _, err := p.file.Write(data); err != nil {
		return errors.Join(err, p.file.Truncate(p.size)) // a full disk: no half line stays
	}
	if err := p.Disk.Sync(p.file); err != nil {
		return errors.Join(err, p.file.Truncate(p.size))
	}
	p.size += int64(len(data))
	return nil
}

// sign signs a record with the collector's key.
func (p *Pool) sign(k kind, r protocol.Signed) (entry, error) {
	if p.Key == nil {
		return entry{}, errors.New("the home's key is not open")
	}
	data, err := protocol.Sign(p.Key, p.Net, r)
	return entry{k, data}, err
}

func (p *Pool) now() uint64 { return uint64(p.Now().UnixMilli()) }

// List returns the corrections of a state, or all, the oldest first.
func (p *Pool) List(s State) (all []Item, err error) {
	err = p.locked(func() error {
		for _, e := range p.book.order {
			if s == "" || e.State == s {
				all = append(all, *e)
			}
		}
		return nil
	})
	return all, err
}

// Get returns one correction.
func (p *Pool) Get(id block.Link) (found Item, err error) {
	err = p.locked(func() error {
		e := p.book.entries[id]
		if e == nil {
			return fmt.Errorf("%s: %w", id, ErrUnknown)
		}
		found = *e
		return nil
	})
	return found, err
}

// learn puts an approved correction into the translation memory, as a person's.
func (p *Pool) learn(entries ...Item) error {
	if p.Memory == nil {
		return nil
	}
	var known []memory.Known
	for _, e := range entries {
		if e.State == Approved {
			known = append(known, memory.Known{Settings: memory.Settings{From: e.Record.Src, To: e.Record.Dst}, Source: e.Record.Source, Target: e.Record.Human})
		}
	}
	if len(known) == 0 {
		return nil
	}
	return errors.Join(p.Memory.Put(known...), p.Memory.Sync())
}

// Learn puts all approved corrections into the translation memory: again those that a crash
// kept from it, and those that others imported.
func (p *Pool) Learn(context.Context) (int, error) {
	all, err := p.List(Approved)
	if err == nil {
		err = p.learn(all...)
	}
	return len(all), err
}
