package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"runtime/debug"
	"slices"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/unit"
)

// run translates documents until the context ends.
func (j *jobs) run(ctx context.Context) error {
	for {
		j.mu.Lock()
		var o *job
		work, cancel := context.WithCancel(ctx)
		if len(j.queue) > 0 {
			o, j.queue = j.all[j.queue[0]], j.queue[1:]
			o.cancel = cancel
			if len(j.queue) > 0 {
				j.wake() // for another worker
			}
		}
		j.mu.Unlock()
		if o == nil {
			cancel()
			select {
			case <-j.more:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		finish, err := j.begin(work, o.ID)
		cancel()
		switch {
		case finish != nil:
			j.finish(ctx, o, finish)
		case ctx.Err() != nil:
			// The job goes on when the gateway is opened again: this was no try.
			return j.update(o.ID, true, func(r *record) { r.Tries = max(0, r.Tries-1) })
		default:
			j.end(o, err)
		}
	}
}

// settlers is how many jobs are settled at a time, beside those that are translated: the
// ledger takes longer than most documents.
const settlers = 8

// finish settles a job, and lets the worker go on.
func (j *jobs) finish(ctx context.Context, o *job, finish func(context.Context) error) {
	leave := func() { <-j.settling }
	select {
	case j.settling <- struct{}{}:
	case <-ctx.Done():
		leave = func() {} // no other will come
	}
	j.g.later.Go(func() {
		defer leave()
		if err := safely(j.g, o.ID, func() error { return finish(j.g.work) }); err == nil || j.g.work.Err() == nil {
			j.end(o, err)
		}
	})
}

// safely makes an error of a panic: a document may find a fault of this program, and must not
// end the gateway for all.
func safely(g *Gateway, id string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.Log.Error("a document made the gateway panic", "job", id, "panic", p, "stack", string(debug.Stack()))
			err = errors.New("internal error: the log of the gateway has it under the job's name")
		}
	}()
	return f()
}

// begin translates the document of a job. finish settles it, and is nil where there is nothing
// to settle.
func (j *jobs) begin(ctx context.Context, id string) (finish func(context.Context) error, err error) {
	err = safely(j.g, id, func() (err error) {
		finish, err = j.translate(ctx, id)
		return err
	})
	return finish, err
}

// end ends the work of a job.
func (j *jobs) end(o *job, err error) {
	j.mu.Lock()
	o.cancel = nil
	removed, r := o.removed, o.record
	j.mu.Unlock()
	id, refund := r.ID, !removed && err != nil && r.Status != statusDone
	if removed {
		err = j.files(id)
	} else {
		if err != nil {
			j.g.Log.Error("a document is not translated", "job", id, "err", err)
		}
		err = j.update(id, true, func(r *record) {
			if err != nil && r.Status != statusDone {
				r.Status, r.Error = statusError, reason(err)
			}
			r.Settled = r.Settled || r.Status == statusError
			r.Expires = j.g.Now().Add(j.g.Limits.Keep)
		})
	}
	if refund {
		err = errors.Join(err, j.g.usage.characters(r.client(), -r.Characters))
	}
	if err != nil {
		j.g.Log.Error("a job is not kept", "job", id, "err", err)
	}
}

// reason is an error as a client sees it: without paths.
func reason(err error) string {
	var f *failure
	var path *fs.PathError
	switch {
	case errors.As(err, &f):
		return f.text
	case errors.As(err, &path):
		return "the gateway cannot read or write its files"
	}
	return err.Error()
}

// errRevoked is why a document is not translated whose key was removed: somebody may have
// stolen it, and its limits are gone with it.
var errRevoked = refuse(http.StatusForbidden, "the API key with which the document came was removed")

// owner is the client that a job belongs to. A job whose key is gone, or cannot be read, has
// none: without its limits it could spend everything. One that is translated already may be
// settled all the same: the miners have done the work.
func (j *jobs) owner(r record) (client, error) {
	if r.Owner == "" {
		return r.client(), nil
	}
	keys, err := j.g.keys.all()
	if err != nil {
		return client{}, err
	}
	i := slices.IndexFunc(keys, func(k APIKey) bool { return k.ID == r.Owner })
	switch {
	case i >= 0:
		return client{id: r.Owner, key: &keys[i], month: monthOf(r.Created)}, nil
	case r.Status == statusDone:
		return r.client(), nil
	}
	return client{}, errRevoked
}

