package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/node/stream"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// decodeFlags is the flags of a translation.
type decodeFlags struct {
	model  string
	beam   uint16
	length options.Fraction

	noRepeat   uint16
	repetition options.Fraction // 1 is none
}

func (o *decodeFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.model, "model", "", "`MODEL` to use: its directory, or its CID")
	f.Uint16Var(&o.beam, "beam", 1, "`HYPOTHESES` of the beam search; 1 is greedy search")
	o.length = options.Million
	f.Var(&o.length, "length-penalty", "scores are divided by the length in tokens to this power; larger values give longer sentences")
	f.Uint16Var(&o.noRepeat, "no-repeat", 0, "let no `NUMBER` of tokens (words or parts of words) in a row come twice in the translation of a sentence, except where a glossary term needs it; 0 lets all repeat")
	o.repetition = options.Million
	f.Var(&o.repetition, "repetition-penalty", "how much less likely a token becomes that the translation of a sentence has already; 1 changes nothing, 1.2 is much")
}

func (o *decodeFlags) decoding() (unit.Decoding, error) {
	if o.beam < 1 || o.beam > unit.MaxBeam {
		return unit.Decoding{}, usagef("--beam %d: give 1 to %d", o.beam, unit.MaxBeam)
	}
	if o.length > unit.MaxLengthPPM {
		return unit.Decoding{}, usagef("--length-penalty %v: give 0 to %d", &o.length, unit.MaxLengthPPM/options.Million)
	}
	if o.noRepeat > unit.MaxNoRepeat {
		return unit.Decoding{}, usagef("--no-repeat %d: give 0 to %d", o.noRepeat, unit.MaxNoRepeat)
	}
	if o.repetition < options.Million || o.repetition > unit.MaxRepetitionPPM {
		return unit.Decoding{}, usagef("--repetition-penalty %v: give 1 to %d", &o.repetition, unit.MaxRepetitionPPM/options.Million)
	}
	d := unit.Decoding{Beam: o.beam, LengthPPM: uint32(o.length), NoRepeat: o.noRepeat}
	if o.repetition != options.Million {
		d.RepetitionPPM = uint32(o.repetition)
	}
	return d, nil
}

// int8Usage is the help of --int8.
const int8Usage = "multiply 8-bit integers: faster, nearly the same text, and the same on every machine"

// translated is the result of a local translation.
type translated struct {
	Model       string `json:"model"`
	Translation string `json:"translation"`
	Sentences   int    `json:"sentences"`
	stream.Findings
	doubts
	Alignments []string `json:"alignments,omitempty"` // of the lines, with --alignments
}

// local is the flags of a translation in this process.
type local struct {
	deviceFlags
	speed
	batch int
	whole bool
	align bool
}

// onlyLocal are the flags of alia translate that mean nothing without --local.
var onlyLocal = []string{"int8", "shortlist", "whole-lines", "batch", "alignments", "device", "kernels", "threads"}

func (l *local) flags(cmd *cobra.Command) {
	l.deviceFlags.flags(cmd)
	l.speed.flags(cmd, "with --local: ")
	f := cmd.Flags()
	f.IntVar(&l.batch, "batch", together, "with --local: `NUMBER` of sentences translated together at most; the text is the same")
	f.BoolVar(&l.align, "alignments", false, "with --local: print behind each translation which word of the line (first number) each of its words (second number) stands for, as in \"text ||| 0-0 1-2\" (Pharaoh format)")
	f.BoolVar(&l.whole, "whole-lines", false, "with --local: take each line for one sentence, as in test sets")
}

