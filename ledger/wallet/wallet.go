// Package wallet is keys at rest, and signing.
//
// A wallet is one Ed25519 key in one file that only its owner may read. The
// file is text: a line that says what it is, and the key's seed in hexadecimal.
// A sealed wallet is the same text encrypted under a passphrase, as age does
// it, so that the age tool can open it too.
//
//	w, err := wallet.Open(path)
//	if errors.Is(err, fs.ErrNotExist) {
//		w, err = wallet.Create(path)
//	}
//	fmt.Println(w.Account())
//	sig := w.Sign(message)
package wallet

import (
	"bytes"
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

	"filippo.io/age"

	"github.com/alia-network/alia/protocol"
)

// ErrSealed is returned, wrapped, by [Open] for a wallet that needs a passphrase.
var ErrSealed = errors.New("wallet is sealed with a passphrase")

// ErrPassphrase is returned, wrapped, by [OpenSealed] for a wrong passphrase.
var ErrPassphrase = errors.New("wrong passphrase")

const (
	header    = "ALIA wallet 1\n"
	ageHeader = "age-encryption.org/v1\n"
	maxFile   = 4 << 10 // bytes
	maxWork   = 20      // logarithm of the scrypt work that Open will do
)

// Wallet is an account's key. It is immutable.
type Wallet struct{ key ed25519.PrivateKey }

// Create makes a new key and writes it to path, which must not exist.
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

// CreateSealed is Create with the key encrypted under a passphrase.
func CreateSealed(path, passphrase string) (*Wallet, error) {
	w, text, err := generate()
	if err != nil {
		return nil, fmt.Errorf("create wallet %s: %w", path, err)
	}
	sealed, err := seal(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("create wallet %s: %w", path, err)
	}
	if err := writeNew(path, sealed); err != nil {
		return nil, fmt.Errorf("create wallet %s: %w", path, err)
	}
	return w, nil
}

// Open reads the wallet at path. The error wraps [fs.ErrNotExist] when there is
// none and [ErrSealed] when it needs a passphrase.
func Open(path string) (*Wallet, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	if bytes.HasPrefix(data, []byte(ageHeader)) {
		return nil, fmt.Errorf("open wallet %s: %w", path, ErrSealed)
	}
	w, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	return w, nil
}

// OpenSealed reads the sealed wallet at path.
func OpenSealed(path, passphrase string) (*Wallet, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	text, err := unseal(data, passphrase)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	w, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	return w, nil
}

// Account returns the public key, which is the account's name.
func (w *Wallet) Account() protocol.Account { return protocol.AccountOf(w.key) }

// Key returns the private key, for what signs or authenticates by itself: it is
// the node's network identity too. The caller must not change it.
func (w *Wallet) Key() ed25519.PrivateKey { return w.key }

// Sign returns the key's signature of a message. Say what the message is for
// inside it: the caller separates domains, not the wallet.
func (w *Wallet) Sign(message []byte) []byte { return ed25519.Sign(w.key, message) }

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
		return nil, errors.New("not a wallet, or damaged: wrong first line")
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

func seal(text []byte, passphrase string) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

func unseal(data []byte, passphrase string) ([]byte, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	identity.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(bytes.NewReader(data), identity)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, ErrPassphrase
	case err != nil:
		return nil, fmt.Errorf("wallet is not sealed, or damaged: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("wallet is damaged: %w", err)
	}
	return text, nil
}

// read returns a wallet's file, if nobody but its owner may read it.
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
		return nil, fmt.Errorf("others may read it (mode %04o): run chmod 600 on it", mode.Perm())
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("not a wallet: %d bytes", info.Size())
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// writeNew writes a file that must not exist, whole or not at all, on disk when
// it returns.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".wallet-*") // mode 0600
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
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename, never replaces a key
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

// unpath drops the operation and path from an error whose caller names them.
func unpath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
