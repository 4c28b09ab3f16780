package views

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/node/curves"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/retention"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// Runs implements [gateway.Views].
func (v *Viewer) Runs(ctx context.Context) ([]gateway.RunView, error) {
	all := []gateway.RunView{}
	for _, h := range v.Homes() {
		runs, _, err := v.runs(ctx, h)
		if err != nil {
			return nil, err
		}
		all = append(all, runs...)
	}
	slices.SortStableFunc(all, func(a, b gateway.RunView) int { return b.Last.Compare(a.Last) })
	return all, nil
}

// runs describes the runs of a home.
func (v *Viewer) runs(ctx context.Context, h Home) (all []gateway.RunView, found []retention.HomeRun, err error) {
	blocks, err := read(h)
	if err != nil {
		return nil, nil, err
	}
	if found, err = retention.Runs(ctx, h.Dir, blocks); err != nil || len(found) == 0 {
		return nil, nil, err
	}
	trains := v.trains(ctx, h)
	for _, r := range found {
		g := gateway.RunView{
			Run: r.Link.String(), Name: h.Name, Source: r.Record.Config.Source, Target: r.Record.Config.Target, Rounds: r.Rounds(),
			State: "training",
		}
		if r.Head.Defined() {
			g.Last = time.UnixMilli(int64(r.Last.Ended())).UTC()
		}
		switch {
		case r.Damage != nil:
			g.State, g.Reason = "damaged", r.Damage.Error()
		case r.Model.Defined():
			g.State, g.Model = "finished", r.Model.String()
		case !trains:
			g.State, g.Reason = "stopped", "No process works on it: the command that began the run goes on with it."
		}
		all = append(all, g)
	}
	return all, found, nil
}

// read opens the blocks of a home, which another process may have open; a home without
// blocks has none.
func read(h Home) (block.Blocks, error) {
	r, err := block.OpenReadOnly(h.Dir.Blocks())
	if errors.Is(err, os.ErrNotExist) {
		return new(block.MemoryStore), nil
	}
	return r, err
}

// trains reports whether a command in the home trains.
func (v *Viewer) trains(ctx context.Context, h Home) bool {
	var s report.NodeStatus
	if ask(ctx, h.Dir, &s, "node", "status") != nil {
		return false
	}
	training := func(command string) bool { return strings.HasPrefix(command, "alia train") }
	return training(s.Command) || slices.ContainsFunc(s.Guests, func(g report.RunningCommand) bool { return training(g.Command) })
}

// Run implements [gateway.Views].
func (v *Viewer) Run(ctx context.Context, cid string) (gateway.RunDetails, error) {
	for _, h := range v.Homes() {
		runs, found, err := v.runs(ctx, h)
		if err != nil {
			return gateway.RunDetails{}, err
		}
		if i := slices.IndexFunc(runs, func(r gateway.RunView) bool { return r.Run == cid }); i >= 0 {
			return v.details(ctx, h, runs[i], found[i])
		}
	}
	return gateway.RunDetails{}, gateway.Absent("This run is not here. It may have been deleted.")
}

// maxSamples bounds the validations whose samples are shown.
const maxSamples = 200

func (v *Viewer) details(ctx context.Context, h Home, of gateway.RunView, r retention.HomeRun) (d gateway.RunDetails, err error) {
	d = gateway.RunDetails{Of: of, Points: []curves.Point{}, Contributors: []gateway.Contributor{}, Samples: []curves.Samples{}}
	dir := h.Dir.Run(r.Link)
	var t thinned
	if err := curves.ReadPoints(dir, t.add); err != nil {
		return d, fmt.Errorf("curves of run %s: %w", r.Link, err)
	}
	d.Points = append(d.Points, t.all()...)
	if n := len(d.Points); n > 0 { // they are ahead of the log
		last := d.Points[n-1]
		d.Of.Rounds, d.Of.Last = max(d.Of.Rounds, last.Round), time.UnixMilli(int64(last.Time)).UTC()
	}
	samples, err := curves.ReadSamples(dir)
	if err != nil {
		return d, fmt.Errorf("samples of run %s: %w", r.Link, err)
	}
	d.Samples = append(d.Samples, samples[max(0, len(samples)-maxSamples):]...)
	if r.Damage != nil {
		return d, nil
	}
	blocks, err := read(h)
	if err != nil {
		return d, err
	}
	c := v.count(r.Link)
	if err := c.to(ctx, blocks, r.Head); err != nil {
		return d, fmt.Errorf("logs of run %s: %w", r.Link, err)
	}
	names := v.accounts()
	d.Counted = c.rounds
	for a, sum := range c.of {
		one := gateway.Contributor{Units: sum.units, GFLOP: float64(sum.flop) / 1e9, Tokens: sum.tokens}
		if a != (protocol.Account{}) {
			one.Account = a.String()
			one.Name = names[one.Account]
		}
		d.Contributors = append(d.Contributors, one)
	}
	slices.SortFunc(d.Contributors, func(a, b gateway.Contributor) int {
		return cmp.Or(cmp.Compare(b.GFLOP, a.GFLOP), cmp.Compare(a.Account, b.Account))
	})
	return d, nil
}

