// Package memory keeps translations, so that no text is translated, or paid for, twice.
//
// A [TM] is a directory of a home. [TM.Get] finds the translation of a text under
// [Settings]: the model and all else on which a translation depends. [TM.Put] keeps
// translations. Several processes may use one directory at a time.
//
//	m, err := memory.Open(dir, memory.DefaultLimit)
//	defer m.Close()
//	s := memory.Settings{From: "en", To: "de", Model: cid, How: "beam 1"}
//	target, ok := m.Get(s, "Good morning.")
//	err = m.Put(memory.Known{Settings: s, Source: "Good morning.", Target: "Guten Morgen."})
//
// [WriteTMX] and [ReadTMX] exchange translations with other programs. A translation that a
// person made has no model: Get prefers it to that of every model.
package memory

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/alia-network/alia/protocol/disk"
)

// Settings are what a translation depends on besides its text.
type Settings struct {
	From string `json:"from"` // languages, such as "en" and "de"
	To   string `json:"to"`
	// Model is a model's CID. A translation that a person made has none.
	Model string `json:"model,omitempty"`
	// How says how the model was used: the search, the arithmetic, the glossary and how
	// texts are divided into sentences. Equal words are equal settings.
	How string `json:"how,omitempty"`
}

// Known is a text and its translation.
type Known struct {
	Settings
	Source string `json:"source"`
	Target string `json:"target"`
	// Job is the CID of the job whose receipt proves the translation; "" where none does.
	Job string `json:"job,omitempty"`
}

const (
	// DefaultLimit is the bytes of about a million sentences.
	DefaultLimit = 256 << 20
	// MaxText is the bytes of the longest text that is kept; a longer one is translated anew.
	MaxText = 1 << 20
)

// TM is a translation memory: it keeps translations in a file of its directory. It is safe for concurrent use.
type TM struct {
	dir   string
	limit int64
	lock  *lockedfile.Mutex // held while the file is changed, by one process of all

	mu   sync.Mutex // guards what follows
	file *os.File   // nil until there is one
	size int64      // of the whole lines that were read
	// index has the newest line of each key. A key is a hash, so what is found is compared
	// with what was looked for.
	index   map[key]line
	damaged int // lines
}

// key is the beginning of a SHA-256 over the settings and the source.
type key [16]byte

// line is where an entry stands in the file.
type line struct {
	at     int64
	length int32
}

// Open opens the memory in a directory, and makes the directory unless it is there. When
// its file has more than limit bytes, the oldest translations go.
func Open(dir string, limit int64) (*TM, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("translation memory: %w", err)
	}
	m := &TM{dir: dir, limit: limit, lock: lockedfile.MutexAt(filepath.Join(dir, "lock"))}
	if err := m.follow(); err != nil {
		return nil, errors.Join(fmt.Errorf("translation memory: %w", err), m.Close())
	}
	return m, nil
}

// Close closes the memory's file.
func (m *TM) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closeFile()
}

func (m *TM) closeFile() error {
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file, m.size, m.index = nil, 0, map[key]line{}
	return err
}

// path is the file's. The number is the format's version: another version has another file.
func (m *TM) path() string { return filepath.Join(m.dir, "translations.1") }

// key is the key of a text's translation.
func (s Settings) key(source string) key {
	h := sha256.New()
	for _, field := range []string{s.From, s.To, s.Model, s.How, source} {
		var n [8]byte // the lengths keep fields apart
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	return key(h.Sum(nil)[:16])
}

// Get returns the translation of a text: that of a person if there is one for the
// languages, and else that of the settings.
func (m *TM) Get(s Settings, source string) (target string, ok bool) {
	e, ok := m.Find(s, source)
	return e.Target, ok
}

// Find is [TM.Get], with where the translation comes from.
func (m *TM) Find(s Settings, source string) (e Known, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range []Settings{{From: s.From, To: s.To}, s} {
		if e, ok := m.exact(s, source); ok {
			return e, true
		}
	}
	return Known{}, false
}

// Exact returns the translation of a text under exactly these settings, whatever a person
// made of the text. It reads what other processes have added.
func (m *TM) Exact(s Settings, source string) (target string, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.locked(m.follow); err != nil {
		return "", false, err
	}
	e, ok := m.exact(s, source)
	return e.Target, ok, nil
}

// exact looks the settings up. m.mu is held.
func (m *TM) exact(s Settings, source string) (e Known, ok bool) {
	at, found := m.index[s.key(source)]
	if !found {
		return Known{}, false
	}
	// An entry that cannot be read any more is an entry that is not there.
	e, err := m.read(at)
	if err != nil || e.Settings != s || e.Source != source {
		return Known{}, false
	}
	return e, true
}

// Put keeps translations. When it returns, they survive the end of the process; after
// [TM.Sync] also a power cut. Texts longer than [MaxText] are left out.
func (m *TM) Put(entries ...Known) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locked(func() error {
		if err := m.follow(); err != nil {
			return err
		}
		if err := m.add(entries); err != nil {
			return err
		}
		if m.size <= m.limit {
			return nil
		}
		return m.shrink()
	})
}

// locked runs f while no other process changes the file.
func (m *TM) locked(f func() error) error {
	unlock, err := m.lock.Lock()
	if err == nil {
		err = f()
		unlock()
	}
	if err != nil {
		return fmt.Errorf("translation memory: %w", err)
	}
	return nil
}

// Sync makes durable what was put.
func (m *TM) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	if err := disk.OS.Sync(m.file); err != nil {
		return fmt.Errorf("translation memory: %w", err)
	}
	return nil
}

// Clear removes all translations.
func (m *TM) Clear() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locked(func() error {
		if err := m.closeFile(); err != nil {
			return err
		}
		m.damaged = 0
		if err := os.Remove(m.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return disk.SyncPath(disk.OS, m.dir)
	})
}

// Stats is what a memory holds.
type Stats struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
	Limit   int64 `json:"limit"`
	Damaged int   `json:"damaged"` // lines of the file that are passed over
}

// Stats counts what the memory holds.
func (m *TM) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Entries: len(m.index), Bytes: m.size, Limit: m.limit, Damaged: m.damaged}
}

// All yields the entries, the oldest first. The sequence ends with the first error.
func (m *TM) All() iter.Seq2[Known, error] {
	return func(yield func(Known, error) bool) {
		m.mu.Lock()
		lines := m.oldestFirst()
		m.mu.Unlock()
		for _, at := range lines {
			m.mu.Lock()
			e, err := m.read(at)
			m.mu.Unlock()
			if err != nil {
				err = fmt.Errorf("translation memory: %w", err)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
