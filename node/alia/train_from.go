package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
)

// This file is what a run begins from, as --from names it: a model, whose training goes on,
// or a version of a corpus.

// begins opens the model that --from names. It returns nil if --from names none, or a
// version of a corpus.
func (l *trainFlags) begins(a *app) (*model.Translator, error) {
	if l.from == "" && a.typed["from"] {
		return nil, usagef("--from is empty: give a model, or a version of a corpus")
	}
	if l.from == "" || l.base != nil {
		return l.base, nil
	}
	dir, err := a.modelDir(l.from)
	if err != nil {
		return nil, nil // read says what --from may name
	}
	if _, err := os.Stat(filepath.Join(dir, model.ConfigFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if l.base, err = node.OpenModel(dir); err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	return l.base, nil
}

// elsewhere reports whether --from names a model that this home does not have, by its CID.
func (l *trainFlags) elsewhere(a *app) (block.Link, bool) {
	link, err := block.ParseLink(l.from)
	if err != nil {
		return link, false
	}
	_, noModel := a.modelDir(l.from)
	_, noVersion := a.versionDir(l.from)
	return link, noModel != nil && noVersion != nil
}

// fetchBase fetches the model that a run begins with from the network.
func (l *trainFlags) fetchBase(ctx context.Context, a *app, peer *node.Peer, link block.Link) (err error) {
	a.note("fetching model %s, to continue its training", link)
	if l.base, err = (&client.Client{Peer: peer, Report: a.event}).Fetch(ctx, link, nil); err != nil {
		return fmt.Errorf("--from: model %s is not in %s, and the network does not give it: %w", link, a.home.Models(), err)
	}
	return nil
}

// plan makes the plan of the run, and stores what its record names. It says which pairs are
// not trained on.
func (c *sizing) plan(ctx context.Context, a *app, store block.Keeper) (*run.Plan, error) {
	plan, err := c.newPlan(ctx, a, run.Fresh(store))
	if err != nil {
		return nil, err
	}
	if n := plan.TooLong(); n > 0 {
		a.note("%d of %d pairs are not trained on: a side has more than %d tokens", n, c.Corpus.Len(), min(plan.Run.Config.BatchTokens, corpus.MaxTokens))
	}
	if n := plan.Repeats(); n > 0 {
		a.note("%d of %d pairs are not trained on: to the model's tokenizer each is the same as an earlier one", n, c.Corpus.Len())
	}
	return plan, nil
}

func (c *sizing) newPlan(ctx context.Context, a *app, blocks block.Blocks) (*run.Plan, error) {
	if c.Base == nil {
		a.note("training the tokenizer, %d pieces", c.Config.Pieces)
		return run.New(ctx, blocks, c.Corpus, c.Config)
	}
	link, err := c.Base.Put(ctx, blocks)
	if err != nil {
		return nil, err
	}
	a.note("the run continues the training of model %s", link)
	return run.Continue(ctx, blocks, c.Corpus, c.Config, link)
}

// absoluteFrom is --from for a process in another directory.
func (l *trainFlags) absoluteFrom(a *app) (string, error) {
	if _, err := os.Stat(a.path(l.from)); err == nil {
		return filepath.Abs(a.path(l.from))
	}
	// A CID names a directory of this home.
	dir, err := a.modelDir(l.from)
	if err != nil {
		dir, err = a.versionDir(l.from)
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}