// count adds up who computed a run, over the logs that it has read. Logs do not change, so
// each is read once.
type count struct {
	turn   chan struct{} // has an item while nobody counts
	newest block.Link    // log up to which is counted
	older  block.Link    // the next log before those that are counted; zero at the beginning of the run
	rounds int           // counted
	of     map[protocol.Account]*share
}

type share struct {
	units        int
	flop, tokens uint64
}

// countAtOnce is how many logs are read for one look; the next look goes on.
const countAtOnce = 2000

func (v *Viewer) count(l block.Link) *count {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.counts == nil {
		v.counts = map[block.Link]*count{}
	}
	if v.counts[l] == nil {
		v.counts[l] = &count{turn: make(chan struct{}, 1)}
		v.counts[l].turn <- struct{}{}
	}
	return v.counts[l]
}

// to counts up to a log, and then some of the older logs.
func (c *count) to(ctx context.Context, b block.Blocks, head block.Link) error {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !head.Defined() {
		return nil
	}
	var fresh []run.Round
	l := head
	for c.newest.Defined() && l.Defined() && l != c.newest && len(fresh) < countAtOnce {
		r, err := run.ReadRound(ctx, b, l)
		if err != nil {
			return err
		}
		fresh = append(fresh, r)
		l = before(r)
	}
	if l != c.newest { // nothing is counted yet, or the run went back, or on for long
		c.older, c.rounds, c.of, fresh = head, 0, map[protocol.Account]*share{}, nil
	}
	for _, r := range fresh {
		c.add(r)
	}
	c.newest = head
	for n := 0; n < countAtOnce && c.older.Defined(); n++ {
		r, err := run.ReadRound(ctx, b, c.older)
		if err != nil {
			return err
		}
		c.add(r)
		c.older = before(r)
	}
	return nil
}

// before is the log before a round's; zero for the first.
func before(r run.Round) block.Link {
	if r.Number == 0 {
		return block.Link{}
	}
	return r.Previous
}

func (c *count) add(r run.Round) {
	c.rounds++
	for _, l := range r.All() {
		s := c.of[l.Miner]
		if s == nil {
			s = &share{}
			c.of[l.Miner] = s
		}
		s.units++
		s.flop, s.tokens = s.flop+l.Cost, s.tokens+uint64(l.Tokens)
	}
}

// thinned keeps some of many points: every round at first, then every second, and so on.
// Those with a validation stay as long as they are not too many themselves.
type thinned struct {
	points []curves.Point
	last   curves.Point
	every  int
}

// maxPoints bounds the points that are kept, a little more than a chart has columns.
const maxPoints = 1200

func (t *thinned) add(p curves.Point) error {
	t.every = max(t.every, 1)
	t.last = p
	if p.Validation == nil && p.Round%t.every != 0 {
		return nil
	}
	if t.points = append(t.points, p); len(t.points) < maxPoints {
		return nil
	}
	t.every *= 2
	t.points = slices.DeleteFunc(t.points, func(p curves.Point) bool { return p.Validation == nil && p.Round%t.every != 0 })
	if len(t.points) > maxPoints/2 { // mostly validations
		for i := range len(t.points) / 2 {
			t.points[i] = t.points[2*i+1]
		}
		t.points = t.points[:len(t.points)/2]
	}
	return nil
}

// all are the points that are kept, and the last.
func (t *thinned) all() []curves.Point {
	if n := len(t.points); t.last.Round > 0 && (n == 0 || t.points[n-1].Round != t.last.Round) {
		return append(t.points, t.last)
	}
	return t.points
}