// filter translates a file, or standard input, line for line.
func (o *translateFlags) filter(ctx context.Context, a *app, name string, stdin io.Reader) error {
	d, err := o.decoding()
	if err != nil {
		return err
	}
	dir, err := o.streamModel(ctx, a, name)
	if err != nil {
		return err
	}
	in, err := openText(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	t, dev, err := openBoth(a, dir, &o.deviceFlags)
	if err != nil {
		return err
	}
	m := t.Model
	several := len(t.Targets()) > 0
	if o.from != auto && !translate.Same(o.from, m.Source) || o.to != "" && !several && !translate.Same(o.to, m.Target) {
		return usagef("--from and --to: model %s translates from %s to %s only", o.model, m.Source, m.Target)
	}
	splitter, err := t.Splitter(o.to)
	if err != nil {
		return usagef("--to: %v", err)
	}
	if in.terminal {
		a.note("Type lines to translate; Ctrl-D ends.")
	}
	g, err := openGlossary(a.path(o.glossary))
	if err != nil {
		return err
	}
	t.On(dev)
	computes, err := o.speed.engine(dev, t, dir)
	if err != nil {
		return err
	}
	var printed strings.Builder // with --json
	f := stream.Filter{Batch: o.batch, Whole: o.whole, Full: in.regular, Fits: t.Fits, Language: splitter.Language(), Code: splitter.Code, Out: a.stdout}
	r := translated{Model: t.ID().String(), doubts: noDoubts()}
	calls := 0
	f.Translate = func(sentences []string) ([]text.Traced, error) {
		// In binary32 it pays after the first batch, which need not wait for it.
		if calls++; calls == 2 || o.int8 && calls == 1 {
			if err := t.Prepare(dev, o.int8); err != nil {
				return nil, err
			}
		}
		targets, _ := g.All(sentences)
		return t.Trace(computes, unit.NewText(sentences, targets), d, o.align)
	}
	var last [2]string // a log says the same again and again
	var reasons []document.Reason
	f.Seen = func(line int, sentence string, t text.Traced) {
		if now := [2]string{sentence, t.Text}; now != last {
			last, reasons = now, document.Doubts(sentence, t.Text, m.Source, cmp.Or(o.to, m.Target))
			if t.Cut {
				reasons = append(reasons, document.Cut)
			}
		}
		r.add(a, line, sentence, reasons)
	}
	if o.align {
		f.End = func(links []text.WordLink) string {
			if a.json || a.events {
				r.Alignments = append(r.Alignments, text.Pharaoh(links))
				return ""
			}
			return " ||| " + text.Pharaoh(links)
		}
	}
	if o.nBest > 0 || o.prefix {
		f.Prefixed, f.Whole = o.prefix, f.Whole || o.prefix
		return o.rank(ctx, a, &f, in, ranker{t, computes, dev, g, d}, &r.doubts)
	}
	if a.json || a.events {
		f.Out = &printed
	}
	err = f.Run(ctx, in)
	if w := f.Warning(); w != "" {
		a.note("alia: %s: %s", in.name, w)
	}
	r.end(a)
	if err != nil {
		return undone(ctx, err, "%s is translated up to line %d", in.name, f.Lines)
	}
	if !a.json && !a.events {
		return nil
	}
	r.Translation, r.Sentences, r.Findings = printed.String(), f.Sentences, f.Findings
	return a.result(r, nil)
}

// streamModel is the directory of the model for a stream: that of --model, or the best one.
// The language of a stream is not known before it comes. So without --from there must be one
// source language only.
func (o *translateFlags) streamModel(ctx context.Context, a *app, name string) (string, error) {
	if o.model != "" {
		return a.modelDir(o.model)
	}
	e := engine.NewLocal(engine.LocalConfig{Below: a.home.Models()})
	models, err := e.Models(ctx)
	if err != nil {
		return "", err
	}
	from := o.from
	if from == auto {
		var sources []string
		for _, m := range models {
			if translate.Same(m.Target, o.to) && !slices.Contains(sources, m.Source) {
				sources = append(sources, m.Source)
			}
		}
		if len(sources) > 1 {
			return "", usagef("--from is missing: there are models from %s to %s", strings.Join(sources, ", "), o.to)
		}
		from = strings.Join(sources, "")
	}
	m, err := translate.Best(models, from, o.to)
	if err != nil {
		return "", err
	}
	a.note("%s", modelLine(m))
	return a.home.Model(m.Link), nil
}

// openBoth opens a model and a device for it, side by side and in a hurry: the
// few megabytes that takes are collected later.
func openBoth(a *app, dir string, c *deviceFlags) (t *model.Translator, dev kernel.Device, err error) {
	collect(400)
	defer collect(50)
	opened := make(chan error, 1)
	go func() {
		var err error
		dev, err = c.choose(a)
		opened <- err
	}()
	t, err = node.OpenModel(dir)
	return t, dev, errors.Join(<-opened, err)
}

// together is the sentences translated between two looks at the context.
const together = 64

// translateAll translates sentences until the context ends.
func translateAll(ctx context.Context, t *model.Translator, e model.Engine, sentences []string, d unit.Decoding) ([]string, error) {
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
