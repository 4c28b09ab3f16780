package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// watch follows a run by its notices: it shows them, and measures.
type watch struct {
	app     *app
	kernels string
	alone   bool      // this process computes every unit
	screen  *terminal // nil where no status line is drawn

	mu          sync.Mutex // guards what follows: notices come from several goroutines
	progress    progress
	stopping    bool // after an interrupt, when connections break
	tokens      uint64
	cpu, cpuEnd float64       // seconds of this process, at the plan and at the last round
	spoken      time.Time     // of the last plain line
	waits       node.Waiting  // the last line, if it said why work waits
	track       *curves.Track // nil where no run is trained
	dir         string        // of that run
}

// newWatch returns a watch. Once ctx ends it tells of no miner any more: their
// connections break because this process leaves.
func newWatch(ctx context.Context, a *app, kernels string) *watch {
	w := &watch{app: a, kernels: kernels}
	if t, ok := onTerminal(a.stderr); ok && !a.events {
		w.screen = t
	}
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stopping = true
	})
	return w
}

// draw has the watch write the curves of a plan's run into the run's directory.
func (w *watch) draw(ctx context.Context, store block.Blocks, plan *run.Plan, dir string) (err error) {
	w.dir = dir
	w.track, err = curves.OpenTrack(ctx, store, plan, dir)
	return err
}

// report takes a notice.
func (w *watch) report(n node.Notice) {
	w.app.event(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := n.(type) {
	case node.Planned:
		w.progress = progress{began: time.Now(), total: e.Rounds, text: "starting"}
		if w.track != nil {
			w.progress.first, w.progress.done = w.track.Done, w.track.Done
		}
		w.cpu = machine.CPUSeconds()
		w.cpuEnd = w.cpu
		w.app.note("%v, kernels %s", n, w.kernels)
	case node.RoundDone:
		w.waits = node.Waiting{}
		w.tokens, w.cpuEnd = w.tokens+e.Tokens, machine.CPUSeconds()
		w.round(e)
		if err := w.track.Add(e); err != nil { // the model does not depend on it
			w.app.log.Warn("curves not written", "err", err)
		}
	case node.Resumed:
		w.waits = node.Waiting{}
		w.app.note("%v", n)
	case node.Waiting: // it comes every few seconds, and a person needs it once
		if !w.stopping && e != w.waits {
			w.waits = e
			w.app.note("%v", n)
		}
	case node.MinerJoined, node.MinerLeft, node.Refused:
		if !w.stopping {
			w.waits = node.Waiting{}
			w.app.note("%v", n)
		}
	}
}

// every is the pause between plain lines, of which a person needs few.
const every = 5 * time.Second

// round shows a round: in the status line, and now and then in a line of its
// own, which validations always have.
func (w *watch) round(e node.RoundDone) {
	p := &w.progress
	p.done, p.text = e.Round, fmt.Sprintf("epoch %d, loss %.3f", e.Epoch, e.Loss)
	if w.screen != nil {
		defer func() { w.screen.draw(p.line(time.Now(), w.screen.width()-len("^C"))) }()
	}
	if e.Valid == 0 && (w.screen != nil || time.Since(w.spoken) < every) {
		return
	}
	w.spoken = time.Now()
	line := e.String()
	if e.Valid != 0 {
		line += fmt.Sprintf(", validation %.3f, BLEU %.2f, chrF2 %.2f", e.Valid, e.BLEU, e.ChrF)
	}
	if e.Seconds > 0 {
		line += fmt.Sprintf(", %.0f tokens/s", float64(e.Tokens)/e.Seconds)
	}
	w.app.note("%s", line)
}

// close takes the status line from the terminal and finishes the curves. It may
// be called more than once.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.track.Close(); err != nil {
		w.app.log.Warn("curves not written", "err", err)
	}
	if w.screen != nil {
		w.screen.draw("")
	}
}

// stopped closes the watch, and says in the run's error how to go on after an
// interrupt.
func (w *watch) stopped(ctx context.Context, err error) error {
	w.close()
	if w.progress.total == 0 {
		return undone(ctx, err, "the run has not begun")
	}
	return undone(ctx, err, "the run is stopped after round %d of %d; the same command goes on from there", w.progress.done, w.progress.total)
}

// sum is the run's result. The processor time of a run is known when this
// process alone computed it.
func (w *watch) sum(plan *run.Plan, o *node.TrainingResult, path string) report.Trained {
	t := report.Trained{
		Model: o.Model.String(), Run: plan.Link.String(), Rounds: o.Rounds, Units: o.Units,
		TrainLoss: o.Loss, ValidLoss: o.Valid, Tests: o.Tests, Seconds: o.Seconds,
		TargetTokens: w.tokens, Path: path,
		Metrics: filepath.Join(w.dir, curves.MetricsFile), TensorBoard: filepath.Join(w.dir, curves.EventsFile),
		Curves: filepath.Join(w.dir, curves.ChartFile),
	}
	if o.Rounds < plan.Rounds() {
		w.app.note("ended after round %d of %d: no better %s in %s", o.Rounds, plan.Rounds(), plan.Run.Config.MeasureName(),
			english.Plural(int(plan.Run.Config.Patience), "validation", ""))
	}
	if len(o.Tests) > 0 {
		t.BLEU, t.ChrF = o.Tests[0].BLEU, o.Tests[0].ChrF
	}
	if t.Seconds > 0 {
		t.TokensPerSecond = float64(t.TargetTokens) / t.Seconds
	}
	if t.CPUSeconds = w.cpuEnd - w.cpu; !w.alone {
		t.CPUSeconds = 0
	} else if t.CPUSeconds > 0 {
		t.TokensPerCPUSecond = float64(t.TargetTokens) / t.CPUSeconds
	}
	return t
}
