package chain

import (
	"crypto/sha256"
	"encoding/json"
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
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

func sum(data []byte) [sha256.Size]byte { return sha256.Sum256(data) }

// Init makes the home of the first validator of a new network and returns the
// network's genesis document. The validator's consensus key is its account's key
// too. When the home has a genesis document, Init changes nothing and its error
// wraps [fs.ErrExist]. Init writes the document last, so that an interrupted Init
// can be repeated.
func Init(home, name string, params ledger.Params) ([]byte, error) {
	cfg := config.DefaultConfig()
	cfg.SetRoot(home)
	if _, err := os.Stat(cfg.GenesisFile()); err == nil {
		return nil, fmt.Errorf("init ledger: this home has founded a network before: %s: %w", cfg.GenesisFile(), fs.ErrExist)
	}
	for _, dir := range []string{cfg.GenesisFile(), cfg.PrivValidatorStateFile()} {
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return nil, fmt.Errorf("init ledger: %w", err)
		}
	}
	if err := makeKeys(cfg); err != nil {
		return nil, fmt.Errorf("init ledger: %w", err)
	}
	validator, _, err := loadKeys(cfg)
	if err != nil {
		return nil, fmt.Errorf("init ledger: %w", err)
	}
	genesis, err := newGenesis(name, params, validator.Key.PubKey.(cmted25519.PubKey))
	if err != nil {
		return nil, fmt.Errorf("init ledger: %w", err)
	}
	if err := writeFile(cfg.GenesisFile(), genesis); err != nil {
		return nil, fmt.Errorf("init ledger: %w", err)
	}
	return genesis, nil
}

// Genesis returns the genesis document of a home. The error wraps
// [fs.ErrNotExist] when Init did not run there.
func Genesis(home string) ([]byte, error) {
	cfg := config.DefaultConfig()
	cfg.SetRoot(home)
	return os.ReadFile(cfg.GenesisFile())
}

// newGenesis returns the document of a network with one validator.
func newGenesis(name string, params ledger.Params, key cmted25519.PubKey) ([]byte, error) {
	g := ledger.Genesis{Version: 1, Network: name, Params: params, Validators: []protocol.Account{protocol.Account(key)}}
	if err := g.Check(); err != nil {
		return nil, err
	}
	state, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	doc := types.GenesisDoc{
		GenesisTime: time.Now().UTC().Truncate(time.Millisecond),
		ChainID:     name,
		Validators:  []types.GenesisValidator{{Address: key.Address(), PubKey: key, Power: 1, Name: name}},
		AppState:    state,
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return nil, err
	}
	return cmtjson.MarshalIndent(&doc, "", "  ")
}

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
