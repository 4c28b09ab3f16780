package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
)

// order is the flags of a translation.
type order struct {
	model string
	beam  uint16
}

func (o *order) decoding() (work.Decoding, error) {
	if o.beam < 1 || o.beam > nmt.MaxBeam {
		return work.Decoding{}, usagef("--beam %d: give 1 to %d", o.beam, nmt.MaxBeam)
	}
	d := work.Greedy
	d.Beam = o.beam
	return d, nil
}

func newTranslate(a *app) *cobra.Command {
	var o order
	var c compute
	var p purchase
	var local bool
	cmd := &cobra.Command{
		Use:   "translate [--local] --model PATH|CID [FILE]",
		Short: "Translate a text, alone or through a network",
		Long: `Translate a file, or standard input, and print the translation line for line.

With --local this process computes it from a model's directory. Without, the
miners of a network do, are paid from this home's wallet, and the receipt is
kept in the home.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			d, err := o.decoding()
			if err != nil {
				return err
			}
			input, err := readText(name, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if local {
				return translateLocal(cmd.Context(), a, o, d, &c, input)
			}
			return translateNetwork(cmd.Context(), a, o, d, &p, input)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "", "the model: its directory, or its CID")
	f.Uint16Var(&o.beam, "beam", 1, "hypotheses kept for a sentence; 1 is greedy")
	f.BoolVar(&local, "local", false, "in this process: no network, no pay")
	c.flags(cmd)
	p.flags(cmd)
	a.eventsFlag(cmd)
	return cmd
}

// translated is the result of a local translation.
type translated struct {
	Model       string `json:"model"`
	Translation string `json:"translation"`
	Sentences   int    `json:"sentences"`
}

func translateLocal(ctx context.Context, a *app, o order, d work.Decoding, c *compute, input string) error {
	dir, err := a.modelDir(o.model)
	if err != nil {
		return err
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	layout := text.Split(input)
	sentences, err := translateAll(ctx, t, nmt.NewEngine(dev, t.Model.Shape()), layout.Sentences, d)
	if err != nil {
		return err
	}
	out, err := layout.Join(sentences)
	if err != nil {
		return err
	}
	r := translated{Model: t.ID().String(), Translation: out, Sentences: len(sentences)}
	return a.result(r, func(w io.Writer) { printText(w, out) })
}

// together is the sentences translated between two looks at the context.
const together = 64

// translateAll translates sentences until the context ends.
func translateAll(ctx context.Context, t *work.Translator, e *nmt.Engine, sentences []string, d work.Decoding) ([]string, error) {
	out := make([]string, 0, len(sentences))
	for len(out) < len(sentences) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := sentences[len(out):min(len(out)+together, len(sentences))]
		part, err := t.Translate(e, next, d)
		if err != nil {
			return nil, fmt.Errorf("translate: %w", err)
		}
		out = append(out, part...)
	}
	return out, nil
}

// printText prints a text, and ends its last line where it did not.
func printText(w io.Writer, s string) {
	fmt.Fprint(w, s)
	if s != "" && !strings.HasSuffix(s, "\n") {
		fmt.Fprintln(w)
	}
}
