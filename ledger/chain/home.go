package chain

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

// Init makes the home of the first validator of a new network and returns the
// network's genesis document. The validators are this home's and the others, whose
// homes [Join] makes. A validator's consensus key is its account's key too. When the
// home has a genesis document, Init changes nothing and its error wraps
// [fs.ErrExist]. Init writes the document last, so that an interrupted Init can be
// repeated.
func Init(home, name string, params ledger.Params, others ...protocol.Account) ([]byte, error) {
	data, err := makeHome(home, func(me protocol.Account) ([]byte, error) {
		return genesis.Make(ledger.Genesis{
			Version: 1, Network: name, Params: params, Validators: append([]protocol.Account{me}, others...),
		}, time.Now())
	})
	if err != nil {
		return nil, fmt.Errorf("init ledger: %w", err)
	}
	return data, nil
}

// Join makes the home of a further ledger node of the network that a genesis
// document starts. Its error wraps [fs.ErrExist] when the home has a document.
func Join(home string, doc []byte) error {
	_, err := makeHome(home, func(protocol.Account) ([]byte, error) {
		_, err := genesis.Parse(doc)
		return doc, err
	})
	if err != nil {
		return fmt.Errorf("join ledger: %w", err)
	}
	return nil
}

// makeHome makes the keys of a home and writes its genesis document, which document
// returns for the account of the home's validator.
func makeHome(home string, document func(protocol.Account) ([]byte, error)) ([]byte, error) {
	path := files(home).GenesisFile()
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("this home belongs to a network already: %s: %w", path, fs.ErrExist)
	}
	keys, err := Keys(home)
	if err != nil {
		return nil, err
	}
	doc, err := document(protocol.AccountOf(keys.Validator))
	if err != nil {
		return nil, err
	}
	return doc, writeFile(path, doc)
}

// NodeKeys are the keys of a ledger node.
type NodeKeys struct {
	Validator ed25519.PrivateKey // of an account, which signs heights if it is a validator's
	Peer      string             // the node's ID among ledger nodes: 40 hexadecimal digits
}

// Keys returns the keys of a home. It makes those that are missing.
func Keys(home string) (NodeKeys, error) {
	cfg := files(home)
	for _, file := range []string{cfg.GenesisFile(), cfg.PrivValidatorStateFile()} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return NodeKeys{}, err
		}
	}
	if err := makeKeys(cfg); err != nil {
		return NodeKeys{}, err
	}
	validator, peer, err := loadKeys(cfg)
	if err != nil {
		return NodeKeys{}, err
	}
	return NodeKeys{accountKey(validator), string(peer.ID())}, nil
}

// files names the files of a home.
func files(home string) *config.Config {
	cfg := config.DefaultConfig()
	cfg.SetRoot(home)
	return cfg
}

// Genesis returns the genesis document of a home. The error wraps
// [fs.ErrNotExist] when Init did not run there.
func Genesis(home string) ([]byte, error) { return os.ReadFile(files(home).GenesisFile()) }

// makeKeys writes those keys that are missing.
func makeKeys(cfg *config.Config) error {
	if _, err := p2p.LoadOrGenNodeKey(cfg.NodeKeyFile()); err != nil {
		return err
	}
	if _, err := os.Stat(cfg.PrivValidatorKeyFile()); errors.Is(err, fs.ErrNotExist) {
		privval.GenFilePV(cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile()).Save()
	}
	return nil
}

// loadKeys reads the validator's key and the peer's key. It reads the files itself
// first, because CometBFT's loader ends the process when it cannot read one.
func loadKeys(cfg *config.Config) (*privval.FilePV, *p2p.NodeKey, error) {
	if err := tryJSON(cfg.PrivValidatorKeyFile(), new(privval.FilePVKey)); err != nil {
		return nil, nil, err
	}
	if err := tryJSON(cfg.PrivValidatorStateFile(), new(privval.FilePVLastSignState)); err != nil {
		return nil, nil, err
	}
	validator := privval.LoadFilePV(cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile())
	if _, ok := validator.Key.PrivKey.(cmted25519.PrivKey); !ok {
		return nil, nil, fmt.Errorf("%s: the key is not Ed25519", cfg.PrivValidatorKeyFile())
	}
	peer, err := p2p.LoadNodeKey(cfg.NodeKeyFile())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", cfg.NodeKeyFile(), err)
	}
	return validator, peer, nil
}

func tryJSON[T any](path string, into *T) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// writeFile writes a file completely or not at all.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
