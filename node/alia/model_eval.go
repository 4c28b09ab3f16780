package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/score"
)

// evalFlags is the flags of alia model eval.
type evalFlags struct {
	decodeFlags
	against decodeFlags
	speed   speed
	faster  speed // the second's
	scoring
	source, hypothesis string
	references         []string
	marked             []string // files that begin with a byte-order mark
	samples            int
	seed               uint64
	report             string
}

func newModelEval(a *app) *cobra.Command {
	var x evalFlags
	var c deviceFlags
	cmd := &cobra.Command{
		Use:   "eval --model PATH|CID --source FILE --reference FILE",
		Short: "Translate a file, and score it against a reference",
		Long: `Translate a file and score the translation against a reference, line by line:
BLEU, BLEU without regard to case, chrF2, chrF2++ and TER, as sacreBLEU computes
them. With --hypothesis a translation that stands in a file is scored, and no
model is needed.

--reference may be given several times, for several translations of each line. A
blank line in one of the files means that this file has no translation of that
line.

The target language (--tgt, or else the model's) decides how BLEU divides a line
into words: the tokenizer zh for Chinese, char for Japanese and Korean, and 13a
for others. sacreBLEU chooses the same, except for Japanese and Korean, where it
takes MeCab, which this program does not have. --tokenize names another
tokenizer. The signature is a line below the scores that names every such
choice. Compare only scores of the same signature.

With --json the result has bleu, chrf, chrfpp, ter, signature and sentences, and
more.

With --against a second model translates too. A paired bootstrap (scores of many
random samples of the lines) shows whether the difference of the two may be
chance. --against-beam, --against-int8 and --against-shortlist
compare the same model with another setting. With --report a page shows source,
reference and translations side by side.`,
		Example: `  alia model eval --model MODEL --source test.en --reference test.de
  alia model eval --hypothesis test.out --reference test.zh --tgt zh --json
  alia model eval --hypothesis out.ja --reference a.ja --reference b.ja --tgt ja`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := x.check(a); err != nil {
				return err
			}
			if x.samples < 1 {
				return usagef("--samples %d: give 1 or more", x.samples)
			}
			return undone(cmd.Context(), x.run(cmd.Context(), a, &c), "nothing is scored")
		},
	}
	f := cmd.Flags()
	x.decodeFlags.flags(f)
	f.StringVar(&x.source, "source", "", "`FILE` with a sentence on each line")
	f.StringVar(&x.hypothesis, "hypothesis", "", "score the translation in `FILE`, a sentence on each line, without a model (default: the model translates)")
	f.StringArrayVar(&x.references, "reference", nil, "`FILE` with the right translation of each sentence on the same line; give it again for more")
	x.scoring.flags(cmd)
	f.StringVar(&x.against.model, "against", "", "second `MODEL` to compare with (default: the first, with another setting)")
	f.Uint16Var(&x.against.beam, "against-beam", 0, "`HYPOTHESES` of the second (default: as many as the first)")
	x.speed.flags(cmd, "")
	f.BoolVar(&x.faster.int8, "against-int8", false, "compute the second in int8 (default: like the first)")
	f.BoolVar(&x.faster.shortlist, "against-shortlist", false, "give the second its shortlist (default: like the first)")
	f.IntVar(&x.samples, "samples", 1000, "`NUMBER` of samples of the paired bootstrap")
	f.Uint64Var(&x.seed, "seed", 1, "`NUMBER` that decides the samples")
	f.StringVar(&x.report, "report", "", "write an HTML page with all translations to `FILE`, such as report.html")
	c.flags(cmd)
	a.completeFrom(cmd, "model", a.models)
	a.completeFrom(cmd, "against", a.models)
	return cmd
}

// evaluation is the result of alia model eval.
type evaluation struct {
	Model      string       `json:"model,omitempty"` // none for a file
	Beam       uint16       `json:"beam,omitempty"`
	NoRepeat   uint16       `json:"no_repeat,omitempty"`
	Repetition float64      `json:"repetition_penalty,omitempty"` // none for a penalty of 1
	Int8       bool         `json:"int8"`
	Shortlist  bool         `json:"shortlist"`
	Hypothesis string       `json:"hypothesis,omitempty"` // a file
	BLEU       float64      `json:"bleu"`
	BLEULower  float64      `json:"bleu_lc"`
	ChrF       float64      `json:"chrf"`
	ChrFPlus   float64      `json:"chrfpp"`
	TER        float64      `json:"ter"`
	Signature  string       `json:"signature"` // of BLEU
	Signatures []string     `json:"signatures"`
	Sentences  int          `json:"sentences"`
	Warnings   []string     `json:"warnings,omitempty"` // of figures that mean little
	Against    *evaluation  `json:"against,omitempty"`
	Compared   []comparison `json:"comparisons,omitempty"`

	target string // the model's language
	output []string
	names  []string // of the metrics, in the sequence of the figures
}

