// Package genesis makes and checks the genesis document, with which a network begins.
// It is CometBFT's, and its app_state is a [ledger.Genesis] (LEDGER.md, section 2).
// Ledger nodes, light clients and network files read it with one function, so that
// all refuse the same documents.
//
//	data, err := genesis.Make(ledger.Genesis{...}, time.Now())
//	doc, err := genesis.Parse(data)
package genesis

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

const (
	// MaxBytes bounds a document. One with the most validators has about 40 KB.
	MaxBytes = 256 << 10
	// minHeightBytes leaves room for the largest transaction beside the 3.4 KB that
	// CometBFT keeps free for each validator's signature.
	minHeightBytes = 2 << 20
	// EvidenceHeights and EvidenceAge are the age at which evidence of double signing
	// expires: both must have passed. Nodes keep the blocks of as many heights.
	EvidenceHeights = 100_000
	EvidenceAge     = EvidenceHeights * time.Second
	// MaxEvidenceBytes bounds the evidence in a height.
	MaxEvidenceBytes = 64 << 10
	// power is that of each validator: votes are counted by head.
	power = 1
)

// Founding is what a valid genesis document says.
type Founding struct {
	Net    protocol.Net // SHA-256 of the document's bytes
	Ledger ledger.Genesis
	Comet  *types.GenesisDoc
}

