package block_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// turned is a sealer that a test can look through: it turns every bit, and adds its key.
type turned byte

func (k turned) Seal(data []byte) ([]byte, error) {
	out := []byte{byte(k)}
	for _, b := range data {
		out = append(out, ^b)
	}
	return out, nil
}

func (k turned) Unseal(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != byte(k) {
		return nil, errors.New("another key")
	}
	out, err := k.Seal(sealed[1:])
	return out[1:], err
}

// onDisk reports whether a file below a directory holds text.
func onDisk(t *testing.T, dir string, text []byte) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestSecrets: a block of a secret owner is in memory, and sealed after Sync; the disk never
// has it as it is. It goes with its last owner, or with DeleteSealed.
func TestSecrets(t *testing.T) {
	ctx, dir, text := t.Context(), t.TempDir(), []byte("the text of a document")
	secret := func(owner string) bool { return strings.HasPrefix(owner, "secret/") }
	open := func(key turned) *block.Store {
		s, err := block.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.Hide(secret, key)
		return s
	}
	s := open(1)
	in := block.Owned{Store: s, Owner: "secret/job"}
	c, err := in.Put(ctx, block.Raw, text)
	if err != nil {
		t.Fatal(err)
	}
	s.Pin("task", c)
	if got, err := s.Get(ctx, c); err != nil || !bytes.Equal(got, text) || !s.Has(c) || onDisk(t, dir, text) {
		t.Fatalf("in memory: %q, %v, on disk %v", got, err, onDisk(t, dir, text))
	}
	s.Unpin("secret/job")
	if !s.Has(c) {
		t.Error("a block with an owner is gone")
	}
	s.Unpin("task")
	if _, err := s.Get(ctx, c); !errors.Is(err, block.ErrNotFound) || s.Has(c) {
		t.Errorf("without an owner: %v", err)
	}
	if u := s.Usage(); u != (block.Usage{}) {
		t.Errorf("it is counted: %+v", u)
	}

	if _, err := in.Put(ctx, block.Raw, text); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(ctx, []cid.Cid{c}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, text) {
		t.Error("after Sync the text lies on the disk")
	}
	s = open(2)
	if _, err := s.Get(ctx, c); !errors.Is(err, block.ErrSealed) || !errors.Is(err, block.ErrNotFound) {
		t.Errorf("with another key: %v", err)
	}
	s.Hide(secret, turned(1))
	if got, err := s.Get(ctx, c); err != nil || !bytes.Equal(got, text) {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	r, err := block.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(ctx, c); !errors.Is(err, block.ErrSealed) {
		t.Errorf("a reader without the key: %v", err)
	}
	r.Unseal(turned(1))
	if got, err := r.Get(ctx, c); err != nil || !bytes.Equal(got, text) {
		t.Errorf("a reader: %q, %v", got, err)
	}

	// A sealed file that is damaged is replaced.
	path := filepath.Join(dir, "sealed", c.String())
	if err := os.WriteFile(path, []byte{1, 2, 3}, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, c); !errors.Is(err, block.ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
	in.Store = s
	if _, err := in.Put(ctx, block.Raw, text); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(ctx, []cid.Cid{c}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, c); err != nil || !bytes.Equal(got, text) {
		t.Errorf("sealed anew: %q, %v", got, err)
	}

	if n, err := s.DeleteSealed(ctx); n != 0 || err != nil {
		t.Errorf("%d blocks with an owner deleted, %v", n, err)
	}
	s.Unpin("secret/job")
	if _, err := s.Sweep(ctx, 0); err != nil || !s.Has(c) {
		t.Errorf("a sweep deletes what is sealed: %v", err)
	}
	if n, err := s.DeleteSealed(ctx); n != 1 || err != nil || s.Has(c) {
		t.Errorf("%d blocks deleted, %v", n, err)
	}

	// Without a sealer nothing is written.
	s.Hide(secret, nil)
	if _, err := in.Put(ctx, block.Raw, text); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(ctx, []cid.Cid{c}); !errors.Is(err, block.ErrSealed) || onDisk(t, dir, text) {
		t.Errorf("without a sealer: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
