// Package home is the directory of a node: the path of every file in it, its
// key, and the lock that keeps two processes from one home.
//
// A home holds:
//
//	wallet             the node's key, plain or sealed under a password
//	wallet.next        the key that `alia wallet rotate` is about to put in place
//	wallet.old-ACCOUNT a key that was replaced
//	network.json       the network the node belongs to
//	config.toml        values for flags
//	blocks/            the block store, locked by the process that has it open
//	node.sock          where that process takes commands of the home
//	peers              addresses of peers met before
//	runs/CID/          a training run that is coordinated here: its head, its journal, its curves
//	models/CID/        finished models
//	decisions/         what the program chose for runs with an option on auto
//	jobs/CID/          the journal of a translation job: its accepted units
//	miner/             the miner's journal: its results, and what publishers accepted
//	orders/CID         what the customer wants of a translation job: its texts, and what it pays
//	receipts/CID       the receipt of a translation job
//	receipts/*         beside it: CID.sentences, the job's text; NAME.receipt, the receipt of a document
//	memory/            the translation memory: texts and their translations
//	gateway/           the documents, glossaries, counters and API keys of alia serve
//	corrections/       corrections of people, votes on them, budgets and payments
//	chain/             the ledger node's files
//	swarm/DATE/        the homes of a swarm's members
//	log                what a process started by a supervisor, or in the background, writes to standard error
package home

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Dir is the path of a home.
type Dir string

// Names of files below a run's directory.
const (
	HeadFile    = "head"    // the CIDs of the newest round logs that a run can go on after
	JournalFile = "journal" // accepted work of a run
	// KeepFile is there when all checkpoints of a run are to stay.
	KeepFile = "keep-checkpoints"
)

// Default is the home of a user who names none: alia below XDG_DATA_HOME, or
// below ~/.local/share.
func Default() (Dir, error) {
	if data := os.Getenv("XDG_DATA_HOME"); data != "" {
		return Dir(filepath.Join(data, "alia")), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("the environment has neither HOME nor XDG_DATA_HOME: name a home with --home DIR")
	}
	return Dir(filepath.Join(user, ".local", "share", "alia")), nil
}

// Wallet is the file of the node's key.
func (d Dir) Wallet() string { return d.at("wallet") }

// NextWallet is the file of the key that is about to replace the node's key.
func (d Dir) NextWallet() string { return d.at("wallet.next") }

// OldWallet is the file of a key of the node that was replaced.
func (d Dir) OldWallet(account protocol.Account) string {
	return d.at("wallet.old-" + account.String())
}

// Network is the file that names the node's network.
func (d Dir) Network() string { return d.at("network.json") }

// Settings is the file with values for flags.
func (d Dir) Settings() string { return d.at("config.toml") }

// Blocks is the directory of the block store.
func (d Dir) Blocks() string { return d.at("blocks") }

// Socket is where the process that serves the home takes commands.
func (d Dir) Socket() string { return d.at("node.sock") }

// Peers is the file with the addresses of peers met before.
func (d Dir) Peers() string { return d.at("peers") }

// Runs is the directory with a directory for each run.
func (d Dir) Runs() string { return d.at("runs") }

// Run is the directory of a run.
func (d Dir) Run(run block.Link) string { return filepath.Join(d.Runs(), run.String()) }

// Models is the directory with a directory for each finished model.
func (d Dir) Models() string { return d.at("models") }

// Model is the directory of a finished model.
func (d Dir) Model(model block.Link) string { return filepath.Join(d.Models(), model.String()) }

// Decisions is the directory of the program's choices for runs with an option on auto.
func (d Dir) Decisions() string { return d.at("decisions") }

// Jobs is the directory of the journals of translation jobs.
func (d Dir) Jobs() string { return d.at("jobs") }

// Job is the journal of a translation job.
func (d Dir) Job(job block.Link) string { return filepath.Join(d.Jobs(), job.String()) }

// MinerJournal is the journal of the home's miner.
func (d Dir) MinerJournal() string { return d.at("miner") }

