package wallet

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCreateOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home", "wallet.key")
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("open of nothing: %v, want ErrNotExist", err)
	}
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Account() != w.Account() {
		t.Error("another account after opening")
	}
	account := again.Account()
	if msg := []byte("hello"); !ed25519.Verify(account[:], msg, ed25519.Sign(again.Key(), msg)) {
		t.Error("the key does not sign for the account")
	}
	before, _ := os.ReadFile(path)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a wallet: %v, want ErrExist", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("create replaced a wallet")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".wallet-*")); left != nil {
		t.Errorf("files left behind: %v", left)
	}
}

func TestRefusesBadFiles(t *testing.T) {
	seed := strings.Repeat("0f", 32)
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"readable by others": {header + seed + "\n", 0o644, "chmod 600"},
		"empty":              {"", 0o600, "first line"},
		"cut":                {header + seed[:40], 0o600, "cut"},
		"no last newline":    {header + seed, 0o600, "cut"},
		"not hexadecimal":    {header + strings.Repeat("zz", 32) + "\n", 0o600, "hexadecimal"},
		"too long":           {header + seed + strings.Repeat("00", maxFile), 0o600, "not a wallet"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wallet.key")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(header + strings.Repeat("0f", 32) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := parse(data)
		if (w == nil) == (err == nil) {
			t.Errorf("%q: wallet %v, error %v", data, w, err)
		}
	})
}
