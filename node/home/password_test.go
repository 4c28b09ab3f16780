package home_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/home"
)

// write writes a file, and returns its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPassword: the file that is named counts first, then the environment's, then the
// service manager's.
func TestPassword(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ALIA_PASSWORD_FILE", "")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := home.Password(""); !errors.Is(err, home.ErrNoPassword) {
		t.Errorf("with nothing: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, err := home.Password(""); !errors.Is(err, home.ErrNoPassword) {
		t.Errorf("with another's credentials: %v", err)
	}
	for _, c := range []struct{ named, environment, want string }{
		{"", "", "of systemd"},
		{"", "environment", "of the environment"},
		{"named", "environment", "of the flag"},
	} {
		write(t, filepath.Join(dir, home.Credential), "of systemd")
		write(t, filepath.Join(dir, "environment"), "of the environment\n")
		write(t, filepath.Join(dir, "named"), "of the flag\r\nanother line\n")
		at := func(name string) string {
			if name == "" {
				return ""
			}
			return filepath.Join(dir, name)
		}
		t.Setenv("ALIA_PASSWORD_FILE", at(c.environment))
		if got, err := home.Password(at(c.named)); got != c.want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "the first line is empty"},
		"blank":     {"\npassword\n", "the first line is empty"},
		"no line":   {strings.Repeat("x", 1025), "longer than 1024 bytes"},
		"not there": {"", "no such file"},
	} {
		path := filepath.Join(dir, "bad")
		if write(t, path, c.text); name == "not there" {
			path = filepath.Join(dir, "nowhere")
		}
		if _, err := home.Password(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error with the path and %q", name, err, c.want)
		}
	}
}

// TestReadPassword: what follows the password stays unread.
func TestReadPassword(t *testing.T) {
	r := strings.NewReader("password\nfor another command")
	if got, err := home.ReadPassword(r); got != "password" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "for another command" || err != nil {
		t.Errorf("left %q, %v", rest, err)
	}
	if got, err := home.ReadPassword(strings.NewReader(strings.Repeat("x", 1024))); len(got) != 1024 || err != nil {
		t.Errorf("the longest: %d bytes, %v", len(got), err)
	}
}

// TestSealedKey: a library opens a home whose wallet is sealed, and does not make
// another wallet where it cannot.
func TestSealedKey(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Setenv("ALIA_PASSWORD_FILE", "")
	d := home.Dir(filepath.Join(t.TempDir(), "h"))
	w := wallet.New()
	if err := w.Save(d.Wallet(), "pass word"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Key(); !errors.Is(err, home.ErrNoPassword) {
		t.Errorf("without a password: %v", err)
	}
	t.Setenv("ALIA_PASSWORD_FILE", "nowhere")
	if _, err := d.Key(); err == nil || !strings.Contains(err.Error(), "nowhere: no such file") {
		t.Errorf("with a password file that is not there: %v", err)
	}
	t.Setenv("ALIA_PASSWORD_FILE", write(t, filepath.Join(t.TempDir(), "password"), "pass word\n"))
	if key, err := d.Key(); err != nil || !key.Equal(w.Key()) {
		t.Errorf("with the password: another key, %v", err)
	}
}
