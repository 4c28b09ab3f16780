package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol"
)

// walletFlags is the flags of the commands that make a home's wallet.
type walletFlags struct{ seal, noPhrase bool }

func (k *walletFlags) flags(cmd *cobra.Command) {
	k.sealFlag(cmd)
	cmd.Flags().BoolVar(&k.noPhrase, "no-phrase", false, "do not show the recovery phrase of a new wallet: alia wallet phrase prints it later")
}

func (k *walletFlags) sealFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&k.seal, "seal", false, "seal the new wallet under a password, which is asked for or in --password-file")
}

// ensure returns the account of the home's wallet. Where there is no wallet it makes one,
// and has the person at the terminal write down its recovery phrase.
func (k *walletFlags) ensure(ctx context.Context, a *app) (protocol.Account, error) {
	account, sealed, err := wallet.Inspect(a.home.Wallet())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w := wallet.New()
		if err := k.save(ctx, a, w); err != nil {
			return protocol.Account{}, err
		}
		return w.Account(), a.showPhrase(ctx, w, k.noPhrase)
	case err == nil && k.seal && !sealed:
		err = usagef("--seal is for a new wallet, and the home %s has one: `alia wallet seal` seals it", a.home)
	}
	return account, err
}

// save writes a wallet to the home, which must have none.
func (k *walletFlags) save(ctx context.Context, a *app, w *wallet.Wallet) error {
	password := ""
	if k.seal {
		var err error
		if password, err = a.newPassword(ctx, a.passwordFile); err != nil {
			return err
		}
	}
	if err := a.home.Make(); err != nil {
		return err
	}
	return w.Save(a.home.Wallet(), password)
}

// key is the key of the home's wallet. Where there is none it makes one that is not
// sealed.
func (a *app) key(ctx context.Context) (ed25519.PrivateKey, error) {
	w, err := a.host.openWallet(ctx, a)
	if errors.Is(err, fs.ErrNotExist) {
		w = wallet.New()
		if err = new(walletFlags).save(ctx, a, w); err == nil {
			a.note(phraseNote)
		}
	}
	if err != nil {
		return nil, err
	}
	return w.Key(), nil
}

// openWallet opens the home's wallet, which must be there.
func (a *app) openWallet(ctx context.Context) (*wallet.Wallet, error) {
	w, err := a.host.openWallet(ctx, a)
	return w, a.absent(err)
}

// inspectWallet reads the home's wallet, which must be there, without its password.
func (a *app) inspectWallet() (account protocol.Account, sealed bool, err error) {
	account, sealed, err = wallet.Inspect(a.home.Wallet())
	return account, sealed, a.absent(err)
}

// absent says what to do where a wallet is not there.
func (a *app) absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the home %s has no wallet: `alia init` or `alia wallet create` makes one, or name another home with --home", a.home)
	}
	return err
}

// noWallet refuses a home that has a wallet.
func (a *app) noWallet() error {
	account, _, err := wallet.Inspect(a.home.Wallet())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("the home %s has a wallet: for another choose another --home: %w", a.home, err)
	}
	return fmt.Errorf("the home %s has a wallet, of account %s: for another choose another --home", a.home, account)
}

