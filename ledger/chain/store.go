package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// store is the state of the last committed height on disk. It is one bbolt file
// with two buckets: the state's records under the SHA-256 of their keys, and the
// network, height and root that they belong to. One transaction of the file writes a height,
// so that the file never has half of one.
type store struct {
	path    string // of the file, which may have had another name when it was opened
	db      *bbolt.DB
	damaged atomic.Bool // see do
}

var _ ledger.Records = (*store)(nil)

var (
	recordBucket = []byte("records")
	metaBucket   = []byte("meta")
	netKey       = []byte("net")
	heightKey    = []byte("height")
	rootKey      = []byte("root")
)

func openStore(path string, net protocol.Net) (*store, error) {
	// A height writes thousands of pages all over the file. bbolt's other kind of list of
	// free pages moves the whole list for each of them.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by a live process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(recordBucket); err != nil {
			return err
		}
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		if old := meta.Get(netKey); old != nil && !bytes.Equal(old, net[:]) {
			return fmt.Errorf("it holds network %x, but the genesis document is that of network %x", old[:8], net[:8])
		}
		return meta.Put(netKey, net[:])
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &store{path: path, db: db}, nil
}

// do runs a transaction: with s.db.View a read, with s.db.Update a write. bbolt maps
// the file into memory, so that a disk that cannot be read is a fault and a damaged
// page is a panic: do returns both as errors. bbolt may hold its locks for ever
// after that, so the store is not used again.
func (s *store) do(transaction func(func(*bbolt.Tx) error) error, body func(*bbolt.Tx) error) (err error) {
	if s.damaged.Load() {
		return errors.New("the file or its disk is damaged, as an earlier error has said")
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			s.damaged.Store(true)
			err = fmt.Errorf("the file or its disk is damaged; check the disk, then put back a copy of the file or join the network anew: %v", r)
		}
	}()
	return transaction(body)
}

// Get returns the record whose key has a SHA-256.
func (s *store) Get(sum [sha256.Size]byte) (ledger.KeyValue, error) {
	var pair ledger.KeyValue
	err := s.do(s.db.View, func(tx *bbolt.Tx) error {
		data := tx.Bucket(recordBucket).Get(sum[:])
		if data == nil {
			return errors.New("it is not there")
		}
		var err error
		pair, _, err = cutRecord(bytes.Clone(data))
		return err
	})
	if err != nil {
		return ledger.KeyValue{}, fmt.Errorf("read the record under the hash %x in %s: %w", sum, s.path, err)
	}
	return pair, nil
}

// load returns the state on disk, or nil before the first height.
func (s *store) load(net protocol.Net) (*ledger.State, error) {
	var state *ledger.State
	err := s.do(s.db.View, func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		height := meta.Get(heightKey)
		if height == nil {
			return nil
		}
		if len(height) != 8 {
			return fmt.Errorf("the height has %d bytes, want 8", len(height))
		}
		var err error
		state, err = ledger.Load(net, binary.BigEndian.Uint64(height), s, records(tx))
		if err == nil && !bytes.Equal(state.AppHash(), meta.Get(rootKey)) {
			err = fmt.Errorf("height %d has root %x, not %x", state.Height(), state.AppHash(), meta.Get(rootKey))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", s.path, err)
	}
	return state, nil
}

// records returns all records of the file, sorted by the SHA-256 of their keys. Their
// bytes last as long as the transaction.
func records(tx *bbolt.Tx) iter.Seq2[ledger.KeyValue, error] {
	return func(yield func(ledger.KeyValue, error) bool) {
		c := tx.Bucket(recordBucket).Cursor()
		for sum, data := c.First(); sum != nil; sum, data = c.Next() {
			pair, _, err := cutRecord(data)
			if !yield(pair, err) {
				return
			}
		}
	}
}

// save writes the changes that led to a state.
func (s *store) save(state *ledger.State, changes []ledger.Change) error {
	err := s.do(s.db.Update, func(tx *bbolt.Tx) error { return put(tx, state, changes) })
	if err != nil {
		return fmt.Errorf("save height %d in %s: %w", state.Height(), s.path, err)
	}
	return nil
}

// reset writes a state of height 0 in place of whatever the file has. CometBFT asks
// for height 0 again when the first height was never finished.
func (s *store) reset(state *ledger.State) error {
	var all []ledger.Change
	for pair := range state.All() {
		all = append(all, ledger.Change(pair))
	}
	err := s.do(s.db.Update, func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(recordBucket); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(recordBucket); err != nil {
			return err
		}
		return put(tx, state, all)
	})
	if err != nil {
		return fmt.Errorf("save the genesis in %s: %w", s.path, err)
	}
	return nil
}

func put(tx *bbolt.Tx, state *ledger.State, changes []ledger.Change) error {
	bucket := tx.Bucket(recordBucket)
	for _, c := range changes {
		sum := sha256.Sum256(c.Key)
		var err error
		if c.Value == nil {
			err = bucket.Delete(sum[:])
		} else {
			err = bucket.Put(sum[:], appendRecord(nil, ledger.KeyValue(c)))
		}
		if err != nil {
			return err
		}
	}
	return putHead(tx, state.Height(), state.AppHash())
}

// setHead says of which height the file's records are, and which root they have.
func (s *store) setHead(height uint64, root []byte) error {
	return s.do(s.db.Update, func(tx *bbolt.Tx) error { return putHead(tx, height, root) })
}

func putHead(tx *bbolt.Tx, height uint64, root []byte) error {
	meta := tx.Bucket(metaBucket)
	if err := meta.Put(heightKey, binary.BigEndian.AppendUint64(nil, height)); err != nil {
		return err
	}
	return meta.Put(rootKey, root)
}

// close closes the file, unless it is damaged: then the end of the process does.
func (s *store) close() error {
	if s.damaged.Load() {
		return nil
	}
	return s.db.Close()
}

// appendRecord appends a key and its record, each with its length in front as an
// unsigned varint.
func appendRecord(b []byte, pair ledger.KeyValue) []byte {
	b = binary.AppendUvarint(b, uint64(len(pair.Key)))
	b = append(b, pair.Key...)
	b = binary.AppendUvarint(b, uint64(len(pair.Value)))
	return append(b, pair.Value...)
}

// cutRecord splits what appendRecord wrote off data. It refuses lengths that do not
// have their shortest form, and empty records.
func cutRecord(data []byte) (pair ledger.KeyValue, rest []byte, err error) {
	if pair.Key, data, err = cutString(data); err != nil {
		return ledger.KeyValue{}, nil, err
	}
	if pair.Value, data, err = cutString(data); err != nil {
		return ledger.KeyValue{}, nil, err
	}
	if len(pair.Value) == 0 {
		return ledger.KeyValue{}, nil, fmt.Errorf("the record of key %x is empty", pair.Key)
	}
	return pair, data, nil
}

func cutString(data []byte) (head, rest []byte, err error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || size > 1 && data[size-1] == 0 || n > uint64(len(data)-size) {
		return nil, nil, errors.New("a record is cut short or has a length that is not canonical")
	}
	return data[size : size+int(n)], data[size+int(n):], nil
}
