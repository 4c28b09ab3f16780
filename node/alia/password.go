package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/home"
)

// passwordFrom is the password in a file, as [home.Password] has it; - is standard input.
func (a *app) passwordFrom(file string) (string, error) {
	if file == "-" {
		password, err := home.ReadPassword(a.stdin)
		if err != nil {
			return "", fmt.Errorf("password of the wallet from standard input: %w", err)
		}
		return password, nil
	}
	return home.Password(a.path(file))
}

// password is the password of the home's sealed wallet: from the file named, or else as
// the person at the terminal types it.
func (a *app) password(ctx context.Context) (string, error) {
	password, err := a.passwordFrom(a.passwordFile)
	if !errors.Is(err, home.ErrNoPassword) {
		return password, err
	}
	c, err := a.person()
	switch {
	case err != nil:
		return "", err
	case a.guest:
		return "", fmt.Errorf("%w: process %d, which serves the home, has not opened the wallet; give --password-file FILE", home.ErrNoPassword, os.Getpid())
	case c == nil:
		return "", fmt.Errorf("%w, nor is there a terminal to ask at: give --password-file FILE", home.ErrNoPassword)
	}
	return c.ask(ctx, fmt.Sprintf("Password of %s: ", a.home.Wallet()), true)
}

// passPassword gives a child process the password of the home's wallet on its standard
// input, if the wallet is there and sealed: the child has no terminal to ask at.
func (a *app) passPassword(ctx context.Context, child *exec.Cmd) error {
	_, err := wallet.Open(a.home.Wallet(), func() (string, error) {
		password, err := a.password(ctx)
		child.Args, child.Stdin = append(child.Args, "--password-file", "-"), strings.NewReader(password+"\n")
		return password, err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the child makes it
	}
	return err
}

// leastPassword is the characters that a new password has at least (NIST SP 800-63B,
// section 5.1.1.1).
const leastPassword = 8

// newPassword is the password to seal a wallet under: from a file, or else as the person
// at the terminal types it twice.
func (a *app) newPassword(ctx context.Context, file string) (string, error) {
	password, err := a.passwordFrom(file)
	if err == nil {
		return password, checkPassword(password)
	} else if !errors.Is(err, home.ErrNoPassword) {
		return "", err
	}
	return a.choosePassword(ctx)
}

// choosePassword has the person at the terminal type a new password twice.
func (a *app) choosePassword(ctx context.Context) (string, error) {
	c, err := a.person()
	if err != nil {
		return "", err
	} else if c == nil {
		return "", errors.New("a wallet is sealed under a password, and there is no terminal to ask for it: give it in a file")
	}
	for {
		password, err := c.ask(ctx, "New password of the wallet: ", true)
		if err != nil {
			return "", err
		}
		if err := checkPassword(password); err != nil {
			fmt.Fprintln(c, err)
			continue
		}
		again, err := c.ask(ctx, "The new password again: ", true)
		if err != nil {
			return "", err
		}
		if again == password {
			return password, nil
		}
		fmt.Fprintln(c, "the two passwords differ")
	}
}

func checkPassword(password string) error {
	if n := len([]rune(password)); n < leastPassword {
		return fmt.Errorf("the new password has %d characters: want at least %d", n, leastPassword)
	}
	return nil
}
