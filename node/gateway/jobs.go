package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/unit"
)

// States of a job.
const (
	statusQueued      = "queued"
	statusTranslating = "translating"
	statusDone        = "done"
	statusError       = "error"
)

// record is the state of a job. It is kept in the store at each change but progress.
type record struct {
	ID         string      `json:"id"`
	Owner      string      `json:"owner"` // the ID of a key; "" is a client without one
	Name       string      `json:"name"`  // of the document
	Format     string      `json:"format"`
	From       string      `json:"from"`
	To         string      `json:"to"`
	Model      string      `json:"model"`  // a CID
	Source     string      `json:"source"` // languages of the model
	Target     string      `json:"target"`
	Status     string      `json:"status"`
	Error      string      `json:"error,omitempty"`
	Segments   int         `json:"segments"`
	Done       int         `json:"done"`
	Reused     int         `json:"reused"` // of Done, from the memory
	Characters int64       `json:"characters"`
	Cost       uint64      `json:"cost"` // at most, and after settlement in fact; 1e-8 ALIA
	Flags      []flagged   `json:"flags"`
	MoreFlags  int         `json:"more_flags,omitempty"` // that are not kept
	Receipt    receiptFile `json:"receipt"`
	Settled    bool        `json:"settled"`
	Created    time.Time   `json:"created"`
	Started    time.Time   `json:"started"`
	Expires    time.Time   `json:"expires"` // zero until the job is finished
	Bytes      int64       `json:"bytes"`   // of its files, and of the place that is kept for a result
	// Promised is what is counted of the quote in the month of the client until the job is
	// settled, in 1e-8 ALIA.
	Promised uint64 `json:"promised,omitempty"`
	// Tries is how often the translation was begun. One during which the gateway ended each
	// time is given up: perhaps it ends the gateway.
	Tries int `json:"tries,omitempty"`
	// Secret is the SHA-256 of the key of a document of the API of DeepL, and Taken says
	// that it was downloaded: once is all.
	Secret string `json:"secret,omitempty"`
	Taken  bool   `json:"taken,omitempty"`
	// Terms are the lines of a glossary that the document needs: the glossary may be deleted
	// before the document is translated.
	Terms []unit.Term `json:"terms,omitempty"`
}

// flagged is a segment that needs a person, as [document.Doubt].
type flagged = document.Doubt

// Bounds of the flags that a job keeps. A file of some hundred kilobytes may have a million
// segments, and all of them may be flagged: they would be in memory, and in each answer.
const (
	maxFlags     = 1000
	maxFlagBytes = 1 << 20 // of their texts
)

// keepFlags divides flags into those that are kept, and the number of the others.
func keepFlags(flags []flagged) (kept []flagged, more int) {
	size := 0
	for i, f := range flags {
		if size += len(f.Text) + len(f.Where) + len(f.Detail); i == maxFlags || size > maxFlagBytes {
			return slices.Clone(flags[:i]), len(flags) - i
		}
	}
	return flags, 0
}

// receiptFile is what the engine said about its receipt.
type receiptFile struct {
	File   string `json:"file,omitempty"`
	Status string `json:"status,omitempty"`
}

// client is whom a job belongs to, with no limits: what is given back has none, also of a key
// that is gone.
func (r record) client() client {
	c := client{id: r.Owner, month: monthOf(r.Created)}
	if r.Owner != "" {
		c.key = &APIKey{ID: r.Owner}
	}
	return c
}

// finished reports whether a job's result will not change any more.
func (r record) finished() bool { return r.Status == statusDone || r.Status == statusError }

// outName is the name of the result: letter.de.txt for letter.txt.
func (r record) outName() string {
	ext := filepath.Ext(r.Name)
	return strings.TrimSuffix(r.Name, ext) + "." + r.To + ext
}

// job is a record, and who waits for it.
type job struct {
	record
	changed chan struct{} // closed at the next change
	cancel  context.CancelFunc
	removed bool
}

// jobs are the documents of the gateway: in the directory documents, ID.in, ID.out and
// ID.receipt.
type jobs struct {
	g   *Gateway
	dir string

	mu    sync.Mutex // guards the fields below, and the jobs
	all   map[string]*job
	queue []string
	bytes int64
	held  int64         // bytes of uploads
	more  chan struct{} // has an item when the queue may have one

	settling chan struct{} // has an item for each job that is settled
}

