package wallet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/alia-network/alia/protocol"
)

const (
	sealedHeader = "ALIA sealed wallet 1\n"
	// sealWork is the binary logarithm of scrypt's steps: 2^18 take 256 MiB and about
	// a second. It is what the program age takes.
	sealWork = 18
	// maxWork is the most that unseal takes: 1 GiB and a few seconds. A damaged file
	// must not ask for more.
	maxWork = 20
)

// seal returns the text of a sealed wallet: plain is the text of a plain wallet, which
// is encrypted under the password with 2^work steps of scrypt.
func seal(plain []byte, account protocol.Account, password string, work int) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(password)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	recipient.SetWorkFactor(work)
	var sealed bytes.Buffer
	sealed.WriteString(sealedHeader + account.String() + "\n")
	lines := armor.NewWriter(&sealed)
	w, err := age.Encrypt(lines, recipient)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	_, err = w.Write(plain)
	if err := errors.Join(err, w.Close(), lines.Close()); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed.Bytes(), nil
}

// parseSealed reads what follows the first line of a sealed wallet.
func parseSealed(rest string) (file, error) {
	name, sealed, ok := strings.Cut(rest, "\n")
	account, err := protocol.ParseAccount(name)
	if !ok || err != nil {
		return file{}, errors.New("wallet is damaged: the second line is no account")
	}
	if !strings.HasPrefix(sealed, armor.Header+"\n") || !strings.HasSuffix(sealed, "\n"+armor.Footer+"\n") {
		return file{}, errors.New("wallet is damaged: the sealed key is cut or too long")
	}
	return file{account: account, sealed: sealed}, nil
}

// errPassword is the error for a wrong password, which age cannot tell from damage.
var errPassword = errors.New("wrong password, or the wallet is damaged")

// unseal decrypts the key of a sealed wallet.
func (f file) unseal(password string) (*Wallet, error) {
	if password == "" {
		return nil, errPassword
	}
	identity, err := age.NewScryptIdentity(password)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	identity.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(f.sealed)), identity)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, errPassword
	} else if err != nil {
		return nil, fmt.Errorf("wallet is damaged: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, fmt.Errorf("wallet is damaged: %w", err)
	}
	w, err := parsePlain(plain)
	if err != nil {
		return nil, err
	}
	if w.Account() != f.account {
		return nil, fmt.Errorf("wallet is damaged: its key is of account %s, but its second line has %s", w.Account(), f.account)
	}
	return w, nil
}
