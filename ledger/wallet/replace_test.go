package wallet

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeepReplace: a wallet is replaced, and the one before is kept under another name.
func TestKeepReplace(t *testing.T) {
	dir := t.TempDir()
	path, next, kept := filepath.Join(dir, "wallet"), filepath.Join(dir, "next"), filepath.Join(dir, "kept")
	if err := Keep(path, kept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("keep nothing: %v, want ErrNotExist", err)
	}
	if err := Replace(path, next); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replace by nothing: %v, want ErrNotExist", err)
	}
	first, second := New(), New()
	if err := errors.Join(first.Save(path, ""), second.Save(next, "")); err != nil {
		t.Fatal(err)
	}
	old := content(t, path)
	for range 2 { // after a crash it is done again
		if err := Keep(path, kept); err != nil {
			t.Fatal(err)
		}
	}
	if err := Replace(path, next); err != nil {
		t.Fatal(err)
	}
	if now, _, err := Inspect(path); err != nil || now != second.Account() {
		t.Errorf("the wallet is of %s, %v, want %s", now, err, second.Account())
	}
	if !bytes.Equal(content(t, kept), old) {
		t.Error("the wallet that was kept has changed")
	}
	if _, _, err := Inspect(next); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next wallet is still there: %v", err)
	}
	// The name of a wallet with another key is not taken.
	if err := Keep(path, kept); err == nil || !strings.Contains(err.Error(), "holds another key, of account "+first.Account().String()) {
		t.Errorf("keep over another key: %v", err)
	}
	if !bytes.Equal(content(t, kept), old) {
		t.Error("another key was replaced")
	}
}
