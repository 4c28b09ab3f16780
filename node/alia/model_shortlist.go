package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/unit"
)

// shortlistUsage is the help of --shortlist.
const shortlistUsage = "consider only the tokens of the model's shortlist, which alia model shortlist learns"

// speed is the flags that trade quality for speed.
type speed struct{ int8, shortlist bool }

func (s *speed) flags(cmd *cobra.Command, prefix string) {
	cmd.Flags().BoolVar(&s.int8, "int8", false, prefix+int8Usage)
	cmd.Flags().BoolVar(&s.shortlist, "shortlist", false, prefix+shortlistUsage)
}

// engine is one for the model t in dir.
func (s *speed) engine(dev kernel.Device, t *model.Translator, dir string) (model.Engine, error) {
	e := model.Transformer{Engine: nmt.NewEngine(dev, t.Model.Config())}
	if !s.shortlist {
		return e, nil
	}
	var err error
	e.Shortlist, _, err = engine.OpenShortlist(dir, t)
	return e, err
}

// shortlistFlags is the flags of alia model shortlist.
type shortlistFlags struct {
	decodeFlags
	speed
	text           trainFlags // its corpus
	each, frequent int
}

func newModelShortlist(a *app) *cobra.Command {
	var l shortlistFlags
	var c deviceFlags
	cmd := &cobra.Command{
		Use:   "shortlist --model PATH|CID --corpus DIR",
		Short: "Learn which tokens may translate a sentence",
		Long: `Learn from a corpus which target tokens translate each source token, and write
them to ` + engine.ShortlistFile + ` in the model's directory. A translation with
--shortlist then computes the probability of these tokens only, which is faster.
The tokens are aligned by IBM Model 1, with the same result on every machine.

The command prints the size of the file, how many candidates a sentence has, how
many of the references' tokens are among them, and BLEU on the corpus's
validation and test text with the shortlist and without it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.each < 1 || l.frequent < 0 {
				return usagef("--each %d and --frequent %d: give 1 or more for --each, and 0 or more for --frequent", l.each, l.frequent)
			}
			return undone(cmd.Context(), l.run(cmd.Context(), a, &c), "no shortlist is written")
		},
	}
	f := cmd.Flags()
	l.decodeFlags.flags(f)
	f.StringVar(&l.text.corpus, "corpus", "", "`DIR` with train.SRC and train.TGT, val.* and test*.*, or a TSV file (default: a built-in phrasebook)")
	f.StringVar(&l.text.src, "src", "", "`LANGUAGE` to translate from, as in the corpus's file names")
	f.StringVar(&l.text.tgt, "tgt", "", "`LANGUAGE` to translate into, as in the corpus's file names")
	f.BoolVar(&l.int8, "int8", false, int8Usage)
	f.IntVar(&l.each, "each", 60, "most target tokens for a source token, a `NUMBER`")
	f.IntVar(&l.frequent, "frequent", 400, "`NUMBER` of the most frequent target tokens, which are always candidates")
	c.flags(cmd)
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// learned is the result of alia model shortlist.
type learned struct {
	Model  string          `json:"model"`
	Path   string          `json:"path"`
	Bytes  int             `json:"bytes"`
	Splits []learnedEffect `json:"splits"`
}

// learnedEffect is the effect of a shortlist on a part of the corpus.
type learnedEffect struct {
	Name       string  `json:"name"`
	Sentences  int     `json:"sentences"`
	Candidates float64 `json:"candidates"` // of a sentence, on average
	Covered    float64 `json:"covered"`    // share of the reference's tokens among them
	Without    float64 `json:"bleu_without"`
	With       float64 `json:"bleu_with"`
}

func (l *shortlistFlags) run(ctx context.Context, a *app, c *deviceFlags) error {
	d, err := l.decoding()
	if err != nil {
		return err
	}
	dir, err := a.modelDir(l.model)
	if err != nil {
		return err
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	data, _, err := l.text.read(a)
	if err != nil {
		return err
	}
	if m := t.Model; data.Source != m.Source || data.Target != m.Target {
		return fmt.Errorf("the corpus is %s to %s, the model %s to %s: choose a corpus of the model's languages with --corpus, --src and --tgt", data.Source, data.Target, m.Source, m.Target)
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	if err := t.Prepare(dev, l.int8); err != nil {
		return err
	}
	var source, target [][]int32
	for p, err := range data.Pairs() {
		if err != nil {
			return err
		}
		source, target = append(source, t.Tokenizer.Source(p.Source)), append(target, t.Tokenizer.Target(p.Target))
	}
	list := nmt.LearnShortlist(t.Model.Config(), source, target, l.each, l.frequent)
	file := list.Encode()
	r := learned{Model: t.ID().String(), Path: filepath.Join(dir, engine.ShortlistFile), Bytes: len(file)}
	for _, s := range append([]corpus.Split{{Name: "val", Pairs: data.Valid}}, data.Tests...) {
		e, err := effect(ctx, t, dev, list, s, d)
		if err != nil {
			return err
		}
		r.Splits = append(r.Splits, e)
	}
	if err := node.WriteFile(r.Path, file); err != nil {
		return err
	}
	return a.result(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d bytes\n", r.Path, r.Bytes)
		for _, s := range r.Splits {
			fmt.Fprintf(w, "%-20s %5d sentences  %6.1f candidates  %6.2f %% of reference tokens  BLEU %.2f, without %.2f\n",
				s.Name, s.Sentences, s.Candidates, 100*s.Covered, s.With, s.Without)
		}
	})
}

// effect translates a part of the corpus without and with a shortlist.
func effect(ctx context.Context, t *model.Translator, dev kernel.Device, list *nmt.Shortlist, s corpus.Split, d unit.Decoding) (learnedEffect, error) {
	r := learnedEffect{Name: s.Name, Sentences: len(s.Pairs)}
	var sources, references []string
	candidates, tokens, covered := 0, 0, 0
	for _, p := range s.Pairs {
		sources, references = append(sources, p.Source), append(references, p.Target)
		ids := list.Candidates(t.Tokenizer.Source(p.Source), t.Model.Config().Tokens())
		is := make(map[int32]bool, len(ids))
		for _, id := range ids {
			is[id] = true
		}
		candidates += len(ids)
		for _, id := range t.Tokenizer.Target(p.Target) {
			tokens++
			if is[id] {
				covered++
			}
		}
	}
	r.Candidates, r.Covered = float64(candidates)/float64(max(len(s.Pairs), 1)), float64(covered)/float64(max(tokens, 1))
	e := model.Transformer{Engine: nmt.NewEngine(dev, t.Model.Config())}
	m := score.BLEU{WordSplitter: score.TokenizerFor(t.Model.Target)}.Metric()
	for _, bleu := range []*float64{&r.Without, &r.With} {
		out, err := translateAll(ctx, t, e, sources, d)
		if err != nil {
			return r, err
		}
		if *bleu, err = m.Score(out, score.References(references)); err != nil {
			return r, err
		}
		e.Shortlist = list
	}
	return r, nil
}