func newWalletCreate(a *app) *cobra.Command {
	var k walletFlags
	cmd := &cobra.Command{
		Use: "create", SuggestFor: []string{"new", "init", "make"},
		Short: "Make the home's key; a home that has one is refused",
		Long: `Make the home's key, and show its recovery phrase: 24 words that bring the
account back when this machine is lost (alia wallet recover). Three of the words
are asked for, so that they are on paper. The phrase is shown on a terminal
only, and not with --json.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.noWallet(); err != nil {
				return err
			}
			if _, err := k.ensure(cmd.Context(), a); err != nil {
				return err
			}
			return a.showAccount()
		},
	}
	k.flags(cmd)
	return cmd
}

// maxPhraseFile bounds a file with a recovery phrase, in bytes: 24 words of at most 8
// letters, and white space.
const maxPhraseFile = 4096

func newWalletRecover(a *app) *cobra.Command {
	var k walletFlags
	cmd := &cobra.Command{
		Use: "recover [FILE]", SuggestFor: []string{"restore", "import"},
		Short: "Make the home's key from a recovery phrase",
		Long: `Make the home's key from the 24 words of a recovery phrase, as alia init and
alia wallet phrase show them. The words are typed at the terminal, or read from
a file; - is standard input. A home that has a key is refused.`,
		Args: someArgs(0, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.noWallet(); err != nil {
				return err
			}
			w, err := a.typedOrRead(cmd.Context(), args)
			if err != nil {
				return err
			}
			if err := k.save(cmd.Context(), a, w); err != nil {
				return err
			}
			return a.showAccount()
		},
	}
	k.sealFlag(cmd)
	return cmd
}

// typedOrRead is the wallet of a recovery phrase: from the file that args names, or typed
// at the terminal.
func (a *app) typedOrRead(ctx context.Context, args []string) (*wallet.Wallet, error) {
	if len(args) == 0 {
		c, err := a.person()
		if err != nil {
			return nil, err
		} else if c == nil {
			return nil, usagef("there is no terminal to type the recovery phrase at: name a FILE, or - for standard input")
		}
		return c.readPhrase(ctx)
	}
	in := a.stdin
	if args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, fmt.Errorf("recovery phrase: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPhraseFile+1))
	if err != nil {
		return nil, fmt.Errorf("recovery phrase: %w", err)
	}
	if len(text) > maxPhraseFile {
		return nil, fmt.Errorf("recovery phrase: %s has more than %d bytes, so it is another file", args[0], maxPhraseFile)
	}
	return wallet.FromPhrase(string(text))
}

func newWalletPhrase(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "phrase", SuggestFor: []string{"backup", "export", "mnemonic", "seed"},
		Short: "Print the recovery phrase of the home's account",
		Long: `Print the recovery phrase of the home's account: 24 words that are the key.
Write them on paper. Whoever has them has the account; alia wallet recover makes
the account from them.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openWallet(cmd.Context())
			if err != nil {
				return err
			}
			r := report.RecoveryPhrase{Account: w.Account().String(), Phrase: w.Phrase()}
			return a.result(r, func(out io.Writer) {
				for row := range slices.Chunk(strings.Fields(r.Phrase), columns) {
					fmt.Fprintln(out, strings.Join(row, " "))
				}
			})
		},
	}
}

func newWalletSeal(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "seal", SuggestFor: []string{"encrypt", "passwd", "password"},
		Short: "Encrypt the home's key under a password, or under another",
		Long: `Encrypt the home's key under a password. From then on every command that needs
the key takes the password from --password-file, or asks for it. While a process
serves the home, that process has the key, and its commands need no password.

A wallet that is sealed gets another password: the new one is asked for, or in
--new-password-file. Without the password only the recovery phrase (alia wallet
phrase) brings the account back.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			_, sealed, err := a.inspectWallet()
			if err != nil {
				return err
			}
			if err := a.settledKey(); err != nil {
				return err
			}
			w, err := a.openWallet(ctx)
			if err != nil {
				return err
			}
			var password string
			switch {
			case file == "" && sealed: // --password-file is for the present password
				password, err = a.choosePassword(ctx)
			case file == "":
				password, err = a.newPassword(ctx, a.passwordFile)
			default:
				password, err = a.newPassword(ctx, file)
			}
			if err != nil {
				return err
			}
			if err := w.Rewrite(a.home.Wallet(), password); err != nil {
				return err
			}
			return a.showAccount()
		},
	}
	cmd.Flags().StringVar(&file, "new-password-file", "", "`FILE` with the password to seal under (default: --password-file, or the terminal)")
	return cmd
}

func newWalletUnseal(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "unseal", SuggestFor: []string{"decrypt", "open"},
		Short: "Write the home's key unencrypted, so that no password is needed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.settledKey(); err != nil {
				return err
			}
			w, err := a.openWallet(cmd.Context())
			if err != nil {
				return err
			}
			if err := w.Rewrite(a.home.Wallet(), ""); err != nil {
				return err
			}
			return a.showAccount()
		},
	}
}

func newShow(a *app) *cobra.Command {
	var o owner
	cmd := &cobra.Command{
		Use: "show", Short: "Print the home's account", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if !o.validator {
				return a.showAccount()
			}
			account, err := o.account(a)
			if err != nil {
				return err
			}
			return a.printAccount(account, false)
		},
	}
	o.flag(cmd)
	return cmd
}

// showAccount prints the account of the home's wallet.
func (a *app) showAccount() error {
	account, sealed, err := a.inspectWallet()
	if err != nil {
		return err
	}
	return a.printAccount(account, sealed)
}

func (a *app) printAccount(account protocol.Account, sealed bool) error {
	r := report.Identity{Account: account.String(), Key: hex.EncodeToString(account[:]), Sealed: sealed}
	return a.result(r, func(w io.Writer) { fmt.Fprintln(w, r.Account) })
}
