package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/text"
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

// noBase says why adapters cannot be trained without a model to begin with.
func noBase(from string) string {
	if from == "" {
		return "--lora trains adapters of a model: name the model with --from, or leave --lora out"
	}
	return fmt.Sprintf("--lora trains adapters of a model, and --from %s is none: name a model with --from, or leave --lora out", from)
}

// noModel is the error for a --from that names nothing.
func (l *trainFlags) noModel(a *app) error {
	link, err := block.ParseLink(l.from)
	switch {
	case err == nil:
		return fmt.Errorf("--from: model %s is not in %s: without --local the network is asked for it", link, a.home.Models())
	case isDir(a.path(l.from)):
		return fmt.Errorf("--from: the directory %s has no %s, so it is no model: give the directory of a model; that of another program is imported first (alia model import)", l.from, model.ConfigFile)
	}
	return fmt.Errorf("--from: there is no model %s: give the directory of a model, or the CID of one; `alia model list` prints those of the home", l.from)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// The pairs of a corpus that are read to see how a tokenizer spells them, and what is said of it:
// the tokens for each character, and the share of the characters in per cent that it cannot write.
// A tokenizer of bytes needs two or three tokens for a character of a script that it was not
// trained on.
const (
	alphabetPairs = 1000
	manyTokens    = 1.5
	manyLost      = 10
)

// spelling is how a tokenizer spells one side of a corpus.
type spelling struct{ chars, tokens, lost int }

// spellings reads the first pairs of a corpus with a tokenizer: the sources and the targets.
func spellings(tok model.Tokenizer, c *corpus.Corpus) (sides [2]spelling, err error) {
	read := 0
	for p, err := range c.Pairs() {
		if err != nil {
			return sides, err
		}
		for i, s := range []string{p.Source, p.Target} {
			tokens := tok.Target(s)
			if i == 0 {
				tokens = tok.Source(s)
			}
			chars := utf8.RuneCountInString(s)
			sides[i].chars += chars
			sides[i].tokens += len(tokens)
			sides[i].lost += max(0, chars-utf8.RuneCountInString(tok.Decode(tokens)))
		}
		if read++; read == alphabetPairs {
			break
		}
	}
	if two, ok := tok.(*text.Marian); ok && two.SourcePieces() > 0 {
		sides[0].lost = 0 // Decode does not know the tokens of sources
	}
	return sides, nil
}

// warning is "" unless the tokenizer has not learned the language's script.
func (s spelling) warning(language string) string {
	switch {
	case 100*s.lost > manyLost*s.chars:
		return fmt.Sprintf("the tokenizer of the model has no pieces for %d %% of the characters of the corpus in %s: the model cannot learn them; train without --from, or from a model of this script", 100*s.lost/s.chars, language)
	case float64(s.tokens) > manyTokens*float64(s.chars):
		return fmt.Sprintf("the tokenizer of the model takes %.1f tokens for each character of the corpus in %s, because it was not trained on this script: sentences become long and training slow; train without --from, or from a model of this script", float64(s.tokens)/float64(s.chars), language)
	}
	return ""
}

// noteAlphabet says it when the tokenizer of a model has not learned a script of the corpus. The
// training goes on, but it would teach the model little.
func noteAlphabet(a *app, m *model.Translator, c *corpus.Corpus) error {
	sides, err := spellings(m.Tokenizer, c)
	if err != nil {
		return err
	}
	for i, language := range []string{c.Source, c.Target} {
		if warning := sides[i].warning(language); warning != "" {
			a.note("%s", warning)
		}
	}
	return nil
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
	plan, err := run.Continue(ctx, blocks, c.Corpus, c.Config, link)
	if err == nil && c.Config.LoRA > 0 {
		a.note("it trains adapters of rank %d: %d numbers in the place of the model's %d", c.Config.LoRA, plan.Run.Trained().Elements(), plan.Run.Model().Elements())
	}
	return plan, err
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
