package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/node/stream"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// decodeFlags is the flags of a translation.
type decodeFlags struct {
	model  string
	beam   uint16
	length options.Fraction
}

func (o *decodeFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&o.model, "model", "", "`MODEL` to use: its directory, or its CID")
	f.Uint16Var(&o.beam, "beam", 1, "`HYPOTHESES` of the beam search; 1 is greedy search")
	o.length = options.Million
	f.Var(&o.length, "length-penalty", "power of the length by which scores are divided; larger values give longer sentences")
}

func (o *decodeFlags) decoding() (unit.Decoding, error) {
	if o.beam < 1 || o.beam > unit.MaxBeam {
		return unit.Decoding{}, usagef("--beam %d: give 1 to %d", o.beam, unit.MaxBeam)
	}
	if o.length > unit.MaxLengthPPM {
		return unit.Decoding{}, usagef("--length-penalty %v: give 0 to %d", &o.length, unit.MaxLengthPPM/options.Million)
	}
	return unit.Decoding{Beam: o.beam, LengthPPM: uint32(o.length)}, nil
}

// int8Usage is the help of --int8.
const int8Usage = "multiply 8-bit integers: faster, nearly the same text, and the same on every machine"

// translateHelp is the long help of alia translate.
const translateHelp = `Translate plain text, from a file or from standard input, and print the
translation line for line. The sentences of a line are translated one by one;
white space stays where it was. Markup, such as HTML tags, is translated like
other text; formats such as .docx are refused.

With --local this process computes the translation from a model's directory and
works as a filter in a pipe. Lines come out in order, each as soon as it is
done. No line is refused: bytes that are not UTF-8 and control characters are
replaced, and sentences too long for the model are cut and joined again. A
warning at the end counts both. The translation of a line depends neither on
the lines around it nor on --batch or --threads.

Without --local the miners of a network compute the translation. This home's
account pays them. When the work begins, the ledger sets aside the most that the
text can cost. About ten minutes later "alia wallet reclaim" can take back the
unspent part. The receipt is kept in the home. To continue an interrupted job,
give the same command again. Amounts are in ALIA; with --json in 1e-8 ALIA.`

func newTranslate(a *app) *cobra.Command {
	var o decodeFlags
	var l local
	var p buyFlags
	var here bool
	cmd := &cobra.Command{
		Use:   "translate [--local] --model PATH|CID [FILE]",
		Short: "Translate a text, alone or through a network",
		Long:  translateHelp,
		Example: `  alia translate --local --model DIR letter.txt > brief.txt
  tail -f log | alia translate --local --model DIR | grep -i fehler`,
		Args: someArgs(0, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			d, err := o.decoding()
			if err != nil {
				return err
			}
			if o.model == "" {
				return usagef("--model is missing: give a model's CID, or with --local its directory")
			}
			// An option of the other way to translate is refused, never ignored.
			if here {
				if err := a.goesWith("without --local: this process pays nobody", onlyNetwork...); err != nil {
					return err
				}
				if err := checkFormat(a, name); err != nil {
					return err
				}
				l.src, l.tgt = p.src, p.tgt
				return translateLocal(cmd.Context(), a, o, d, &l, name, cmd.InOrStdin())
			}
			if err := a.goesWith("with --local: miners choose how they compute", onlyLocal...); err != nil {
				return err
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				if err := checkFormat(a, name); err != nil {
					return err
				}
				// If another process serves the home, the command begins again there: a pipe
				// that was read here would be empty.
				if _, err := a.host.open(ctx, a); err != nil {
					return err
				}
				input, err := readText(a.path(name), cmd.InOrStdin())
				if err != nil {
					return err
				}
				return translateNetwork(ctx, a, o, d, &p, input)
			})
		},
	}
	f := cmd.Flags()
	o.flags(f)
	f.BoolVar(&here, "local", false, "translate in this process: no network, no pay")
	l.flags(cmd)
	p.flags(cmd)
	a.eventsFlag(cmd)
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// translated is the result of a local translation.
type translated struct {
	Model       string `json:"model"`
	Translation string `json:"translation"`
	Sentences   int    `json:"sentences"`
	stream.Findings
}

// local is the flags of a translation in this process.
type local struct {
	deviceFlags
	speed
	batch    int
	whole    bool
	src, tgt string // languages the user asked for, "" for those of the model
}

// onlyLocal are the flags of alia translate that mean nothing without --local.
var onlyLocal = []string{"int8", "shortlist", "whole-lines", "batch", "device", "kernels", "threads"}

func (l *local) flags(cmd *cobra.Command) {
	l.deviceFlags.flags(cmd)
	l.speed.flags(cmd, "with --local: ")
	f := cmd.Flags()
	f.IntVar(&l.batch, "batch", together, "with --local: `NUMBER` of sentences translated together at most; the text is the same")
	f.BoolVar(&l.whole, "whole-lines", false, "with --local: take each line for one sentence, as in test sets")
}

// translateLocal translates a file, or standard input, line for line.
func translateLocal(ctx context.Context, a *app, o decodeFlags, d unit.Decoding, l *local, name string, stdin io.Reader) error {
	if l.batch < 1 || l.batch > stream.MaxBatch {
		return usagef("--batch %d: give 1 to %d", l.batch, stream.MaxBatch)
	}
	dir, err := a.modelDir(o.model)
	if err != nil {
		return err
	}
	in, err := openText(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	t, dev, err := openBoth(a, dir, &l.deviceFlags)
	if err != nil {
		return err
	}
	if m := t.Model; l.src != "" && l.src != m.Source || l.tgt != "" && l.tgt != m.Target {
		return usagef("--src and --tgt: model %s translates from %s to %s and from no other language", o.model, m.Source, m.Target)
	}
	if in.terminal {
		a.note("Type lines to translate; Ctrl-D ends.")
	}
	t.On(dev)
	engine, err := l.engine(dev, t, dir)
	if err != nil {
		return err
	}
	var text strings.Builder // with --json
	f := stream.Filter{Batch: l.batch, Whole: l.whole, Full: in.regular, Fits: t.Fits, Out: a.stdout}
	calls := 0
	f.Translate = func(sentences []string) ([]string, error) {
		// In binary32 it pays after the first batch, which need not wait for it.
		if calls++; calls == 2 || l.int8 && calls == 1 {
			if err := t.Prepare(l.int8); err != nil {
				return nil, err
			}
			t.On(dev)
		}
		return t.Translate(engine, sentences, d)
	}
	if a.json || a.events {
		f.Out = &text
	}
	err = f.Run(ctx, in)
	if w := f.Warning(); w != "" {
		a.note("alia: %s: %s", in.name, w)
	}
	if err != nil {
		return undone(ctx, err, "%s is translated up to line %d", in.name, f.Lines)
	}
	if !a.json && !a.events {
		return nil
	}
	r := translated{Model: t.ID().String(), Translation: text.String(), Sentences: f.Sentences, Findings: f.Findings}
	return a.result(r, nil)
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
