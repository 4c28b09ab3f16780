// Package wallet keeps an account's key in a file.
//
// A wallet is one Ed25519 key in one file, which only its owner may read. The file
// is text: one line with the format's name and one line with the key's seed in
// hexadecimal.
//
//	w, err := wallet.Open(path)
//	if errors.Is(err, fs.ErrNotExist) {
//		w, err = wallet.Create(path)
//	}
//	fmt.Println(w.Account())
package wallet

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/alia-network/alia/protocol"
)

const (
	header  = "ALIA wallet 1\n"
	maxFile = 4 << 10 // bytes
)

// Wallet is an account's key. It is immutable.
type Wallet struct{ key ed25519.PrivateKey }

// Create makes a new key and writes it to path. The error wraps [fs.ErrExist] when
// the file exists.
func Create(path string) (*Wallet, error) {
	w, text, err := generate()
	if err != nil {
		return nil, fmt.Errorf("create wallet %s: %w", path, err)
	}
	if err := writeNew(path, text); err != nil {
		return nil, fmt.Errorf("create wallet %s: %w", path, err)
	}
	return w, nil
}

// Open reads the wallet at path. The error wraps [fs.ErrNotExist] when there is
// no such file.
func Open(path string) (*Wallet, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	w, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	return w, nil
}

// Account returns the public key, which names the account.
func (w *Wallet) Account() protocol.Account { return protocol.AccountOf(w.key) }

// Key returns the private key. It signs the account's records and transactions,
// and is the node's identity in the network. The caller must not change it.
func (w *Wallet) Key() ed25519.PrivateKey { return w.key }

// generate makes a key and its text.
func generate() (*Wallet, []byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	return &Wallet{key}, []byte(header + hex.EncodeToString(key.Seed()) + "\n"), nil
}

// parse reads the text of a wallet.
func parse(data []byte) (*Wallet, error) {
	rest, ok := strings.CutPrefix(string(data), header)
	if !ok {
		return nil, fmt.Errorf("not a wallet, or damaged: the first line is not %q", strings.TrimSpace(header))
	}
	digits, ok := strings.CutSuffix(rest, "\n")
	if !ok || len(digits) != 2*ed25519.SeedSize {
		return nil, errors.New("wallet is damaged: the key is cut or too long")
	}
	seed, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errors.New("wallet is damaged: the key is not hexadecimal")
	}
	return &Wallet{ed25519.NewKeyFromSeed(seed)}, nil
}

// read returns a wallet's file. It refuses a file that others than the owner may
// read.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unpath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unpath(err)
	}
	if mode := info.Mode(); runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users may read the file (mode %04o): run chmod 600 %s", mode.Perm(), path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("not a wallet: %d bytes, at most %d are read", info.Size(), maxFile)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// writeNew writes a file that must not exist. The file is complete or absent, and
// on disk when writeNew returns.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// A temporary file with mode 0600 takes the bytes.
	f, err := os.CreateTemp(dir, ".wallet-*")
	if err != nil {
		return unpath(err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return unpath(err)
	}
	// A link, unlike a rename, never replaces a key.
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fs.ErrExist
		}
		return err
	}
	return syncDir(dir)
}

// syncDir makes a directory's entries durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// unpath drops operation and path from an error, because the caller names them.
func unpath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