// Figures are the scores, for the page.
func (r *evaluation) Figures() []float64 {
	var all []float64
	for _, x := range r.figures() {
		all = append(all, *x)
	}
	return all
}

// figures are the scores in the sequence of the metrics.
func (r *evaluation) figures() []*float64 {
	return []*float64{&r.BLEU, &r.BLEULower, &r.ChrF, &r.ChrFPlus, &r.TER}
}

// comparison is of the first translation, A, with the second, B, by a metric.
type comparison struct {
	Metric string  `json:"metric"`
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Low    float64 `json:"low"`  // of B-A, in 95 % of the samples
	High   float64 `json:"high"` // of B-A
	P      float64 `json:"p"`    // chance to see such a difference between equals
}

// check refuses flags that do not go together.
func (x *evalFlags) check(a *app) error {
	if len(x.references) == 0 || x.source == "" && x.hypothesis == "" {
		return usagef("give --reference, and --source or --hypothesis: files with a sentence on each line")
	}
	if x.hypothesis != "" {
		if err := a.goesWith("without --hypothesis: a translation that is there needs no model", "model", "beam", "length-penalty", "no-repeat", "repetition-penalty", "against", "against-beam", "against-int8", "against-shortlist", "int8", "shortlist", "samples", "seed", "device", "kernels", "threads"); err != nil {
			return err
		}
	}
	return cmp.Or(x.scoring.check(a), a.checkTags(x.tgt))
}

// errStdinTwice is the error of two files that are both standard input.
var errStdinTwice = usageError{"only one file can be - (standard input)"}

// read reads the files, whose lines belong together. The sources are nil where none are given.
func (x *evalFlags) read(stdin io.Reader) (sources, hypotheses []string, references [][]string, err error) {
	lists := make([][]string, len(x.references))
	files := []struct {
		name string
		into *[]string
	}{{x.source, &sources}, {x.hypothesis, &hypotheses}}
	for i, name := range x.references {
		files = append(files, struct {
			name string
			into *[]string
		}{name, &lists[i]})
	}
	first, lines, piped := "", 0, false
	for _, f := range files {
		if f.name == "" {
			continue
		}
		if f.name == "-" {
			if piped {
				return nil, nil, nil, errStdinTwice
			}
			piped = true
		}
		if *f.into, err = readLines(f.name, stdin); err != nil {
			return nil, nil, nil, err
		}
		if f.into != &sources && len(*f.into) > 0 && strings.HasPrefix((*f.into)[0], "\ufeff") {
			x.marked = append(x.marked, f.name)
		}
		if f.into != &sources { // sacreBLEU reads files so
			for i, line := range *f.into {
				(*f.into)[i] = strings.TrimRightFunc(line, unicode.IsSpace)
			}
		}
		if first == "" {
			first, lines = f.name, len(*f.into)
		}
		if n := len(*f.into); n != lines {
			return nil, nil, nil, fmt.Errorf("%s has %d lines, %s has %d: line N of one must belong to line N of the other", first, lines, f.name, n)
		}
	}
	if lines == 0 {
		return nil, nil, nil, fmt.Errorf("%s is empty: there is nothing to score", first)
	}
	return sources, hypotheses, score.References(lists...), nil
}

