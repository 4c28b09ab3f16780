package light

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// paper is a network on paper: a genesis document, a settled unit, and its
// proof, the same in every process.
type paper struct {
	genesis []byte
	unit    block.Link
	settled ledger.Settlement
	proof   []byte
}

func newPaper(t testing.TB) paper {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key := cmted25519.GenPrivKeyFromSecret([]byte("validator"))
	app := ledger.Genesis{
		Version: 1, Network: "paper", Params: ledger.DefaultParams(),
		Validators: []protocol.Account{protocol.Account(key.PubKey().Bytes())},
	}
	appState, err := json.Marshal(app)
	check(err)
	doc := types.GenesisDoc{
		ChainID: "paper", GenesisTime: time.Unix(1, 0).UTC(), AppState: appState,
		Validators: []types.GenesisValidator{{PubKey: key.PubKey(), Power: 1}},
	}
	check(doc.ValidateAndComplete())
	p := paper{unit: block.Link{Cid: block.Sum(block.CBOR, []byte("unit"))}}
	p.genesis, err = cmtjson.Marshal(&doc)
	check(err)

	// A state with the settlement in it, and nothing that has led to it.
	p.settled = ledger.Settlement{Version: 1, Unit: p.unit, Miner: protocol.Account{1}, Cost: 5}
	value, err := block.Encode(p.settled)
	check(err)
	trust, err := newTrust(p.genesis)
	check(err)
	empty, err := ledger.New(trust.net, app)
	check(err)
	state, err := ledger.Load(trust.net, 0, append(empty.Pairs(nil), ledger.KeyValue{Key: ledger.UnitKey(p.unit), Value: value}))
	check(err)

	header, err := signHeader(key, trust.validators.Hash(), state.AppHash()).ToProto().Marshal()
	check(err)
	p.proof, err = block.Encode(unitProof{Version: 1, Header: header, State: state.Prove(ledger.UnitKey(p.unit))})
	check(err)
	return p
}

func signHeader(key cmted25519.PrivKey, validators, appHash []byte) *types.SignedHeader {
	zero := bytes.Repeat([]byte{7}, 32)
	h := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: "paper", Height: 1, Time: time.Unix(2, 0).UTC(),
		LastCommitHash: zero, DataHash: zero, ValidatorsHash: validators, NextValidatorsHash: validators,
		ConsensusHash: zero, AppHash: appHash, LastResultsHash: zero, EvidenceHash: zero,
		ProposerAddress: key.PubKey().Address(),
	}
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: zero}}
	vote := cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 1, BlockID: id.ToProto(), Timestamp: h.Time}
	sig, err := key.Sign(types.VoteSignBytes("paper", &vote))
	if err != nil {
		panic(err) // Ed25519 always signs
	}
	return &types.SignedHeader{Header: h, Commit: &types.Commit{Height: 1, BlockID: id, Signatures: []types.CommitSig{{
		BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: key.PubKey().Address(), Timestamp: h.Time, Signature: sig,
	}}}}
}

func TestVerifyProofOnPaper(t *testing.T) {
	p := newPaper(t)
	got, err := VerifyProof(p.genesis, p.proof, p.unit)
	if err != nil || got != p.settled {
		t.Errorf("proof shows %+v, %v; want %+v", got, err, p.settled)
	}
}

// No bytes show anything but what the validators signed.
func FuzzVerifyProof(f *testing.F) {
	p := newPaper(f)
	f.Add(p.proof)
	f.Fuzz(func(t *testing.T, proof []byte) {
		if got, err := VerifyProof(p.genesis, proof, p.unit); err == nil && got != p.settled {
			t.Errorf("%x shows %+v", proof, got)
		}
	})
}
