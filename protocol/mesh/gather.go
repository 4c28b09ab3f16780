package mesh

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// How a fetch asks several holders.
const (
	holdersAtOnce = 3
	hedgeAfter    = 2 * time.Second // the next holder is asked too when the others take longer
	maxFailures   = 5               // of one holder in turn, before it is given up
	failurePause  = 250 * time.Millisecond
	firstBatch    = 8                      // blocks of the first request
	quickBatch    = 250 * time.Millisecond // after a quicker batch the next is twice as large,
	slowBatch     = time.Second            // after a slower one half as large
)

// holder is a peer that a fetch asks for blocks. The fields below info are guarded
// by the gathering's mu while there is one.
type holder struct {
	info   peer.AddrInfo
	lacks  map[cid.Cid]struct{}
	batch  int                  // blocks of the next request
	asked  map[cid.Cid]struct{} // blocks that were requested and have not come
	cancel context.CancelFunc   // ends the request
	err    error                // why the holder is given up
}

func newHolder(info peer.AddrInfo) *holder {
	return &holder{info: info, lacks: make(map[cid.Cid]struct{}), asked: make(map[cid.Cid]struct{}), batch: firstBatch}
}

// gathering is the state of one round of asking. A missing block is in todo, or
// asked of at least one holder.
type gathering struct {
	*fetcher
	trouble chan struct{} // receives a value when a holder fails

	mu      sync.Mutex // guards the fields below, and the holders
	todo    []cid.Cid
	missing map[cid.Cid]time.Time // when each was asked for last
	changed chan struct{}         // closed and made anew when a block comes, or comes back to todo
	err     error                 // a block could not be stored here
}

// gather asks the holders that are not given up for the blocks: the first one, and
// up to holdersAtOnce when that is slow or fails. Each block is asked of one holder,
// and of a second one when it takes long and nothing else is left to ask for. gather
// returns the blocks that are still missing. It fails only if ctx ends or a block
// cannot be stored here.
func (f *fetcher) gather(ctx context.Context, wants []cid.Cid) ([]cid.Cid, error) {
	if len(wants) == 0 {
		return nil, nil
	}
	g := &gathering{
		fetcher: f, trouble: make(chan struct{}, 1), todo: slices.Clone(wants),
		missing: make(map[cid.Cid]time.Time, len(wants)), changed: make(chan struct{}),
	}
	for _, c := range wants {
		g.missing[c] = time.Time{}
	}
	waiting := slices.DeleteFunc(slices.Clone(f.holders), func(h *holder) bool { return h.err != nil })
	ended := make(chan struct{})
	hedge := time.NewTimer(hedgeAfter)
	defer hedge.Stop()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	running := 0
	for !g.done(ctx) && running+len(waiting) > 0 {
		if len(waiting) > 0 && running < holdersAtOnce {
			h := waiting[0]
			waiting = waiting[1:]
			running++
			go func() {
				g.ask(inner, h)
				ended <- struct{}{}
			}()
		}
		trouble, slow := g.trouble, hedge.C
		if len(waiting) == 0 || running == holdersAtOnce {
			trouble, slow = nil, nil
		}
		select {
		case <-ended:
			running--
		case <-trouble:
		case <-slow:
		}
		hedge.Reset(hedgeAfter)
	}
	cancel()
	for ; running > 0; running-- {
		<-ended
	}
	if g.err == nil {
		g.err = ctx.Err()
	}
	return slices.DeleteFunc(slices.Clone(wants), func(c cid.Cid) bool { _, ok := g.missing[c]; return !ok }), g.err
}

func (g *gathering) done(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.missing) == 0 || g.err != nil || ctx.Err() != nil
}

// ask asks one holder until there is nothing left to ask it for. A holder whose
// stream breaks is asked again after a pause.
func (g *gathering) ask(ctx context.Context, h *holder) {
	for failures := 0; ; {
		session, cancel := context.WithCancel(ctx)
		g.mu.Lock()
		h.cancel = cancel
		g.mu.Unlock()
		progress, err := g.session(session, h)
		overtaken := session.Err() != nil // other holders sent all that this one was asked for
		cancel()
		g.giveBack(h)
		var put *putError
		switch {
		case err == nil, ctx.Err() != nil:
			return
		case overtaken:
			continue
		case errors.As(err, &put):
			g.mu.Lock()
			g.err = put.error
			g.mu.Unlock()
			return
		case progress:
			failures = 0
		}
		failures++
		g.log.Debug("holder fails", "peer", h.info.ID, "failures", failures, "err", err)
		if failures == maxFailures || protocol.ReasonOf(err) != protocol.Unspecified || errors.Is(err, ErrTooLarge) {
			g.mu.Lock()
			h.err = plain(ctx, err)
			g.mu.Unlock()
			return
		}
		select {
		case g.trouble <- struct{}{}:
		default: // the next holder is to be asked already
		}
		select {
		case <-time.After(failurePause << (failures - 1)):
		case <-ctx.Done():
		}
	}
}