func (x *evalFlags) run(ctx context.Context, a *app, c *deviceFlags) error {
	sources, hypotheses, references, err := x.read(a.stdin)
	if err != nil {
		return err
	}
	for _, file := range x.marked {
		a.note("%s begins with a byte-order mark, which counts as a character of the first line, as in sacreBLEU: save the file without it", file)
	}
	r := &evaluation{Hypothesis: x.hypothesis, output: hypotheses}
	var dev kernel.Device
	if x.hypothesis == "" {
		if dev, err = c.open(a); err != nil {
			return err
		}
		if r, err = x.translate(ctx, a, dev, x.decodeFlags, x.speed, sources); err != nil {
			return err
		}
	}
	metrics, warnings, err := x.metrics(cmp.Or(x.tgt, r.target))
	if err != nil {
		return err
	}
	for _, text := range warnings {
		a.note("%s", text)
	}
	r.Warnings = warnings
	if err := r.score(metrics, references); err != nil {
		return err
	}
	if second := x.against; second.model != "" || second.beam != 0 || x.faster != (speed{}) {
		second.length, second.noRepeat, second.repetition = x.length, x.noRepeat, x.repetition
		if second.model == "" {
			second.model = x.model
		}
		if second.beam == 0 {
			second.beam = x.beam
		}
		if r.Against, err = x.translate(ctx, a, dev, second, speed{x.speed.int8 || x.faster.int8, x.speed.shortlist || x.faster.shortlist}, sources); err != nil {
			return err
		}
		if err := r.Against.score(metrics, references); err != nil {
			return err
		}
		for _, m := range metrics {
			d, err := score.Compare(m, r.output, r.Against.output, references, x.samples, x.seed)
			if err != nil {
				return err
			}
			r.Compared = append(r.Compared, comparison{m.Name, d.A, d.B, d.Low, d.High, d.P})
		}
		r.Compared[1].Metric += ", " + r.names[1]
	}
	if x.report != "" {
		page, err := reportPage(r, metrics[2], cmp.Or(x.tgt, r.target), filepath.Base(cmp.Or(x.source, x.hypothesis)), sources, references)
		if err != nil {
			return err
		}
		if err := node.WriteFile(x.report, page); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		a.note("report: %s", x.report)
	}
	return a.result(r, r.print)
}

// translate translates the sources as o says.
func (x *evalFlags) translate(ctx context.Context, a *app, dev kernel.Device, o decodeFlags, fast speed, sources []string) (*evaluation, error) {
	d, err := o.decoding()
	if err != nil {
		return nil, err
	}
	dir, err := a.modelDir(o.model)
	if err != nil {
		return nil, err
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return nil, err
	}
	if err := t.Prepare(dev, fast.int8); err != nil {
		return nil, err
	}
	r := &evaluation{Model: t.ID().String(), Beam: o.beam, Int8: fast.int8, Shortlist: fast.shortlist, target: t.Model.Target}
	r.NoRepeat, r.Repetition = d.NoRepeat, float64(d.RepetitionPPM)/1e6
	engine, err := fast.engine(dev, t, dir)
	if err != nil {
		return nil, err
	}
	if r.output, err = translateAll(ctx, t, engine, sources, d); err != nil {
		return nil, err
	}
	cut := 0
	for _, line := range sources {
		if !t.Fits(line) {
			cut++
		}
	}
	if cut > 0 {
		a.note("%d lines are longer than the model takes, and were cut", cut)
	}
	return r, nil
}

// score computes the figures of a translation.
func (r *evaluation) score(metrics []score.Metric, references [][]string) (err error) {
	r.Sentences = len(references)
	for i, m := range metrics {
		if *r.figures()[i], err = m.Score(r.output, references); err != nil {
			return err
		}
		r.names = append(r.names, m.Name)
		r.Signatures = append(r.Signatures, m.Name+"|"+m.Signature(references))
	}
	r.names[1] = "small letters"
	r.Signature = metrics[0].Signature(references)
	return nil
}

func (r *evaluation) print(w io.Writer) {
	line := func(r *evaluation) {
		for i, x := range r.figures() {
			fmt.Fprintf(w, "%s %.2f  ", r.names[i], *x)
		}
		fmt.Fprintf(w, "(%s", english.Plural(r.Sentences, "sentence", ""))
		if r.Model != "" {
			fmt.Fprintf(w, ", beam %d", r.Beam)
		}
		if r.NoRepeat > 0 {
			fmt.Fprintf(w, ", no repeat %d", r.NoRepeat)
		}
		if r.Repetition > 0 {
			fmt.Fprintf(w, ", repetition penalty %v", r.Repetition)
		}
		if r.Int8 {
			fmt.Fprint(w, ", int8")
		}
		if r.Shortlist {
			fmt.Fprint(w, ", shortlist")
		}
		fmt.Fprintf(w, ", %s)\n", cmp.Or(r.Model, r.Hypothesis))
	}
	line(r)
	if r.Against != nil {
		line(r.Against)
		for _, c := range r.Compared {
			fmt.Fprintf(w, "%-20s %+6.2f  (95 %% of samples %+.2f to %+.2f, p = %.3f)\n", c.Metric, c.B-c.A, c.Low, c.High, c.P)
		}
	}
	for _, s := range r.Signatures {
		fmt.Fprintln(w, s)
	}
}