// Make returns the document of a network that g describes, founded at a time.
func Make(g ledger.Genesis, founded time.Time) ([]byte, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	state, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	founded = founded.UTC().Truncate(time.Millisecond)
	id, err := chainID(g, founded)
	if err != nil {
		return nil, err
	}
	doc := types.GenesisDoc{
		GenesisTime: founded, ChainID: id, InitialHeight: 1, ConsensusParams: types.DefaultConsensusParams(), AppState: state,
	}
	doc.ConsensusParams.Block.MaxBytes = ledger.MaxBlock
	doc.ConsensusParams.Evidence = types.EvidenceParams{
		MaxAgeNumBlocks: EvidenceHeights, MaxAgeDuration: EvidenceAge, MaxBytes: MaxEvidenceBytes,
	}
	for _, v := range g.Validators {
		key := cmted25519.PubKey(v[:])
		doc.Validators = append(doc.Validators, types.GenesisValidator{Address: key.Address(), PubKey: key, Power: power})
	}
	data, err := cmtjson.MarshalIndent(&doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return data, nil
}

// chainID returns NAME-HASH, where HASH is the first 8 hexadecimal digits of
// SHA-256(genesis record ‖ time of founding in milliseconds since 1970, 8 bytes).
// Validators sign the chain id with every height. A network that is founded again
// with the same name and keys has another time, so that signatures of the old
// network are worth nothing in the new one.
func chainID(g ledger.Genesis, founded time.Time) (string, error) {
	record, err := block.Encode(g)
	if err != nil {
		return "", fmt.Errorf("genesis: %w", err)
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(record, uint64(founded.UnixMilli())))
	return g.Network + "-" + hex.EncodeToString(sum[:4]), nil
}

// Parse reads a document and checks every field that decides what the network does.
func Parse(data []byte) (Founding, error) {
	d, err := parse(data)
	if err != nil {
		return Founding{}, fmt.Errorf("genesis document: %w", err)
	}
	return d, nil
}

func parse(data []byte) (Founding, error) {
	d := Founding{Net: sha256.Sum256(data), Comet: new(types.GenesisDoc)}
	if len(data) > MaxBytes {
		return d, fmt.Errorf("%d bytes, the limit is %d", len(data), MaxBytes)
	}
	if err := cmtjson.Unmarshal(data, d.Comet); err != nil {
		return d, err
	}
	var err error
	if d.Ledger, err = ledger.ParseGenesis(d.Comet.AppState); err != nil {
		return d, fmt.Errorf("app_state: %w", err)
	}
	// Before CometBFT's own checks, which fill in what is missing and expect keys.
	if err := checkValidators(d.Comet.Validators, d.Ledger.Validators); err != nil {
		return d, err
	}
	if err := checkFounding(d.Comet, d.Ledger); err != nil {
		return d, err
	}
	if err := checkParams(d.Comet.ConsensusParams); err != nil {
		return d, fmt.Errorf("consensus_params: %w", err)
	}
	return d, d.Comet.ValidateAndComplete()
}

// checkValidators holds CometBFT's validators to the ledger's: the same keys in the
// same sequence, each with the power 1.
func checkValidators(got []types.GenesisValidator, want []protocol.Account) error {
	if len(got) != len(want) {
		return fmt.Errorf("validators: %d, but app_state has %d", len(got), len(want))
	}
	for i, v := range got {
		key, ok := v.PubKey.(cmted25519.PubKey)
		switch {
		case !ok:
			return fmt.Errorf("validators[%d]: pub_key is not an Ed25519 key", i)
		case len(key) != cmted25519.PubKeySize:
			return fmt.Errorf("validators[%d]: pub_key has %d bytes, want %d", i, len(key), cmted25519.PubKeySize)
		case protocol.Account(key) != want[i]:
			return fmt.Errorf("validators[%d]: pub_key is that of %s, but app_state has %s", i, protocol.Account(key), want[i])
		case v.Power != power:
			return fmt.Errorf("validators[%d]: power is %d, want %d", i, v.Power, power)
		}
	}
	return nil
}

// checkFounding checks the time, the chain id and the start of the chain.
func checkFounding(doc *types.GenesisDoc, g ledger.Genesis) error {
	founded := doc.GenesisTime
	if founded.UnixMilli() <= 0 || !founded.Equal(founded.Truncate(time.Millisecond)) {
		return fmt.Errorf("genesis_time: %q, want a time after 1970 in whole milliseconds", founded.Format(time.RFC3339Nano))
	}
	id, err := chainID(g, founded)
	switch {
	case err != nil:
		return err
	case doc.ChainID != id:
		return fmt.Errorf("chain_id: %q, but that of this network is %q", doc.ChainID, id)
	case doc.InitialHeight != 1:
		return fmt.Errorf("initial_height: %d, want 1", doc.InitialHeight)
	case len(doc.AppHash) > 0:
		return errors.New("app_hash: it must be empty, because app_state decides it")
	}
	return nil
}

// checkParams bounds what a height may have, and what its evidence.
func checkParams(p *types.ConsensusParams) error {
	switch {
	case p == nil:
		return errors.New("there are none")
	case p.Block.MaxBytes < minHeightBytes || p.Block.MaxBytes > ledger.MaxBlock:
		return fmt.Errorf("block.max_bytes: %d, want %d to %d", p.Block.MaxBytes, minHeightBytes, ledger.MaxBlock)
	case p.Block.MaxGas != -1:
		return fmt.Errorf("block.max_gas: %d, want -1, because the ledger counts its own", p.Block.MaxGas)
	case p.Evidence.MaxAgeNumBlocks <= 0 || p.Evidence.MaxAgeNumBlocks > EvidenceHeights:
		return fmt.Errorf("evidence.max_age_num_blocks: %d, want 1 to %d, the heights that nodes keep", p.Evidence.MaxAgeNumBlocks, EvidenceHeights)
	case p.Evidence.MaxAgeDuration <= 0 || p.Evidence.MaxAgeDuration > EvidenceAge:
		return fmt.Errorf("evidence.max_age_duration: %v, want more than 0 and at most %v", p.Evidence.MaxAgeDuration, EvidenceAge)
	case p.Evidence.MaxBytes <= 0 || p.Evidence.MaxBytes > MaxEvidenceBytes:
		return fmt.Errorf("evidence.max_bytes: %d, want 1 to %d", p.Evidence.MaxBytes, MaxEvidenceBytes)
	case len(p.Validator.PubKeyTypes) != 1 || p.Validator.PubKeyTypes[0] != types.ABCIPubKeyTypeEd25519:
		return fmt.Errorf("validator.pub_key_types: %q, want %q alone", p.Validator.PubKeyTypes, types.ABCIPubKeyTypeEd25519)
	case p.ABCI.VoteExtensionsEnableHeight != 0:
		return errors.New("abci.vote_extensions_enable_height: want 0, because the ledger has no vote extensions")
	case p.Version.App != 0 || p.Authority.Authority != "":
		return errors.New("version and authority: want none")
	}
	return nil
}
