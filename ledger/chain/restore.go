package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	abci "github.com/cometbft/cometbft/abci/types"
	"go.etcd.io/bbolt"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// restore is a snapshot of another node on its way into a store. The store is a new file
// beside the node's own, and takes the own file's place when its root is the
// one that the network's validators have signed.
type restore struct {
	store  *store
	height uint64
	root   []byte // signed by the validators
	sums   []byte // of the chunks, from a stranger
	next   int    // the chunk that follows
	last   []byte // SHA-256 of the last record's key
}

// errFalse says that a snapshot is not what it claims to be.
var errFalse = errors.New("the snapshot is false")

func (r *restore) chunks() int { return len(r.sums) / sha256.Size }

// add writes the records of the next chunk. The error is errFalse, wrapped, when the snapshot is
// at fault and not the disk.
func (r *restore) add(chunk []byte) error {
	return r.store.do(r.store.db.Update, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(recordBucket)
		bucket.FillPercent = 1 // records come sorted, so that no page needs room for later ones
		for len(chunk) > 0 {
			pair, rest, err := cutRecord(chunk)
			if err != nil {
				return fmt.Errorf("%w: chunk %d: %w", errFalse, r.next, err)
			}
			sum := sha256.Sum256(pair.Key)
			if bytes.Compare(r.last, sum[:]) >= 0 {
				return fmt.Errorf("%w: chunk %d: key %x comes twice or too late", errFalse, r.next, pair.Key)
			}
			if err := bucket.Put(sum[:], chunk[:len(chunk)-len(rest)]); err != nil {
				return err
			}
			r.last, chunk = sum[:], rest
		}
		r.next++
		return nil
	})
}

// finish returns the whole state. The error is errFalse, wrapped, when it has
// another root than the validators signed.
func (r *restore) finish(net protocol.Net) (*ledger.State, error) {
	if err := r.store.setHead(r.height, r.root); err != nil {
		return nil, err
	}
	state, err := r.store.load(net)
	if err != nil && !r.store.damaged.Load() {
		err = fmt.Errorf("%w: %w", errFalse, err)
	}
	return state, err
}

// discard removes the new file.
func (r *restore) discard() error { return errors.Join(r.store.close(), os.Remove(r.store.path)) }

// restorePath is where a restore writes its file.
func restorePath(own string) string { return own + ".restore" }

// removeUnfinished removes what a restore left behind that was interrupted.
func removeUnfinished(own string) error {
	if err := os.Remove(restorePath(own)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OfferSnapshot begins to restore a snapshot, whose root CometBFT's light client
// has verified. The snapshot's own words are checked: they come from a stranger.
func (a *app) OfferSnapshot(_ context.Context, req *abci.RequestOfferSnapshot) (*abci.ResponseOfferSnapshot, error) {
	a.restoreMu.Lock()
	defer a.restoreMu.Unlock()
	s := req.Snapshot
	if s.GetFormat() != snapshotFormat {
		return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_REJECT_FORMAT}, nil
	}
	sum := sha256.Sum256(s.Metadata)
	if s.Height == 0 || s.Chunks == 0 || s.Chunks > maxChunks || len(s.Metadata) != int(s.Chunks)*sha256.Size ||
		!bytes.Equal(s.Hash, sum[:]) || len(req.AppHash) != sha256.Size {
		return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_REJECT}, nil
	}
	if err := a.dropRestore(); err != nil {
		return nil, a.halt(fmt.Errorf("begin to restore a snapshot: %w", err))
	}
	fresh, err := openStore(restorePath(a.store.path), a.net)
	if err != nil {
		return nil, a.halt(fmt.Errorf("begin to restore a snapshot: %w", err))
	}
	a.restore = &restore{store: fresh, height: s.Height, root: req.AppHash, sums: s.Metadata}
	return &abci.ResponseOfferSnapshot{Result: abci.ResponseOfferSnapshot_ACCEPT}, nil
}

// dropRestore gives up a restore that is not finished.
func (a *app) dropRestore() error {
	if a.restore == nil {
		return nil
	}
	err := a.restore.discard()
	a.restore = nil
	return err
}

// ApplySnapshotChunk takes the next chunk of the snapshot. A chunk with another hash
// than announced is fetched again from another node. After the last chunk the
// snapshot becomes the node's state, if its root is right.
func (a *app) ApplySnapshotChunk(_ context.Context, req *abci.RequestApplySnapshotChunk) (_ *abci.ResponseApplySnapshotChunk, err error) {
	defer a.guard(&err)
	a.restoreMu.Lock()
	defer a.restoreMu.Unlock()
	r := a.restore
	if r == nil || int(req.Index) != r.next {
		return nil, fmt.Errorf("apply snapshot: chunk %d is not the next one of a snapshot that was accepted", req.Index)
	}
	sum := sha256.Sum256(req.Chunk)
	if len(req.Chunk) > maxChunk || !bytes.Equal(sum[:], r.sums[r.next*sha256.Size:][:sha256.Size]) {
		return &abci.ResponseApplySnapshotChunk{
			Result:        abci.ResponseApplySnapshotChunk_RETRY,
			RefetchChunks: []uint32{req.Index},
			RejectSenders: []string{req.Sender},
		}, nil
	}
	err = r.add(req.Chunk)
	if err == nil && r.next == r.chunks() {
		err = a.finishRestore()
	}
	switch {
	case err == nil:
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_ACCEPT}, nil
	case errors.Is(err, errFalse):
		a.log.Warn("a snapshot was refused", "height", r.height, "error", err)
		if err := a.dropRestore(); err != nil {
			return nil, a.halt(err)
		}
		return &abci.ResponseApplySnapshotChunk{Result: abci.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	}
	return nil, a.halt(fmt.Errorf("apply chunk %d of the snapshot of height %d: %w", req.Index, r.height, err))
}

// finishRestore puts the new file in the place of the node's own. The own file
// stays open for whoever still reads from it.
func (a *app) finishRestore() error {
	state, err := a.restore.finish(a.net)
	if err != nil {
		return err
	}
	own, fresh := a.store, a.restore.store
	if err := os.Rename(fresh.path, own.path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(own.path)); err != nil {
		return err
	}
	fresh.path = own.path
	a.store, a.restore = fresh, nil
	a.retired = append(a.retired, own)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.states = []*ledger.State{state}
	return nil
}

// syncDir makes the new names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
