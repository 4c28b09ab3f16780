package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol/disk"
)

// APIKey is an API key, as its file has it: the hash in place of the key, and its limits.
// A limit of 0 is none.
type APIKey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	SHA256  string    `json:"sha256"` // of the key, in hexadecimal digits
	Created time.Time `json:"created"`
	// Requests is how many may come in a minute.
	Requests int `json:"requests_per_minute,omitempty"`
	// Characters are those of source texts in a calendar month of UTC.
	Characters int64 `json:"characters_per_month,omitempty"`
	// Amount is what may be paid to miners in a calendar month, in 1e-8 ALIA.
	Amount uint64 `json:"amount_per_month,omitempty"`
}

type keyFile struct {
	Keys []APIKey `json:"keys"`
}

// ReadKeys reads a file of keys. A file that is not there has none.
func ReadKeys(path string) ([]APIKey, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var f keyFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("keys: %s: %w", path, err)
	}
	for _, k := range f.Keys {
		if hash, err := hex.DecodeString(k.SHA256); err != nil || len(hash) != sha256.Size || k.ID == "" {
			return nil, fmt.Errorf("keys: %s: the key %q has no id, or no SHA-256 of 64 hexadecimal digits: remove it, and add another with `alia serve key add`", path, k.Name)
		}
	}
	return f.Keys, nil
}

// AddKey makes a key with a name and limits, adds it to a file, and returns it: the file
// has only its hash.
func AddKey(path string, k APIKey) (secret string, added APIKey, err error) {
	keys, err := ReadKeys(path)
	if err != nil {
		return "", APIKey{}, err
	}
	if k.Name == "" || len(k.Name) > 100 || strings.ContainsFunc(k.Name, func(r rune) bool { return r < ' ' }) {
		return "", APIKey{}, errors.New("keys: a key needs a name of 1 to 100 bytes without control characters")
	}
	if k.Requests < 0 || k.Characters < 0 {
		return "", APIKey{}, errors.New("keys: a limit is below 0")
	}
	if slices.ContainsFunc(keys, func(o APIKey) bool { return o.Name == k.Name }) {
		return "", APIKey{}, fmt.Errorf("keys: %s has a key of the name %q already: give another name", path, k.Name)
	}
	random := make([]byte, 20)
	rand.Read(random)
	secret = "alia-" + strings.ToLower(base32.StdEncoding.EncodeToString(random))
	hash := sha256.Sum256([]byte(secret))
	k.ID, k.SHA256 = newID(4), hex.EncodeToString(hash[:])
	return secret, k, writeKeys(path, append(keys, k))
}

// RemoveKey removes the key of a name or an ID from a file.
func RemoveKey(path, name string) error {
	keys, err := ReadKeys(path)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(keys), func(k APIKey) bool { return k.Name == name || k.ID == name })
	if len(left) == len(keys) {
		return fmt.Errorf("keys: %s has no key %q: `alia serve key list` prints those it has", path, name)
	}
	return writeKeys(path, left)
}

func writeKeys(path string, keys []APIKey) error {
	data, err := json.MarshalIndent(keyFile{keys}, "", "  ")
	if err == nil {
		err = disk.MakeDir(disk.OS, filepath.Dir(path))
	}
	if err == nil {
		err = disk.WriteFile(disk.OS, path, append(data, '\n'))
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

// keyring is the file of keys, read again when it changes.
type keyring struct {
	path string

	mu   sync.Mutex // guards the fields below
	time time.Time
	size int64
	keys []APIKey
}

// all returns the keys of the file as it is now.
func (k *keyring) all() ([]APIKey, error) {
	if k.path == "" {
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		// A file that is gone keeps the keys it had: without them, anybody could ask.
		return k.keys, nil
	} else if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if info.ModTime().Equal(k.time) && info.Size() == k.size {
		return k.keys, nil
	}
	keys, err := ReadKeys(k.path)
	if err != nil {
		return nil, err
	}
	k.keys, k.time, k.size = keys, info.ModTime(), info.Size()
	return keys, nil
}

// needed reports whether there are keys. A file that cannot be read has some.
func (k *keyring) needed() bool {
	keys, err := k.all()
	return err != nil || len(keys) > 0
}

// find returns the key of a secret. It takes the same time for each secret.
func (k *keyring) find(secret string) (found *APIKey, err error) {
	keys, err := k.all()
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(secret))
	for i := range keys {
		want, err := hex.DecodeString(keys[i].SHA256)
		if err == nil && subtle.ConstantTimeCompare(want, hash[:]) == 1 {
			found = &keys[i]
		}
	}
	return found, nil
}
