package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// store keeps what the gateway promised: counters, glossaries, and the state of documents.
type store struct{ db *bbolt.DB }

// The buckets. Their values are JSON.
var (
	bucketUsage      = []byte("usage")      // "2026-11/" and the client
	bucketGlossaries = []byte("glossaries") // the client, "/" and the glossary
	bucketEntries    = []byte("entries")    // the same; the values are TSV
	bucketJobs       = []byte("jobs")       // the job
)

// openStore opens the file, which one process can have.
func openStore(path string) (*store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another gateway: end that one first, or give another home with --home", path)
	} else if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.MaxBatchDelay = time.Millisecond // requests that come together share a sync of the disk
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketUsage, bucketGlossaries, bucketEntries, bucketJobs} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &store{db}, nil
}

// Close closes the file.
func (s *store) Close() error { return s.db.Close() }

// get reads a value; ok is false where there is none.
func get[T any](s *store, bucket []byte, key string) (v T, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		data := tx.Bucket(bucket).Get([]byte(key))
		if data == nil {
			return nil
		}
		ok = true
		return json.Unmarshal(data, &v)
	})
	if err != nil {
		err = fmt.Errorf("read %s of %s: %w", key, bucket, err)
	}
	return v, ok, err
}

// put writes a value. It is on the disk when put returns.
func put[T any](s *store, bucket []byte, key string, v T) error {
	return change(s, bucket, key, func(old *T) error { *old = v; return nil })
}

// change changes a value, or a zero one where there is none.
func change[T any](s *store, bucket []byte, key string, f func(v *T) error) error {
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		var v T
		if data := b.Get([]byte(key)); data != nil {
			if err := json.Unmarshal(data, &v); err != nil {
				return err
			}
		}
		if err := f(&v); err != nil {
			return err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return b.Put([]byte(key), data)
	})
	var refused *failure
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("write %s of %s: %w", key, bucket, err)
	}
	return err
}

// remove removes a value, if there is one.
func (s *store) remove(bucket []byte, key string) error {
	return s.db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(key)) })
}

// size is how many bytes the values have whose key begins with a prefix.
func (s *store) size(bucket []byte, prefix string) (n int, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, data := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, data = c.Next() {
			n += len(data)
		}
		return nil
	})
	return n, err
}

// each reads all values whose key begins with a prefix, in the sequence of the keys.
func each[T any](s *store, bucket []byte, prefix string, f func(key string, v T) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, data := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, data = c.Next() {
			var v T
			if err := json.Unmarshal(data, &v); err != nil {
				return fmt.Errorf("read %s of %s: %w", k, bucket, err)
			}
			if err := f(string(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}