// maxTries is how often a document is begun.
const maxTries = 5

// open reads the document of a job, of which data are the bytes, and names its model.
func (j *jobs) open(r record) (data []byte, d *document.Document, m engine.Model, err error) {
	if data, err = os.ReadFile(j.in(r.ID)); err != nil {
		return nil, nil, m, err
	}
	if d, err = document.Parse(r.Name, data); err != nil {
		return nil, nil, m, err
	}
	m = engine.Model{Source: r.Source, Target: r.Target}
	m.Link, err = block.ParseLink(r.Model)
	return data, d, m, err
}

// translate translates the document of a job. finish, unless it is nil, settles the job: the
// work was done and is paid, whatever became of the file.
func (j *jobs) translate(ctx context.Context, id string) (finish func(context.Context) error, err error) {
	r, ok := j.get(id)
	if !ok {
		return nil, nil
	}
	if r.Tries >= maxTries && r.Status != statusDone {
		return nil, fmt.Errorf("the gateway ended %d times while it translated the document", r.Tries)
	}
	who, err := j.owner(r)
	if err != nil {
		return nil, err
	}
	data, d, m, err := j.open(r)
	if err != nil {
		return nil, err
	}
	var glossary *terms.Glossary
	if len(r.Terms) > 0 {
		if glossary, err = terms.New(r.Terms); err != nil {
			return nil, err
		}
	}
	texts, segments, translated, recalled := d.TextsInto(r.To), len(d.Segments), 0, 0
	err = j.update(id, true, func(r *record) {
		if r.Status != statusDone { // done, but not settled, stays done
			r.Status = statusTranslating
		}
		r.Done, r.Reused, r.Tries = 0, 0, r.Tries+1
		r.Segments, r.Started = segments, j.g.Now()
	})
	if err != nil {
		return nil, err
	}
	out, settle, err := j.g.translate(ctx, order{
		who: who, model: m, texts: texts, glossary: glossary, promised: r.Promised,
		quoted: func(q engine.Quote) {
			if err := j.update(id, true, func(r *record) { r.Cost, r.Promised = q.Amount, q.Amount }); err != nil {
				j.g.Log.Error("the quote of a job is not kept: a restart would count it twice", "job", id, "err", err)
			}
		},
		step: func(done, reused int) {
			// A segment with tags has several texts, and segments may share one: the same part
			// of the segments is done as of the texts.
			translated, recalled = translated+done, recalled+reused
			j.update(id, false, func(r *record) {
				r.Done, r.Reused = segments*translated/len(texts), segments*recalled/len(texts)
			})
		},
	})
	if err != nil {
		return nil, err
	}
	result, flags, err := d.Rebuild(document.Translations{Source: r.From, Target: r.To, Of: table(out)})
	if err == nil {
		err = disk.WriteFile(disk.OS, j.out(id), result)
	}
	if err == nil {
		err = j.update(id, true, func(r *record) {
			r.Status, r.Done = statusDone, segments
			r.Flags, r.MoreFlags = keepFlags(flags)
			r.Bytes = int64(len(data)) + int64(len(result))
			r.Expires = j.g.Now().Add(j.g.Limits.Keep)
		})
	}
	return func(ctx context.Context) error {
		if err != nil {
			_, failed := settle(ctx)
			return errors.Join(err, failed)
		}
		return j.settle(ctx, r, settle, proof.Draft{
			Name: r.Name, Output: r.outName(), In: data, Out: result, Format: d.Format, From: r.From, To: r.To,
			Model: m.Link, Decoding: unit.Greedy, Terms: r.Terms, Texts: out,
		})
	}, nil
}

// settle settles a job that is done, and makes its receipt.
func (j *jobs) settle(ctx context.Context, r record, settle settle, d proof.Draft) error {
	receipt, err := settle(ctx)
	if err != nil {
		return err
	}
	file, size := "", int64(0)
	if r.Secret == "" { // the API of DeepL has no receipts
		if file, size, err = j.prove(ctx, r.ID, d, receipt); err != nil { // the work is done and paid all the same
			file, size = "", 0
			j.g.Log.Error("a document has no receipt", "job", r.ID, "err", err)
		}
	}
	return j.update(r.ID, true, func(r *record) {
		r.Bytes += size
		r.Settled, r.Receipt = true, receiptFile{file, receipt.Status}
		r.Cost = cmp.Or(receipt.Amount, r.Cost)
	})
}
