package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
)

func newModelScore(a *app) *cobra.Command {
	var c deviceFlags
	var model, source, target string
	var int8 bool
	cmd := &cobra.Command{
		Use:   "score --model PATH|CID --source FILE --target FILE",
		Short: "Print the log-probability of translations, token by token",
		Long: `Print the log-probability that a model gives to translations, for each token
and each sentence (forced decoding). Logarithms are natural. The last token of
a sentence is the end-of-sentence token.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if source == "" || target == "" {
				return usagef("give both --source and --target, two files with a sentence on each line")
			}
			return undone(cmd.Context(), scoreModel(cmd.Context(), a, &c, model, source, target, int8), "nothing is scored")
		},
	}
	f := cmd.Flags()
	f.StringVar(&model, "model", "", "`MODEL` to use: its directory, or its CID")
	f.StringVar(&source, "source", "", "`FILE` with a sentence on each line")
	f.StringVar(&target, "target", "", "`FILE` with a translation of each sentence on the same line")
	f.BoolVar(&int8, "int8", false, int8Usage)
	c.flags(cmd)
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// scored is one line of alia model score.
type scored struct {
	Tokens   []int32   `json:"tokens"`
	LogProbs []float32 `json:"logprobs"` // of each token, in nats
	LogProb  float64   `json:"logprob"`  // their sum
}

// scoredTogether is the pairs whose probabilities are computed side by side.
const scoredTogether = 32

func scoreModel(ctx context.Context, a *app, c *deviceFlags, name, source, target string, int8 bool) error {
	dir, err := a.modelDir(name)
	if err != nil {
		return err
	}
	if source == "-" && target == "-" {
		return errStdinTwice
	}
	sources, err := readLines(source, a.stdin)
	if err != nil {
		return err
	}
	targets, err := readLines(target, a.stdin)
	if err != nil {
		return err
	}
	if len(sources) != len(targets) {
		return fmt.Errorf("%s has %d lines, %s has %d: line N of one must belong to line N of the other", source, len(sources), target, len(targets))
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	if err := t.Prepare(dev, int8); err != nil {
		return err
	}
	sentences, cut, err := scoreSentences(ctx, t, dev, sources, targets)
	if err != nil {
		return err
	}
	if cut > 0 {
		a.note("%d lines have more than %d tokens, and were cut there", cut, nmt.MaxLength-1)
	}
	return a.result(struct {
		Sentences []scored `json:"sentences"`
	}{sentences}, func(w io.Writer) {
		for _, s := range sentences {
			fmt.Fprintf(w, "%.4f\t%d tokens\n", s.LogProb, len(s.Tokens))
		}
	})
}

// scoreSentences gives the log-probability of each token of the targets, and
// how many lines were longer than the model takes and were cut.
func scoreSentences(ctx context.Context, t *model.Translator, dev kernel.Device, sources, targets []string) (sentences []scored, cut int, err error) {
	cutAt := func(ids []int32) []int32 {
		if len(ids) >= nmt.MaxLength {
			cut++
			ids = ids[:nmt.MaxLength-1]
		}
		return ids
	}
	e := nmt.NewEngine(dev, t.Model.Config())
	sentences = []scored{} // not nil: JSON has a list
	for at := 0; at < len(sources); at += scoredTogether {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		var b nmt.Batch
		for i := at; i < min(at+scoredTogether, len(sources)); i++ {
			b.Source, b.Target = append(b.Source, cutAt(t.Tokenizer.Source(sources[i]))), append(b.Target, cutAt(t.Tokenizer.Target(targets[i])))
		}
		probs, err := e.LogProbs(t.Prepared(), b)
		if err != nil {
			return nil, 0, fmt.Errorf("lines %d to %d: %w", at+1, at+len(b.Source), err)
		}
		for i, p := range probs {
			s := scored{Tokens: append(b.Target[i], t.Model.Config().Tokens().EOS), LogProbs: p}
			for _, x := range p {
				s.LogProb += float64(x)
			}
			sentences = append(sentences, s)
		}
	}
	return sentences, cut, nil
}
