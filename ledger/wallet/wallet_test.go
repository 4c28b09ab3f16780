package wallet

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age/armor"
)

// unasked fails the test when a password is asked for.
func unasked(t *testing.T) func() (string, error) {
	return func() (string, error) {
		t.Error("a plain wallet asks for a password")
		return "", nil
	}
}

// typed answers with a password.
func typed(password string) func() (string, error) {
	return func() (string, error) { return password, nil }
}

func TestSaveOpen(t *testing.T) {
	for name, c := range map[string]struct {
		sealedBy string
		password func() (string, error)
	}{"plain": {"", unasked(t)}, "sealed": {"pass word", typed("pass word")}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "home", "wallet")
			if _, err := Open(path, c.password); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("open of nothing: %v, want ErrNotExist", err)
			}
			if _, _, err := Inspect(path); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("inspect of nothing: %v, want ErrNotExist", err)
			}
			w := New()
			if err := w.Save(path, c.sealedBy); err != nil {
				t.Fatal(err)
			}
			again, err := Open(path, c.password)
			if err != nil {
				t.Fatal(err)
			}
			account := again.Account()
			if account != w.Account() {
				t.Error("another account after opening")
			}
			if msg := []byte("hello"); !ed25519.Verify(account[:], msg, ed25519.Sign(again.Key(), msg)) {
				t.Error("the key does not sign for the account")
			}
			if shown, sealed, err := Inspect(path); err != nil || shown != account || sealed != (c.sealedBy != "") {
				t.Errorf("inspect: account %s, sealed %v, %v", shown, sealed, err)
			}
			before := content(t, path)
			if err := New().Save(path, ""); !errors.Is(err, fs.ErrExist) {
				t.Errorf("save over a wallet: %v, want ErrExist", err)
			}
			if !bytes.Equal(before, content(t, path)) {
				t.Error("save replaced a wallet")
			}
			alone(t, path)
		})
	}
}

// content reads a file of the owner's alone.
func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	return data
}

// alone checks that a wallet has no other file beside it.
func alone(t *testing.T, path string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("files left behind: %v, %v", entries, err)
	}
}

// TestRewrite: a wallet is sealed and opened for good, and no other key's file is
// replaced.
func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet")
	w := New()
	if err := w.Rewrite(path, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rewrite of nothing: %v, want ErrNotExist", err)
	}
	if err := w.Save(path, ""); err != nil {
		t.Fatal(err)
	}
	plain := content(t, path)
	if err := w.Rewrite(path, "pass word"); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content(t, path), bytes.TrimSpace(plain[len(header):])) {
		t.Error("the sealed wallet shows the key")
	}
	if _, err := Open(path, typed("password")); err == nil || !strings.Contains(err.Error(), "wrong password") {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := Open(path, typed("")); !errors.Is(err, errPassword) {
		t.Errorf("an empty password: %v", err)
	}
	none := errors.New("nobody is there")
	if _, err := Open(path, func() (string, error) { return "", none }); !errors.Is(err, none) {
		t.Errorf("no password: %v", err)
	}
	if err := New().Rewrite(path, ""); err == nil || !strings.Contains(err.Error(), "another key, of account "+w.Account().String()) {
		t.Errorf("rewrite of another key's file: %v", err)
	}
	if err := w.Rewrite(path, ""); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content(t, path), plain) {
		t.Error("unsealed, the wallet is another")
	}
	alone(t, path)
}

// TestNotWritten: a wallet that cannot be written leaves the one that is there.
func TestNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet")
	if err := New().Save(path, ""); err != nil {
		t.Fatal(err)
	}
	before := content(t, path)
	broken := errors.New("the disk is broken")
	if err := writeFile(path, []byte("half"), func(string, string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(before, content(t, path)) {
		t.Error("the wallet is another")
	}
	alone(t, path)
}

// lightly seals a wallet with so few steps that a test can open it often.
func lightly(t testing.TB, w *Wallet, password string) []byte {
	t.Helper()
	data, err := w.encode(password, 4)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDamagedSeal: no sealed wallet of which a byte is another opens.
func TestDamagedSeal(t *testing.T) {
	w := New()
	data := lightly(t, w, "pass word")
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		f, err := parse(bad)
		if err != nil {
			continue
		}
		if f.plain != nil {
			t.Fatalf("byte %d: read as a plain wallet", i)
		}
		if _, err := f.unseal("pass word"); err == nil {
			t.Errorf("byte %d is another, and the wallet opens: %q", i, bad)
		}
	}
	other := lightly(t, New(), "pass word")
	line := len(sealedHeader) + len(w.Account().String())
	f, err := parse(append(bytes.Clone(other[:line]), data[line:]...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.unseal("pass word"); err == nil || !strings.Contains(err.Error(), "its key is of account "+w.Account().String()) {
		t.Errorf("another's account above the key: %v", err)
	}
}

func TestRefusesBadFiles(t *testing.T) {
	seed := strings.Repeat("0f", 32)
	account := New().Account().String()
	sealed := string(lightly(t, New(), "pass word"))
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"readable by others":    {header + seed + "\n", 0o644, "chmod 600"},
		"empty":                 {"", 0o600, "first line"},
		"cut":                   {header + seed[:40], 0o600, "cut"},
		"no last newline":       {header + seed, 0o600, "cut"},
		"not hexadecimal":       {header + strings.Repeat("zz", 32) + "\n", 0o600, "hexadecimal"},
		"too long":              {header + seed + strings.Repeat("00", maxFile), 0o600, "not a wallet"},
		"sealed and cut":        {sealed[:len(sealed)-1], 0o600, "the sealed key is cut"},
		"sealed, no key":        {sealedHeader + account + "\n", 0o600, "the sealed key is cut"},
		"sealed, no account":    {sealedHeader + "alia1\n" + sealed, 0o600, "second line"},
		"sealed, first line":    {sealedHeader, 0o600, "second line"},
		"sealed, more after it": {sealed + "\n", 0o600, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wallet")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, unasked(t)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestTooMuchWork: a file cannot make the program compute for hours.
func TestTooMuchWork(t *testing.T) {
	f, err := parse(lightly(t, New(), "pass word"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(armor.NewReader(strings.NewReader(f.sealed)))
	if err != nil {
		t.Fatal(err)
	}
	// The second line is "-> scrypt SALT STEPS".
	lines := bytes.SplitN(text, []byte("\n"), 3)
	lines[1] = append(bytes.TrimSuffix(lines[1], []byte(" 4")), " 30"...)
	var again bytes.Buffer
	w := armor.NewWriter(&again)
	_, err = w.Write(bytes.Join(lines, []byte("\n")))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	f.sealed = again.String()
	if _, err := f.unseal("pass word"); err == nil || !strings.Contains(err.Error(), "work factor too large") {
		t.Errorf("2^30 steps: %v", err)
	}
}

// FuzzParse: what is read as a wallet is either plain, and then written as it was read,
// or sealed.
func FuzzParse(f *testing.F) {
	f.Add([]byte(header + strings.Repeat("0f", 32) + "\n"))
	f.Add(lightly(f, New(), "pass word"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		switch {
		case err != nil:
		case got.plain == nil:
			if text := sealedHeader + got.account.String() + "\n" + got.sealed; text != string(data) {
				t.Errorf("%q is read as %q", data, text)
			}
		case got.account != got.plain.Account():
			t.Errorf("%q: account %s of another key", data, got.account)
		default:
			if text, err := got.plain.encode("", 0); err != nil || !bytes.EqualFold(text, data) {
				t.Errorf("%q is read as %q, %v", data, text, err)
			}
		}
	})
}
