package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// watch follows a run by its events: it shows them, and measures.
type watch struct {
	app           *app
	kernels       string
	alone         bool       // this process computes every unit
	mu            sync.Mutex // guards what follows: events come from several goroutines
	round, rounds int
	tokens        uint64
	cpu, cpuEnd   float64                  // seconds of this process, at the plan and at the last round
	bar           *progressbar.ProgressBar // nil where there is no terminal
	spoken        time.Time                // of the last plain line
	track         *track                   // nil where no run is trained
	dir           string                   // of that run
}

func newWatch(a *app, kernels string) *watch { return &watch{app: a, kernels: kernels} }

// draw has the watch write the curves of a plan's run into the run's directory.
func (w *watch) draw(ctx context.Context, store block.Blocks, plan *run.Plan, dir string) (err error) {
	w.dir = dir
	w.track, err = openTrack(ctx, store, plan, dir)
	return err
}

// report takes a notice.
func (w *watch) report(n node.Notice) {
	w.app.event(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := n.(type) {
	case node.Planned:
		w.rounds, w.cpu = e.Rounds, machine.CPUSeconds()
		w.cpuEnd = w.cpu
		w.app.note("%v, kernels %s", n, w.kernels)
		if _, ok := onTerminal(w.app.stderr); ok && !w.app.events {
			w.bar = progressbar.NewOptions(e.Rounds, progressbar.OptionSetWriter(w.app.stderr),
				progressbar.OptionSetDescription("training"), progressbar.OptionShowCount(),
				progressbar.OptionSetItsString("rounds"), progressbar.OptionShowIts(),
				progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
		}
	case node.RoundDone:
		w.round, w.tokens, w.cpuEnd = e.Round, w.tokens+e.Tokens, machine.CPUSeconds()
		w.show(e)
		if err := w.track.add(e); err != nil { // the model does not depend on it
			w.app.log.Warn("curves not written", "err", err)
		}
	case node.Waiting, node.MinerJoined, node.MinerLeft, node.Refused:
		w.app.note("%v", n)
	}
}

// every is the pause between plain lines, of which a person needs few.
const every = 5 * time.Second

func (w *watch) show(e node.RoundDone) {
	if w.bar != nil {
		w.bar.Describe(fmt.Sprintf("epoch %d, loss %.3f", e.Epoch, e.Loss))
		if err := w.bar.Set(e.Round); err != nil {
			w.app.log.Debug("progress bar", "err", err)
		}
	}
	if e.Valid == 0 && (w.bar != nil || time.Since(w.spoken) < every) {
		return
	}
	w.spoken = time.Now()
	line := fmt.Sprintf("round %d of %d, epoch %d, loss %.3f", e.Round, e.Rounds, e.Epoch, e.Loss)
	if e.Valid != 0 {
		line += fmt.Sprintf(", validation %.3f, BLEU %.2f, chrF2 %.2f", e.Valid, e.BLEU, e.ChrF)
	}
	if e.Seconds > 0 {
		line += fmt.Sprintf(", %.0f tokens/s", float64(e.Tokens)/e.Seconds)
	}
	if w.bar != nil {
		if err := w.bar.Clear(); err != nil {
			w.app.log.Debug("progress bar", "err", err)
		}
	}
	w.app.note("%s", line)
}

// close takes the bar from the terminal and finishes the curves. It may be
// called more than once.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.track.close(); err != nil {
		w.app.log.Warn("curves not written", "err", err)
	}
	if w.bar == nil {
		return
	}
	if err := w.bar.Clear(); err != nil {
		w.app.log.Debug("progress bar", "err", err)
	}
	w.bar = nil
}

// stopped says how to go on after an interrupt, and returns the run's error.
func (w *watch) stopped(ctx context.Context, err error) error {
	w.close()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		w.app.note("stopped after round %d of %d; the same command goes on from there", w.round, w.rounds)
	}
	return err
}

// sum is the run's result. The processor time of a run is known when this
// process alone computed it.
func (w *watch) sum(plan *run.Plan, o *node.Outcome, path string) report.Trained {
	t := report.Trained{
		Model: o.Model.String(), Run: plan.Link.String(), Rounds: o.Rounds, Units: o.Units,
		TrainLoss: o.Loss, ValidLoss: o.Valid, Tests: o.Tests, Seconds: o.Seconds,
		TargetTokens: w.tokens, Path: path,
		Metrics: filepath.Join(w.dir, curves.MetricsFile), TensorBoard: filepath.Join(w.dir, curves.EventsFile),
		Curves: filepath.Join(w.dir, curves.ChartFile),
	}
	if o.Rounds < plan.Rounds() {
		w.app.note("ended after round %d of %d: %d validations in turn brought no better BLEU", o.Rounds, plan.Rounds(), plan.Run.Config.Patience)
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
