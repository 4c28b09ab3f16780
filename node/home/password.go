package home

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoPassword is returned by [Password] when no file with a password is named.
var ErrNoPassword = errors.New("the wallet is sealed, and no file with its password is named")

// Credential is the name under which a service manager gives the password of a sealed
// wallet: systemd's LoadCredential and LoadCredentialEncrypted.
const Credential = "alia-password"

// Password returns the password in a file: the file named, else that of
// ALIA_PASSWORD_FILE, else the credential of the service manager
// (https://systemd.io/CREDENTIALS). The error is [ErrNoPassword] if there is none of
// them.
func Password(file string) (string, error) {
	if file == "" {
		file = os.Getenv("ALIA_PASSWORD_FILE")
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); file == "" && dir != "" {
		credential := filepath.Join(dir, Credential)
		if _, err := os.Stat(credential); err == nil {
			file = credential
		}
	}
	if file == "" {
		return "", ErrNoPassword
	}
	// The file's mode is not looked at: a password alone opens nothing, and service
	// managers have modes of their own.
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("password of the wallet: %v", err) // not %w: a missing password is no missing wallet
	}
	defer f.Close()
	password, err := ReadPassword(f)
	if err != nil {
		return "", fmt.Errorf("password of the wallet in %s: %w", file, err)
	}
	return password, nil
}

// maxPassword bounds a password, in bytes: longer lines are no passwords, but other
// files.
const maxPassword = 1024

// ReadPassword reads a password, which is a line of text. It reads nothing after the
// line, which may be for somebody else.
func ReadPassword(r io.Reader) (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); ; {
		_, err := io.ReadFull(r, one)
		if errors.Is(err, io.EOF) || err == nil && one[0] == '\n' {
			break
		} else if err != nil {
			return "", err
		}
		if line.Len() == maxPassword {
			return "", fmt.Errorf("the first line is longer than %d bytes, so it is no password", maxPassword)
		}
		line.WriteByte(one[0])
	}
	password := strings.TrimSuffix(line.String(), "\r")
	if password == "" {
		return "", errors.New("the first line is empty: the password must stand there")
	}
	return password, nil
}