// Order is the file with what the customer wants of a translation job.
func (d Dir) Order(job block.Link) string { return filepath.Join(d.at("orders"), job.String()) }

// Wrong is the directory of the proofs that miners gave wrong results for a translation job.
func (d Dir) Wrong(job block.Link) string { return filepath.Join(d.at("wrong"), job.String()) }

// Receipts is the directory of the receipts of translation jobs.
func (d Dir) Receipts() string { return d.at("receipts") }

// Receipt is the receipt of a translation job.
func (d Dir) Receipt(job block.Link) string { return filepath.Join(d.Receipts(), job.String()) }

// Memory is the directory of the translation memory.
func (d Dir) Memory() string { return d.at("memory") }

// Gateway is the directory of alia serve.
func (d Dir) Gateway() string { return d.at("gateway") }

// GatewayKeys is the file of the API keys of alia serve.
func (d Dir) GatewayKeys() string { return filepath.Join(d.Gateway(), "keys.json") }

// Corrections is the directory of the corrections of people.
func (d Dir) Corrections() string { return d.at("corrections") }

// Chain is the directory of the ledger node.
func (d Dir) Chain() string { return d.at("chain") }

// GatewayToken is the file of the secret by which alia serve lets a person steer the miner.
func (d Dir) GatewayToken() string { return filepath.Join(d.Gateway(), "token") }

// Swarms is the directory with a directory for each swarm that the user began
// without naming a home; in it, each member has a home.
func (d Dir) Swarms() string { return d.at("swarm") }

// Log is the file for the standard error of a process that a supervisor, or alia node
// start, began.
func (d Dir) Log() string { return d.at("log") }

func (d Dir) at(name string) string { return filepath.Join(string(d), name) }

// Named lists the CIDs that name the entries of a directory of the home, such as Runs,
// in the order of their text. Other entries, such as one that is being written, are left
// out. A directory that is not there has no entries.
func Named(dir string) ([]block.Link, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	var links []block.Link
	for _, e := range entries { // in the order of their names
		if l, err := block.ParseLink(e.Name()); err == nil {
			links = append(links, l)
		}
	}
	return links, nil
}

// Make makes the home's directory, unless it is there. A new one is for its user alone.
func (d Dir) Make() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("the home cannot be made: %w: choose another with --home DIR", err)
	}
	return nil
}

// OpenWallet opens the home's wallet, with the password of [Password] if the wallet is
// sealed. The error wraps [fs.ErrNotExist] when there is no wallet.
func (d Dir) OpenWallet() (*wallet.Wallet, error) {
	return wallet.Open(d.Wallet(), func() (string, error) { return Password("") })
}

// Key opens the home's wallet, as OpenWallet does. Where there is none it makes one that
// is not sealed, and the home.
func (d Dir) Key() (ed25519.PrivateKey, error) {
	w, err := d.OpenWallet()
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.Make(); err != nil {
			return nil, err
		}
		w = wallet.New()
		err = w.Save(d.Wallet(), "")
	}
	if err != nil {
		return nil, err
	}
	return w.Key(), nil
}

// Store makes the home and opens its block store, which no other live process
// may have open. It deletes what earlier processes that were killed left half written
// of runs, models, orders and receipts.
func (d Dir) Store() (*block.Store, error) {
	if err := d.Make(); err != nil {
		return nil, err
	}
	store, err := block.Open(d.Blocks())
	if err != nil {
		return nil, err
	}
	// Only the process that has the store open writes these, so none is being written.
	for _, pattern := range []string{"runs/*/.*-*", "models/.*-*", "orders/.*-*", "receipts/.*-*"} {
		left, err := fs.Glob(os.DirFS(string(d)), pattern)
		for _, name := range left {
			err = errors.Join(err, os.RemoveAll(d.at(name)))
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("home: %w", err), store.Close())
		}
	}
	return store, nil
}

// InUse reports whether a live process has the home's block store open. It is an error
// where the home cannot be read.
func (d Dir) InUse() (bool, error) { return block.InUse(d.Blocks()) }
