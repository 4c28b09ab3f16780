// Package wallet keeps an account's key in a file.
//
// A wallet is one Ed25519 key in one file, which only its owner may read. The file
// is text and has one of two forms. A plain wallet has the key's seed (RFC 8032,
// section 5.1.5, step 1) as 64 hexadecimal digits:
//
//	ALIA wallet 1
//	9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
//
// A sealed wallet has the account, which is no secret, and a plain wallet that is
// encrypted under a password:
//
//	ALIA sealed wallet 1
//	alia1...
//	-----BEGIN AGE ENCRYPTED FILE-----
//	...
//
// The encryption is that of age (https://age-encryption.org/v1) with a scrypt
// recipient. So the program age opens a sealed wallet, too:
//
//	tail -n +3 wallet | age --decrypt
//
// [Wallet.Phrase] writes the key as 24 words, to be kept on paper.
//
//	w, err := wallet.Open(path, password)
//	if errors.Is(err, fs.ErrNotExist) {
//		w = wallet.New()
//		err = w.Save(path, "")
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
	"github.com/alia-network/alia/protocol/disk"
)

const (
	header  = "ALIA wallet 1\n"
	maxFile = 4 << 10 // bytes
)

// Wallet is an account's key. It is immutable.
type Wallet struct{ key ed25519.PrivateKey }

// New makes a new key. The key is in memory only.
func New() *Wallet {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // it never fails
	return &Wallet{ed25519.NewKeyFromSeed(seed)}
}

// Open reads the wallet at path. It calls password if the wallet is sealed. The
// error wraps [fs.ErrNotExist] when there is no such file.
func Open(path string, password func() (string, error)) (*Wallet, error) {
	w, err := open(path, password)
	if err != nil {
		return nil, fmt.Errorf("open wallet %s: %w", path, err)
	}
	return w, nil
}

func open(path string, password func() (string, error)) (*Wallet, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	f, err := parse(data)
	if err != nil || f.plain != nil {
		return f.plain, err
	}
	p, err := password()
	if err != nil {
		return nil, err
	}
	return f.unseal(p)
}

// Inspect returns what the wallet at path shows without its password: the account, and
// whether the wallet is sealed. Nothing proves the account of a sealed wallet before
// [Open] does. The error wraps [fs.ErrNotExist] when there is no such file.
func Inspect(path string) (account protocol.Account, sealed bool, err error) {
	data, err := read(path)
	if err != nil {
		return account, false, fmt.Errorf("read wallet %s: %w", path, err)
	}
	f, err := parse(data)
	if err != nil {
		return account, false, fmt.Errorf("read wallet %s: %w", path, err)
	}
	return f.account, f.plain == nil, nil
}

// Save writes the wallet to a new file, sealed under the password unless that is
// empty. The error wraps [fs.ErrExist] when the file exists.
func (w *Wallet) Save(path, password string) error {
	data, err := w.encode(password, sealWork)
	if err == nil {
		err = writeFile(path, data, os.Link) // a link, unlike a rename, never replaces a key
	}
	if errors.Is(err, fs.ErrExist) {
		err = fs.ErrExist
	}
	if err != nil {
		return fmt.Errorf("save wallet %s: %w", path, err)
	}
	return nil
}

// Rewrite replaces the file at path, which must hold the same key, by a file that is
// sealed under the password, or plain if the password is empty. After an error or a
// crash one of the two files is there, whole.
func (w *Wallet) Rewrite(path, password string) error {
	account, _, err := Inspect(path)
	if err != nil {
		return err
	}
	if account != w.Account() {
		return fmt.Errorf("rewrite wallet %s: the file holds another key, of account %s", path, account)
	}
	data, err := w.encode(password, sealWork)
	if err == nil {
		err = writeFile(path, data, os.Rename)
	}
	if err != nil {
		return fmt.Errorf("rewrite wallet %s: %w", path, err)
	}
	return nil
}

// Account returns the public key, which names the account.
func (w *Wallet) Account() protocol.Account { return protocol.AccountOf(w.key) }

// Key returns the private key. It signs the account's records and transactions,
// and is the node's identity in the network. The caller must not change it.
func (w *Wallet) Key() ed25519.PrivateKey { return w.key }

// encode returns the text of the wallet's file: sealed with 2^work steps of scrypt
// under the password, or plain if the password is empty.
func (w *Wallet) encode(password string, work int) ([]byte, error) {
	plain := []byte(header + hex.EncodeToString(w.key.Seed()) + "\n")
	if password == "" {
		return plain, nil
	}
	return seal(plain, w.Account(), password, work)
}

// file is the content of a wallet's file.
type file struct {
	account protocol.Account
	plain   *Wallet // nil if the wallet is sealed
	sealed  string  // age's part of a sealed wallet
}

// parse reads the text of a wallet's file, plain or sealed.
func parse(data []byte) (file, error) {
	if rest, ok := strings.CutPrefix(string(data), sealedHeader); ok {
		return parseSealed(rest)
	}
	w, err := parsePlain(data)
	if err != nil {
		return file{}, err
	}
	return file{account: w.Account(), plain: w}, nil
}

// parsePlain reads the text of a plain wallet.
func parsePlain(data []byte) (*Wallet, error) {
	rest, ok := strings.CutPrefix(string(data), header)
	if !ok {
		return nil, fmt.Errorf("not a wallet, or damaged: the first line is neither %q nor %q", strings.TrimSpace(header), strings.TrimSpace(sealedHeader))
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

// writeFile writes data to a file that only its owner may read, and gives the file
// its name by the function name. The file is complete or absent, and on disk when
// writeFile returns.
func writeFile(path string, data []byte, name func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".wallet-*") // it has mode 0600
	if err != nil {
		return unpath(err)
	}
	defer os.Remove(f.Name()) // after a rename there is nothing to remove
	_, err = f.Write(data)
	if err == nil {
		err = disk.OS.Sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return unpath(err)
	}
	if err := name(f.Name(), path); err != nil {
		return err
	}
	return disk.SyncPath(disk.OS, dir)
}

// unpath drops operation and path from an error, because the caller names them.
func unpath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
