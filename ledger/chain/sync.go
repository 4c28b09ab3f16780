package chain

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/config"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/cometbft/cometbft/state"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/ledger/genesis"
)

// StateSync is a header that the node trusts, and whom to ask for what is before and
// after it. A light client finds it.
type StateSync struct {
	Height  uint64
	BlockID [32]byte // hash of the header at Height
	Servers []string // RPC URLs of ledger nodes
}

const (
	// discoveryTime is how long a node that joins waits for its peers to name
	// snapshots. CometBFT takes no less.
	discoveryTime = 5 * time.Second
	// walkTime bounds the time to fetch the headers before a trusted one, and
	// walkCalls the calls at once.
	walkTime  = 5 * time.Minute
	walkCalls = 8
)

// configureSync has a node without a height begin with a snapshot, if the network has
// gone so far that there is one. Otherwise the node takes all heights.
func configureSync(ctx context.Context, cfg *config.Config, c Config) error {
	if c.StateSync == nil {
		return nil
	}
	if height, err := lastHeight(cfg); err != nil || height > 0 {
		return err
	}
	at, err := c.StateSync(ctx)
	if err != nil { // no ledger node answers: the network may begin just now
		c.Log.Info("no snapshot is sought", "error", err)
		return nil
	}
	interval := cmp.Or(c.SnapshotInterval, snapshotInterval)
	if at.Height < 2*interval || len(at.Servers) == 0 {
		return nil
	}
	// The older of the two snapshots that peers offer. From a header that is not above a
	// snapshot CometBFT finds the snapshot's in a few calls. Otherwise it would fetch
	// every header between the two, and has only 30 seconds for that.
	height := (at.Height/interval - 1) * interval
	hash, err := at.before(ctx, height)
	if err != nil {
		return fmt.Errorf("seek a snapshot: %w", err)
	}
	cfg.StateSync.Enable = true
	cfg.StateSync.RPCServers = at.Servers
	if len(at.Servers) == 1 { // CometBFT wants two, to compare them
		cfg.StateSync.RPCServers = []string{at.Servers[0], at.Servers[0]}
	}
	cfg.StateSync.TrustHeight = int64(height)
	cfg.StateSync.TrustHash = hex.EncodeToString(hash)
	cfg.StateSync.TrustPeriod = genesis.EvidenceAge
	cfg.StateSync.MaxSnapshotChunks = maxChunks
	cfg.StateSync.DiscoveryTime = discoveryTime
	return nil
}

// lastHeight returns CometBFT's last height in a home, or 0.
func lastHeight(cfg *config.Config) (height int64, err error) {
	db, err := openDB(&config.DBContext{ID: "state", Config: cfg})
	if err != nil {
		return 0, err
	}
	store := state.NewStore(db, state.StoreOptions{})
	defer func() { err = errors.Join(err, store.Close()) }()
	last, err := store.Load()
	return last.LastBlockHeight, err
}

// before returns the hash of the header at a height that is not above s.Height. It
// asks one server after the other.
func (s StateSync) before(ctx context.Context, height uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, walkTime)
	defer cancel()
	var failures []error
	for _, server := range s.Servers {
		hash, err := s.walk(ctx, server, height)
		if err == nil {
			return hash, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", server, err))
	}
	return nil, errors.Join(failures...)
}

// walk fetches the headers from a height to s.Height, and checks that each has the hash
// that the header above it names as the one before.
func (s StateSync) walk(ctx context.Context, server string, to uint64) ([]byte, error) {
	client, err := rpchttp.New(server, "/websocket")
	if err != nil {
		return nil, err
	}
	type header struct{ hash, before []byte }
	headers := make([]header, s.Height-to+1)
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(walkCalls)
	for i := range headers {
		calls.Go(func() error {
			height := int64(to) + int64(i)
			res, err := client.Commit(ctx, &height)
			if err != nil {
				return err
			}
			if res.Header == nil {
				return fmt.Errorf("header %d is missing", height)
			}
			headers[i] = header{res.Header.Hash(), res.LastBlockID.Hash}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	want := s.BlockID[:]
	for i := len(headers) - 1; i >= 0; i-- {
		if !bytes.Equal(headers[i].hash, want) {
			return nil, fmt.Errorf("header %d has hash %X, want %X: it is of another chain", to+uint64(i), headers[i].hash, want)
		}
		want = headers[i].before
	}
	return headers[0].hash, nil
}
