package home

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Sealer encrypts what a home keeps of its documents, with age, to the home's own key: a
// file is of the form age-encryption.org/v1 for the recipient ssh-ed25519. Where the wallet
// has a password, whoever takes the disk cannot read the documents.
type Sealer struct {
	to   age.Recipient
	with age.Identity
}

// NewSealer returns the sealer of a key.
func NewSealer(key ed25519.PrivateKey) (*Sealer, error) {
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	var s Sealer
	if s.to, err = agessh.NewEd25519Recipient(public); err == nil {
		s.with, err = agessh.NewEd25519Identity(key)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &s, nil
}

// Seal encrypts data.
func (s *Sealer) Seal(data []byte) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, s.to)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed.Bytes(), nil
}

// Unseal decrypts what Seal gave. It fails if the key is another, or a byte has changed.
func (s *Sealer) Unseal(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), s.with)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return data, nil
}