// take returns the blocks to ask the holder for next. It waits while other holders
// are asked for all of them, and returns none when there is nothing left to ask for.
func (g *gathering) take(ctx context.Context, h *holder) []cid.Cid {
	for {
		g.mu.Lock()
		batch, wait := g.pick(h, time.Now())
		changed := g.changed
		g.mu.Unlock()
		if len(batch) > 0 || wait == 0 {
			return batch
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// pick chooses blocks that nobody is asked for, or else blocks that another holder
// takes long to send. If there is none, it returns the time until it may be, or 0 if
// the holder has none of the missing blocks. The caller holds mu.
func (g *gathering) pick(h *holder, now time.Time) (batch []cid.Cid, wait time.Duration) {
	g.todo = slices.DeleteFunc(g.todo, func(c cid.Cid) bool {
		if _, lacks := h.lacks[c]; lacks || len(batch) == h.batch {
			return false
		}
		batch = append(batch, c)
		return true
	})
	if len(batch) == 0 {
		for c, at := range g.missing { // order-free: any slow block will do
			_, lacks := h.lacks[c]
			if lacks || at.IsZero() {
				continue
			}
			left := max(hedgeAfter-now.Sub(at), 0)
			if g.askers(c) > 1 {
				left = hedgeAfter // until one of the two has answered
			}
			if left > 0 {
				if wait == 0 || left < wait {
					wait = left
				}
			} else if len(batch) < h.batch {
				batch = append(batch, c)
			}
		}
	}
	for _, c := range batch {
		h.asked[c], g.missing[c] = struct{}{}, now
	}
	return batch, wait
}

// askers is the number of holders that are asked for a block. The caller holds mu.
func (g *gathering) askers(c cid.Cid) (n int) {
	for _, h := range g.holders {
		if _, asked := h.asked[c]; asked {
			n++
		}
	}
	return n
}

// answered notes that the holder has sent a block, or lacks it.
func (g *gathering) answered(h *holder, c cid.Cid, held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(h.asked, c)
	if !held {
		h.lacks[c] = struct{}{}
		g.restore(c)
		return
	}
	delete(g.missing, c)
	for _, o := range g.holders {
		if _, asked := o.asked[c]; asked {
			if delete(o.asked, c); len(o.asked) == 0 {
				o.cancel()
			}
		}
	}
	g.wake()
}

// giveBack lets others be asked for the blocks that the holder did not send.
func (g *gathering) giveBack(h *holder) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range h.asked { // order-free: todo has no order
		delete(h.asked, c)
		g.restore(c)
	}
}

// restore puts a missing block that nobody is asked for back to todo. The caller
// holds mu.
func (g *gathering) restore(c cid.Cid) {
	if _, missing := g.missing[c]; missing && g.askers(c) == 0 {
		g.missing[c] = time.Time{}
		g.todo = append(g.todo, c)
	}
	g.wake()
}

func (g *gathering) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// session asks the holder on one stream, until there is nothing left to ask it for.
// It reports whether a block came.
func (g *gathering) session(ctx context.Context, h *holder) (progress bool, err error) {
	if err := g.connect(ctx, h.info); err != nil {
		return false, err
	}
	s, err := g.host.NewStream(ctx, h.info.ID, g.protocol(blocksProtocol))
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			_ = s.Reset()
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	r := bufio.NewReaderSize(s, blockPiece)
	for {
		batch := g.take(ctx, h)
		if len(batch) == 0 {
			return progress, s.Close()
		}
		asked := time.Now()
		if err := writeWants(s, batch); err != nil {
			return progress, err
		}
		for _, c := range batch {
			most, ok := g.most[c]
			if !ok {
				most = block.MaxSize
			}
			held, err := g.receive(ctx, s, r, c, most)
			if err != nil {
				return progress, err
			}
			progress = progress || held
			g.answered(h, c, held)
		}
		switch took := time.Since(asked); {
		case took < quickBatch:
			h.batch = min(2*h.batch, maxWant)
		case took > slowBatch:
			h.batch = max(h.batch/2, 1)
		}
	}
}
