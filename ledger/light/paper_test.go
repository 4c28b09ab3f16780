package light

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/libs/log"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

// crew gives the validators' keys of a height.
type crew func(height int64) []cmted25519.PrivKey

// paper is a chain on paper: real headers and signatures, one height a second, without
// the nodes that would make them. The state is that of the genesis at every height.
type paper struct {
	genesis []byte
	chainID string
	crew    crew
	state   *ledger.State
	heights []*types.LightBlock // from height 1 on
}

const paperStart = 1000 // seconds since 1970, of the genesis document and height 1

// newPaper returns a chain of n heights. Its state has the records of a new network, and
// more.
func newPaper(t testing.TB, n int, c crew, more ...ledger.KeyValue) *paper {
	t.Helper()
	p := &paper{crew: c}
	app := ledger.Genesis{Version: 1, Network: "paper", Params: ledger.DefaultParams()}
	for _, k := range c(1) {
		app.Validators = append(app.Validators, protocol.Account(k.PubKey().Bytes()))
	}
	var err error
	p.genesis, err = genesis.Make(app, time.Unix(paperStart, 0))
	check(t, err)
	trust, err := newTrust(p.genesis)
	check(t, err)
	p.chainID = trust.root.ChainID
	empty, err := ledger.New(trust.net, app)
	check(t, err)
	records := slices.AppendSeq(more, empty.All())
	slices.SortFunc(records, func(a, b ledger.KeyValue) int {
		x, y := sha256.Sum256(a.Key), sha256.Sum256(b.Key)
		return bytes.Compare(x[:], y[:])
	})
	p.state, err = ledger.Load(trust.net, 0, nil, func(yield func(ledger.KeyValue, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	check(t, err)
	for range n {
		p.extend(c, p.state.AppHash())
	}
	return p
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// extend makes the next height, which signers sign: honest heights are signed by the
// crew, and have the state's root.
func (p *paper) extend(signers crew, appHash []byte) {
	height := int64(len(p.heights)) + 1
	h := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: p.chainID, Height: height, Time: p.time(height),
		LastCommitHash: fill(1), DataHash: fill(2), EvidenceHash: fill(3), ConsensusHash: fill(4), LastResultsHash: fill(5),
		ValidatorsHash: setOf(signers(height)).Hash(), NextValidatorsHash: setOf(signers(height + 1)).Hash(),
		AppHash: appHash, ProposerAddress: signers(height)[0].PubKey().Address(),
	}
	if height > 1 {
		h.LastBlockID = p.heights[height-2].Commit.BlockID
	}
	p.heights = append(p.heights, &types.LightBlock{
		SignedHeader: sign(h, setOf(signers(height)), signers(height)), ValidatorSet: setOf(signers(height)),
	})
}

// time returns the time of a height.
func (p *paper) time(height int64) time.Time { return time.Unix(paperStart+height-1, 0).UTC() }

// sign signs a header with those of the set's keys that are given.
func sign(h *types.Header, set *types.ValidatorSet, keys []cmted25519.PrivKey) *types.SignedHeader {
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: fill(6)}}
	vote := cmtproto.Vote{Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id.ToProto(), Timestamp: h.Time}
	c := &types.Commit{Height: h.Height, BlockID: id, Signatures: make([]types.CommitSig, set.Size())}
	for i := range c.Signatures {
		c.Signatures[i] = types.NewCommitSigAbsent()
	}
	for _, k := range keys {
		sig, err := k.Sign(types.VoteSignBytes(h.ChainID, &vote))
		if err != nil {
			panic(err) // Ed25519 always signs
		}
		if i, v := set.GetByAddress(k.PubKey().Address()); v != nil {
			c.Signatures[i] = types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: h.Time, Signature: sig}
		}
	}
	return &types.SignedHeader{Header: h, Commit: c}
}

func fill(b byte) []byte {
	data := make([]byte, 32)
	data[0] = b
	return data
}

func setOf(keys []cmted25519.PrivKey) *types.ValidatorSet {
	var all []*types.Validator
	for _, k := range keys {
		all = append(all, types.NewValidator(k.PubKey(), 1))
	}
	return types.NewValidatorSet(all)
}