// openJobs reads the jobs of the store. What was not done is done again, and files without
// a job go.
func openJobs(g *Gateway) (*jobs, error) {
	j := &jobs{g: g, dir: filepath.Join(g.Dir, "documents"), all: map[string]*job{}, more: make(chan struct{}, 1), settling: make(chan struct{}, settlers)}
	err := each(g.store, bucketJobs, "", func(id string, r record) error {
		if r.Status == statusTranslating {
			r.Status = statusQueued
		}
		j.all[id] = &job{record: r, changed: make(chan struct{})}
		j.bytes += r.Bytes
		if r.Status == statusQueued || r.Status == statusDone && !r.Settled {
			j.queue = append(j.queue, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	slices.SortFunc(j.queue, func(a, b string) int { return j.all[a].Created.Compare(j.all[b].Created) })
	j.wake()
	j.expire()
	files, err := os.ReadDir(j.dir)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if j.all[id] == nil {
			if err := os.Remove(filepath.Join(j.dir, f.Name())); err != nil {
				return nil, fmt.Errorf("gateway: %w", err)
			}
		}
	}
	return j, nil
}

func (j *jobs) in(id string) string  { return filepath.Join(j.dir, id+".in") }
func (j *jobs) out(id string) string { return filepath.Join(j.dir, id+".out") }

func (j *jobs) receipt(id string) string { return filepath.Join(j.dir, id+proof.Extension) }

func (j *jobs) wake() {
	select {
	case j.more <- struct{}{}:
	default:
	}
}

// get returns a job as it is now.
func (j *jobs) get(id string) (record, bool) {
	r, _, ok := j.watch(id)
	return r, ok
}

// watch returns a job, and a channel that is closed when it changes. A job whose time is
// over is not there, though its files may be.
func (j *jobs) watch(id string) (record, <-chan struct{}, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	o := j.all[id]
	if o == nil || o.over(j.g.Now()) {
		return record{}, nil, false
	}
	return o.record, o.changed, true
}

// over reports whether a job's time is over.
func (r record) over(now time.Time) bool { return !r.Expires.IsZero() && now.After(r.Expires) }

// wait waits until a job is as it should be.
func (j *jobs) wait(ctx context.Context, id string, until func(record) bool) (record, error) {
	for {
		r, changed, ok := j.watch(id)
		switch {
		case !ok:
			return r, refuse(http.StatusNotFound, "no such job")
		case until(r):
			return r, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, ctx.Err()
		case <-j.g.stopping:
			return r, refuse(http.StatusServiceUnavailable, "%v", errStopping)
		}
	}
}

// update changes a job, tells those who watch it, and keeps it unless it is progress.
func (j *jobs) update(id string, keep bool, f func(r *record)) error {
	j.mu.Lock()
	o := j.all[id]
	if o == nil {
		j.mu.Unlock()
		return nil
	}
	before := o.Bytes
	f(&o.record)
	j.bytes += o.Bytes - before
	close(o.changed)
	o.changed = make(chan struct{})
	r := o.record
	j.mu.Unlock()
	if !keep {
		return nil
	}
	return put(j.g.store, bucketJobs, id, r)
}

// remove ends a job, and deletes all of it.
func (j *jobs) remove(id string) error {
	j.mu.Lock()
	o := j.all[id]
	if o == nil {
		j.mu.Unlock()
		return nil
	}
	delete(j.all, id)
	j.queue = slices.DeleteFunc(j.queue, func(q string) bool { return q == id })
	j.bytes -= o.Bytes
	close(o.changed)
	running := o.cancel != nil
	if o.removed = true; running {
		o.cancel() // its worker deletes the files
	}
	unread := o.Status == statusQueued && !running
	j.mu.Unlock()
	err := j.g.store.remove(bucketJobs, id)
	if !running {
		err = errors.Join(err, j.files(id))
	}
	if unread { // nobody did anything for it
		err = errors.Join(err, j.g.usage.characters(o.client(), -o.Characters))
	}
	return err
}

// files deletes the files of a job.
func (j *jobs) files(id string) (err error) {
	for _, path := range []string{j.in(id), j.out(id), j.receipt(id)} {
		if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// expire removes the jobs whose time is over.
func (j *jobs) expire() {
	now := j.g.Now()
	j.mu.Lock()
	var over []string
	for id, o := range j.all {
		if o.over(now) {
			over = append(over, id)
		}
	}
	j.mu.Unlock()
	for _, id := range over {
		if err := j.remove(id); err != nil {
			j.g.Log.Error("a document is not deleted", "job", id, "err", err)
		}
	}
}
