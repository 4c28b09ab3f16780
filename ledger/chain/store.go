package chain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// store is the state of the last committed height on disk. It is one bbolt file
// with two buckets: the state's pairs, and the network, height and root that they
// belong to. One transaction of the file writes a height, so that the file never
// has half of one.
type store struct{ db *bbolt.DB }

var (
	stateBucket = []byte("state")
	metaBucket  = []byte("meta")
	netKey      = []byte("net")
	heightKey   = []byte("height")
	rootKey     = []byte("root")
)

func openStore(dir string, net protocol.Net) (*store, error) {
	path := filepath.Join(dir, "ledger.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by a live process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(stateBucket); err != nil {
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
	return &store{db}, nil
}

// load returns the state on disk, or nil before the first height.
func (s *store) load(net protocol.Net) (*ledger.State, error) {
	var state *ledger.State
	err := s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		height := meta.Get(heightKey)
		if height == nil {
			return nil
		}
		var pairs []ledger.KeyValue
		err := tx.Bucket(stateBucket).ForEach(func(k, v []byte) error {
			pairs = append(pairs, ledger.KeyValue{Key: bytes.Clone(k), Value: bytes.Clone(v)})
			return nil
		})
		if err != nil {
			return err
		}
		state, err = ledger.Load(net, binary.BigEndian.Uint64(height), pairs)
		if err == nil && !bytes.Equal(state.AppHash(), meta.Get(rootKey)) {
			err = fmt.Errorf("height %d has root %x, not %x", state.Height(), state.AppHash(), meta.Get(rootKey))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", s.db.Path(), err)
	}
	return state, nil
}

// save writes the changes that led to a state.
func (s *store) save(state *ledger.State, changes []ledger.Change) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		pairs, meta := tx.Bucket(stateBucket), tx.Bucket(metaBucket)
		for _, c := range changes {
			var err error
			if c.Value == nil {
				err = pairs.Delete(c.Key)
			} else {
				err = pairs.Put(c.Key, c.Value)
			}
			if err != nil {
				return err
			}
		}
		if err := meta.Put(heightKey, binary.BigEndian.AppendUint64(nil, state.Height())); err != nil {
			return err
		}
		return meta.Put(rootKey, state.AppHash())
	})
	if err != nil {
		return fmt.Errorf("save height %d in %s: %w", state.Height(), s.db.Path(), err)
	}
	return nil
}

func (s *store) close() error { return s.db.Close() }