func validator(i int) cmted25519.PrivKey {
	return cmted25519.GenPrivKeyFromSecret(fmt.Append(nil, "validator ", i))
}

// always is a crew that never changes.
func always(keys ...cmted25519.PrivKey) crew {
	return func(int64) []cmted25519.PrivKey { return keys }
}

// rotating is a crew of four: one leaves, and a new one joins, every ten heights.
func rotating(height int64) []cmted25519.PrivKey {
	first := int(height) / 10
	return []cmted25519.PrivKey{validator(first), validator(first + 1), validator(first + 2), validator(first + 3)}
}

// paperNode answers over HTTP as a ledger node that has heights of a paper.
type paperNode struct {
	*paper
	url string

	mu             sync.Mutex
	oldest, newest int64
	growing        bool // a query makes a height
	silent         bool
	calls          map[string]int
	// what a liar changes in its answers
	queryHeight func(int64) int64
	validators  func([]*types.Validator) []*types.Validator
}

// serve starts a node whose newest height is the last of the paper.
func (p *paper) serve(t testing.TB) *paperNode {
	n := &paperNode{paper: p, oldest: 1, newest: int64(len(p.heights)), calls: map[string]int{}}
	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, map[string]*rpcserver.RPCFunc{
		"commit":     rpcserver.NewRPCFunc(n.commit, "height"),
		"validators": rpcserver.NewRPCFunc(n.validatorsAt, "height,page,per_page"),
		"abci_query": rpcserver.NewRPCFunc(n.query, "path,data,height,prove"),
	}, log.NewNopLogger())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		silent := n.silent
		n.calls["all"]++
		n.mu.Unlock()
		if silent {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	n.url = s.URL
	return n
}

// set changes the node while it serves.
func (n *paperNode) set(change func(*paperNode)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *paperNode) count(call string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[call]
}

func (n *paperNode) at(height *int64) (*types.LightBlock, error) {
	h := n.newest
	if height != nil {
		h = *height
	}
	if h < n.oldest || h > n.newest {
		return nil, fmt.Errorf("height %d is not available", h)
	}
	return n.heights[h-1], nil
}

func (n *paperNode) commit(_ *rpctypes.Context, height *int64) (*ctypes.ResultCommit, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls["commit"]++
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	return &ctypes.ResultCommit{SignedHeader: *b.SignedHeader, CanonicalCommit: true}, nil
}

func (n *paperNode) validatorsAt(_ *rpctypes.Context, height *int64, page, perPage *int) (*ctypes.ResultValidators, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls["validators"]++
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	if *page != 1 || *perPage < b.ValidatorSet.Size() {
		return nil, errors.New("more than one page is asked for")
	}
	all := b.ValidatorSet.Validators
	if n.validators != nil {
		all = n.validators(all)
	}
	return &ctypes.ResultValidators{BlockHeight: b.Height, Validators: all, Count: len(all), Total: len(all)}, nil
}

func (n *paperNode) query(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, _ int64, _ bool) (*ctypes.ResultABCIQuery, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls["query"]++
	key, err := ledger.QueryKey(path, data)
	if err != nil {
		return nil, err
	}
	if n.growing {
		n.newest++
	}
	height := n.newest - 1
	if n.queryHeight != nil {
		height = n.queryHeight(height)
	}
	value, _ := n.state.Get(key)
	op := n.state.Prove(key).Op(key)
	return &ctypes.ResultABCIQuery{Response: abci.ResponseQuery{
		Key: key, Value: value, Height: height, ProofOps: &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{op}},
	}}, nil
}

// dial returns a client of nodes of one network, by a clock that shows the time of a
// height.
func dial(t testing.TB, height int64, nodes ...*paperNode) *Client {
	t.Helper()
	c, err := tryDial(height, nodes...)
	check(t, err)
	return c
}

func tryDial(height int64, nodes ...*paperNode) (*Client, error) {
	cfg := Config{Genesis: nodes[0].genesis, Now: func() time.Time { return nodes[0].time(height) }}
	for _, n := range nodes {
		cfg.Addrs = append(cfg.Addrs, n.url)
	}
	return Dial(context.Background(), cfg)
}
