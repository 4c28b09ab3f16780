package mesh

import (
	"context"
	"sync"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
)

// The provider records that a node keeps for the DHT, of some 300 bytes each.
const (
	maxRecords    = 1 << 14
	recordsOfPeer = 128
)

// records are the provider records of the DHT. A peer may give a node a record of any
// key, for two days, and libp2p sets no bound to them. Beyond [recordsOfPeer] the records
// of a peer are dropped. A peer's key is free, so beyond [maxRecords] a new record takes
// the place of another, whosever it is.
type records struct {
	ds.Batching // has the records

	mu   sync.Mutex          // guards the fields below; held over calls of Batching, which is in memory
	keys map[ds.Key]struct{} // of the records
	of   map[string]int      // records by provider
}

func newRecords() *records {
	return &records{Batching: dssync.MutexWrap(ds.NewMapDatastore()), keys: map[ds.Key]struct{}{}, of: map[string]int{}}
}

// Put implements [ds.Write]. A record that is dropped is no error: libp2p would keep it
// and try again.
func (r *records) Put(ctx context.Context, k ds.Key, value []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.keys[k]; !ok {
		of := k.BaseNamespace()
		if r.of[of] == recordsOfPeer {
			return nil
		}
		for old := range r.keys { // order-free: any will do
			if len(r.keys) < maxRecords {
				break
			}
			if err := r.remove(ctx, old); err != nil {
				return err
			}
		}
		r.keys[k] = struct{}{}
		r.of[of]++
	}
	return r.Batching.Put(ctx, k, value)
}

// Delete implements [ds.Write].
func (r *records) Delete(ctx context.Context, k ds.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remove(ctx, k)
}

// remove deletes a record. The caller holds mu.
func (r *records) remove(ctx context.Context, k ds.Key) error {
	if _, ok := r.keys[k]; ok {
		delete(r.keys, k)
		of := k.BaseNamespace()
		if r.of[of]--; r.of[of] == 0 {
			delete(r.of, of)
		}
	}
	return r.Batching.Delete(ctx, k)
}

// Batch implements [ds.Batching].
func (r *records) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(r), nil }
