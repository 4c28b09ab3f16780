package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
)

// A snapshot is the whole state after a height, for nodes that join without the
// heights before (LEDGER.md, section 11.4). It is all records in the sequence of
// the SHA-256 of their keys, cut into chunks. All nodes cut alike, so that a node
// may fetch the chunks of one snapshot from several peers. On disk a snapshot is a
// directory named by the height. The directory has the chunks, in files named by
// their numbers, and the chunks' SHA-256 in one more file.
const (
	snapshotFormat   = 1
	snapshotInterval = 1000    // heights between snapshots
	keepSnapshots    = 2       // snapshots that a node offers
	maxChunk         = 4 << 20 // bytes of a chunk
	maxChunks        = 4096    // chunks of a snapshot
	sumsFile         = "sums"
)

// snapshots is the directory of a node's snapshots.
type snapshots string

// openSnapshots returns the snapshots of a directory, and removes one that was not finished.
func openSnapshots(dir string) (snapshots, error) {
	s := snapshots(dir)
	return s, os.RemoveAll(s.unfinished())
}

// unfinished is where a snapshot is written.
func (s snapshots) unfinished() string { return filepath.Join(string(s), "unfinished") }

// export writes a snapshot of a state and removes the oldest. It reads the state while the
// chain goes on, and stops when the context ends.
func (s snapshots) export(ctx context.Context, state *ledger.State) error {
	dir := s.unfinished()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sums, err := writeChunks(ctx, dir, state)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err := writeFile(filepath.Join(dir, sumsFile), sums); err != nil {
		return err
	}
	whole := filepath.Join(string(s), strconv.FormatUint(state.Height(), 10))
	if err := errors.Join(os.RemoveAll(whole), os.Rename(dir, whole)); err != nil {
		return err
	}
	heights, err := s.heights()
	if err != nil {
		return err
	}
	for i := keepSnapshots; i < len(heights); i++ {
		err = errors.Join(err, os.RemoveAll(filepath.Join(string(s), strconv.FormatUint(heights[i], 10))))
	}
	return err
}

// writeChunks writes the chunks of a state into a directory and returns their SHA-256,
// joined.
func writeChunks(ctx context.Context, dir string, state *ledger.State) (sums []byte, err error) {
	var chunk, record []byte
	next := 0
	finish := func() error {
		sum := sha256.Sum256(chunk)
		sums = append(sums, sum[:]...)
		if next == maxChunks {
			return fmt.Errorf("the state needs more than %d chunks", maxChunks)
		}
		err := writeFile(filepath.Join(dir, strconv.Itoa(next)), chunk)
		next, chunk = next+1, chunk[:0]
		return err
	}
	for pair := range state.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		record = appendRecord(record[:0], pair)
		if len(record) > maxChunk {
			return nil, fmt.Errorf("the record of key %x has %d bytes, the most is %d", pair.Key, len(record), maxChunk)
		}
		if len(chunk)+len(record) > maxChunk {
			if err := finish(); err != nil {
				return nil, err
			}
		}
		chunk = append(chunk, record...)
	}
	return sums, finish()
}

// heights returns the heights of the whole snapshots, the newest first.
func (s snapshots) heights() ([]uint64, error) {
	entries, err := os.ReadDir(string(s))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var heights []uint64
	for _, e := range entries {
		if h, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			heights = append(heights, h)
		}
	}
	slices.Sort(heights)
	slices.Reverse(heights)
	return heights, nil
}

// list returns what the node offers to its peers. A snapshot that is removed meanwhile is left out.
func (s snapshots) list() ([]*abci.Snapshot, error) {
	heights, err := s.heights()
	if err != nil {
		return nil, err
	}
	var offers []*abci.Snapshot
	for _, h := range heights {
		sums, err := os.ReadFile(filepath.Join(string(s), strconv.FormatUint(h, 10), sumsFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(sums)
		offers = append(offers, &abci.Snapshot{
			Height: h, Format: snapshotFormat, Chunks: uint32(len(sums) / sha256.Size), Hash: sum[:], Metadata: sums,
		})
	}
	return offers, nil
}

// chunk returns a chunk, or nil when the node does not have it.
func (s snapshots) chunk(height uint64, number uint32) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(s), strconv.FormatUint(height, 10), strconv.FormatUint(uint64(number), 10)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// export makes a snapshot of a state while the chain goes on. One snapshot is made
// at a time: when the last one is not done, this one is left out.
func (a *app) export(state *ledger.State) {
	if !a.exporting.CompareAndSwap(false, true) {
		return
	}
	a.exports.Go(func() {
		defer a.exporting.Store(false)
		if err := a.tryExport(state); err != nil && a.life.Err() == nil {
			a.log.Warn("no snapshot was made", "height", state.Height(), "error", err)
		}
	})
}

func (a *app) tryExport(state *ledger.State) (err error) {
	defer a.guard(&err)
	return a.snapshots.export(a.life, state)
}

// ListSnapshots returns the snapshots that other nodes may fetch.
func (a *app) ListSnapshots(context.Context, *abci.RequestListSnapshots) (*abci.ResponseListSnapshots, error) {
	offers, err := a.snapshots.list()
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return &abci.ResponseListSnapshots{Snapshots: offers}, nil
}

// LoadSnapshotChunk returns a chunk of a snapshot to another node. A chunk that the
// node does not have is nil.
func (a *app) LoadSnapshotChunk(_ context.Context, req *abci.RequestLoadSnapshotChunk) (*abci.ResponseLoadSnapshotChunk, error) {
	if req.Format != snapshotFormat {
		return &abci.ResponseLoadSnapshotChunk{}, nil
	}
	data, err := a.snapshots.chunk(req.Height, req.Chunk)
	if err != nil {
		return nil, fmt.Errorf("load chunk %d of the snapshot of height %d: %w", req.Chunk, req.Height, err)
	}
	return &abci.ResponseLoadSnapshotChunk{Chunk: data}, nil
}
