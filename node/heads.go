package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/run"
)

// A run's head is the log of the round that the run goes on after. The head file
// names the newest heads, one a line, the newest first. What a head names is
// durable before the file names it, so a power cut leaves a head that is whole.

// keptHeads is how many heads the head file names. The older ones are for a disk
// that loses what it said was durable.
const keptHeads = 3

// Heads reads the heads of the run in dir, the newest first; before the run's first
// head there are none.
func Heads(dir string) ([]block.Link, error) {
	path := filepath.Join(dir, home.HeadFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("run's head: %w", err)
	}
	var heads []block.Link
	for line := range strings.Lines(string(data)) {
		if l, err := block.ParseLink(strings.TrimSpace(line)); err == nil {
			heads = append(heads, l) // a damaged line leaves the others
		}
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("run's head: %s is damaged: it names no round log. Restore the file from a backup, or delete the run with `alia run delete` and begin it again", path)
	}
	return heads, nil
}

// Head reads the newest head of the run in dir; it is zero when there is none yet.
func Head(dir string) (block.Link, error) {
	heads, err := Heads(dir)
	if err != nil || len(heads) == 0 {
		return block.Link{}, err
	}
	return heads[0], nil
}

// History reads the logs of the run in dir, up to its newest head whose logs are all
// there. A run without a head has none.
func History(ctx context.Context, b block.Blocks, dir string) (block.Link, []run.Round, error) {
	heads, err := Heads(dir)
	if err != nil {
		return block.Link{}, nil, err
	}
	var errs []error
	for _, head := range heads {
		history, err := run.History(ctx, b, head)
		if err == nil {
			return head, history, nil
		}
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return block.Link{}, nil, fmt.Errorf("logs of the run in %s: %w", dir, errs[0])
	}
	return block.Link{}, nil, nil
}

// noteHead writes a head into the head file of the run in dir.
func noteHead(s disk.Syncer, dir string, head block.Link) error {
	old, err := Heads(dir)
	if err != nil {
		return err
	}
	if len(old) == 0 { // the directory, below that of all runs, may be new too
		runs := filepath.Dir(filepath.Clean(dir))
		if err := disk.SyncAll(s, nil, []string{filepath.Dir(runs), runs}); err != nil {
			return err
		}
	}
	text := head.String() + "\n"
	for kept := 1; len(old) > 0 && kept < keptHeads; old = old[1:] {
		if old[0] != head {
			text += old[0].String() + "\n"
			kept++
		}
	}
	return disk.WriteFile(s, filepath.Join(dir, home.HeadFile), []byte(text))
}

// pace decides when a round becomes the head. To make a state durable takes time,
// and wears the disk: a state is three times the size of the model, and the next
// round replaces it. So at most a part of the time goes into it. A power cut, or a
// process that is killed, loses about as much time: 50 times as long as making one
// state durable takes, which is a second on an SSD and preset tiny.
type pace struct {
	last time.Time     // when a head was kept
	took time.Duration // how long that took
}

// keepShare is the part of the time, one in so many, that goes into making heads
// durable.
const keepShare = 50

func (p *pace) due(run.Round) bool { return time.Since(p.last) >= keepShare*p.took }

// measure calls f, which keeps a head.
func (p *pace) measure(f func() error) error {
	began := time.Now()
	err := f()
	p.last = time.Now()
	p.took = p.last.Sub(began)
	return err
}

// RunStore is what a coordinator needs of a block store.
type RunStore interface {
	block.Keeper
	// Sync makes blocks durable.
	Sync(ctx context.Context, blocks []cid.Cid) error
}

// resume finds the head from which the run goes on: the newest one whose logs are
// all there, back to the first round. States that it needs and that are missing are
// computed again. resume returns the logs up to the head; there are none for a run
// that begins.
func (c *Coordinator) resume(ctx context.Context, t *run.Training) (block.Link, []run.Round, error) {
	heads, err := Heads(c.Dir)
	if err != nil {
		return block.Link{}, nil, err
	}
	var why, older error // the newest head is not taken, and the last of the others
	for _, head := range heads {
		history, again, err := c.whole(ctx, t, head)
		if ctx.Err() != nil {
			return block.Link{}, nil, ctx.Err()
		}
		if err != nil {
			err = fmt.Errorf("head %s: %w", head, err)
			if why == nil {
				why = err
			} else {
				older = err
			}
			continue
		}
		text := fmt.Sprintf("the run goes on after round %d", len(history))
		switch {
		case why != nil:
			c.Report(Resumed{Round: len(history), Text: fmt.Sprintf("%s, by an older head, because the newest one is damaged: %v", text, why)})
		case again > 0:
			c.Report(Resumed{Round: len(history), Text: fmt.Sprintf("%s: %d of the sets that it needs were damaged, and were computed again", text, again)})
		}
		return head, history, nil
	}
	if older != nil {
		why = fmt.Errorf("%w. The oldest is %w", why, older)
	}
	if why != nil {
		return block.Link{}, nil, fmt.Errorf("the run cannot go on: none of its %d heads is whole. The newest is %w. Restore the blocks from a backup, or delete the run with `alia run delete %s` and begin it again",
			len(heads), why, c.Plan.Link)
	}
	return block.Link{}, nil, nil
}

// whole reads the logs that lead to a head, and computes again what the run needs to
// go on after it and does not have: again counts these sets.
func (c *Coordinator) whole(ctx context.Context, t *run.Training, head block.Link) (history []run.Round, again int, err error) {
	if history, err = run.History(ctx, c.Store, head); err != nil {
		return nil, 0, err
	}
	last := history[len(history)-1]
	if last.Run != c.Plan.Link {
		return nil, 0, fmt.Errorf("the log is of run %s, not %s", last.Run, c.Plan.Link)
	}
	missing, err := run.Missing(ctx, c.Store, last.Needs(c.Plan.Run.Config))
	if err != nil || len(missing) == 0 {
		return history, 0, err
	}
	return history, len(missing), t.Restore(ctx, head, history, missing)
}
