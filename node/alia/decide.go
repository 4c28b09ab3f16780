package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/fit"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/work/kernel"
)

// sizing is a corpus and the configuration of the run that learns it.
type sizing struct {
	fit.Sizing
	undecided map[string]bool // keys of the configuration on auto
}

// decide sets the options on auto, once: a run that goes on finds in dir what
// was decided when it began. It refuses batches that this machine has no memory
// for. dev is not asked, and peer is nil, for a run without a network; share is
// the number of processes that share this machine's memory.
func (c *sizing) decide(ctx context.Context, a *app, dir string, dev kernel.Device, peer *node.Peer, share uint64) error {
	if len(c.undecided) == 0 {
		return c.checkMemory(share)
	}
	path, err := c.decisionFile(dir)
	if err != nil {
		return err
	}
	if err := c.recall(a, path); err == nil {
		return c.checkMemory(share)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.undecided["batch_tokens"] {
		if err := c.decideBatch(a, share); err != nil {
			return err
		}
	}
	if c.undecided["local_steps"] {
		if err := c.decideLocalSteps(ctx, a, dev, peer); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	if err := node.WriteFile(path, []byte(options.Print(c.Config, c.Preset, nil))); err != nil {
		return err
	}
	c.undecided = nil
	return c.Config.Validate()
}

// decideBatch leaves half of the free memory to other processes.
func (c *sizing) decideBatch(a *app, share uint64) error {
	free, err := machine.FreeMemory()
	if err != nil {
		return fmt.Errorf("batch_tokens = auto: %w: give a number", err)
	}
	why, err := c.ChooseBatch(free / (2 * share))
	if err == nil {
		a.decided("%s", why)
	}
	return memoryUsage(err)
}

func (c *sizing) decideLocalSteps(ctx context.Context, a *app, dev kernel.Device, peer *node.Peer) error {
	if peer == nil {
		c.Config.LocalSteps = 1
		a.decided("local_steps = 1: a run on one machine transfers nothing")
		return nil
	}
	link, peers := fit.Measure(ctx, peer.Mesh, a.log)
	why, err := c.ChooseLocalSteps(dev, link, peers)
	for _, line := range why {
		a.decided("%s", line)
	}
	return err
}

// checkMemory refuses batches that do not fit, where the system tells how much
// memory is free.
func (c *sizing) checkMemory(share uint64) error {
	free, err := machine.FreeMemory()
	if err != nil {
		return nil
	}
	return memoryUsage(c.CheckMemory(free / share))
}

// memoryUsage makes a mistake of usage of batches that do not fit.
func memoryUsage(err error) error {
	if errors.Is(err, fit.ErrMemory) {
		return usageError{err.Error()}
	}
	return err
}

// decided reports a decision and its reason.
func (a *app) decided(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.event(node.Decided{Text: text})
	a.note("%s", text)
}

// decisionFile is the file, below dir, of the decisions for this corpus and
// this configuration.
func (c *sizing) decisionFile(dir string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", c.Corpus.Source, c.Corpus.Target, options.Print(c.Config, "", c.undecided))
	if c.Base != nil {
		fmt.Fprintln(h, c.Base.ID())
	}
	var line []byte
	for p, err := range c.Corpus.Pairs() {
		if err != nil {
			return "", err
		}
		line = p.Append(line[:0])
		h.Write(line)
	}
	return filepath.Join(dir, fmt.Sprintf("%x.toml", h.Sum(nil)[:16])), nil
}

// recall takes over earlier decisions.
func (c *sizing) recall(a *app, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	_, all, err := readConfig(path)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s options.Setting) bool { return !c.undecided[s.Key] })
	if c.Config, _, err = options.Apply(c.Config, all); err != nil {
		return usageError{err.Error()}
	}
	for _, s := range all {
		a.decided("%s = %s, as decided before (%s)", s.Key, s.Text, path)
	}
	if c.undecided["local_steps"] {
		if err := c.SetLocalSteps(c.Config.LocalSteps); err != nil {
			return err
		}
	}
	c.undecided = nil
	return c.Config.Validate()
}
