package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
)

// A home holds:
//
//	wallet        the node's key
//	network.json  the network it belongs to
//	config.toml   values for flags
//	blocks/       the block store, locked by the process that has it open
//	runs/CID/     the state of a run that is coordinated here
//	models/CID/   finished models
//	receipts/CID  of translations paid for
//	chain/        the ledger node
const (
	walletFile = "wallet"
	blocksDir  = "blocks"
)

// note tells a person what goes on, unless a program listens.
func (a *app) note(format string, args ...any) {
	if !a.events {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// openStore opens the home's block store, which no other live process has open.
func (a *app) openStore() (*block.Store, error) {
	if err := os.MkdirAll(a.home, 0o755); err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	return block.Open(filepath.Join(a.home, blocksDir))
}

// runDir makes the directory of a run.
func (a *app) runDir(run block.Link) (string, error) {
	dir := filepath.Join(a.home, "runs", run.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("run's directory: %w", err)
	}
	return dir, nil
}

// modelDir is where a model is: a directory, or a CID in the home's models.
func (a *app) modelDir(model string) (string, error) {
	if model == "" {
		return "", usagef("--model: give a model's directory or its CID")
	}
	if info, err := os.Stat(model); err == nil && info.IsDir() {
		return model, nil
	}
	dir := filepath.Join(a.home, "models", model)
	if _, err := block.ParseLink(model); err == nil {
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no model %s: neither a directory nor in %s", model, filepath.Join(a.home, "models"))
}

// key opens the home's wallet, and makes one if there is none.
func (a *app) key() (ed25519.PrivateKey, error) {
	path := filepath.Join(a.home, walletFile)
	w, err := wallet.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(a.home, 0o755); err != nil {
			return nil, fmt.Errorf("home: %w", err)
		}
		w, err = wallet.Create(path)
	}
	if err != nil {
		return nil, err
	}
	return w.Key(), nil
}

// openNetwork reads the network file.
func (a *app) openNetwork() (node.Network, error) {
	n, err := node.ReadNetwork(a.network)
	if errors.Is(err, fs.ErrNotExist) {
		return n, fmt.Errorf("%w: get the file of the network you want to join, and give it with --network or to `alia init`", err)
	}
	return n, err
}

// inUse reports whether a live process has the home's block store open.
func (a *app) inUse() bool {
	dir := filepath.Join(a.home, blocksDir)
	if _, err := os.Stat(dir); err != nil {
		return false
	}
	store, err := block.Open(dir)
	if err != nil {
		return true
	}
	return store.Close() != nil
}
