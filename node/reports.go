package node

import (
	"log/slog"
	"sync/atomic"
)

// reports is the notices that wait for a reporter, which may write to a terminal that
// waits. Whoever gives a notice does not wait: when too many wait, notices are dropped
// and counted.
type reports struct {
	report  Reporter
	log     *slog.Logger
	queue   chan Notice
	quit    chan struct{}
	dropped *atomic.Uint64
}

const maxReports = 4096 // notices

func newReports(r Reporter, log *slog.Logger) reports {
	return reports{report: r, log: log, queue: make(chan Notice, maxReports), quit: make(chan struct{}), dropped: new(atomic.Uint64)}
}

// add gives a notice.
func (r *reports) add(n Notice) {
	select {
	case r.queue <- n:
	default:
		r.dropped.Add(1)
	}
}

// run hands the notices to the reporter, until close; then those that wait.
func (r *reports) run() {
	for open := true; open; {
		select {
		case n := <-r.queue:
			r.pass(n)
		case <-r.quit:
			open = false
		}
	}
	for {
		select {
		case n := <-r.queue:
			r.pass(n)
		default:
			return
		}
	}
}

func (r *reports) pass(n Notice) {
	if dropped := r.dropped.Swap(0); dropped > 0 {
		r.log.Warn("notices were dropped, because the terminal or the program that reads them was too slow", "notices", dropped)
	}
	r.report(n)
}

func (r *reports) close() { close(r.quit) }
