package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/score"
)

// evalFlags is the flags of alia model eval.
type evalFlags struct {
	decodeFlags
	against           decodeFlags
	speed             speed
	faster            speed // the second's
	source, reference string
	spaces            bool
	samples           int
	seed              uint64
	report            string
}

func newModelEval(a *app) *cobra.Command {
	var x evalFlags
	var c deviceFlags
	cmd := &cobra.Command{
		Use:   "eval --model PATH|CID --source FILE --reference FILE",
		Short: "Translate a file, and score it against a reference",
		Long: `Translate a file and score the translation against a reference, line by line:
BLEU, BLEU without regard to case, chrF2 and TER, as sacreBLEU computes them.

With --against a second model translates too, and a paired bootstrap shows how
sure the difference is. --against-beam, --against-int8 and --against-shortlist
compare the same model with another setting. With --report a page shows source,
reference and translations side by side.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if x.source == "" || x.reference == "" {
				return usagef("give both --source and --reference, two files with a sentence on each line")
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
	f.StringVar(&x.reference, "reference", "", "`FILE` with the translation of each sentence on the same line")
	f.BoolVar(&x.spaces, "tokenized", false, "the reference is tokenized already: BLEU takes words between spaces for tokens")
	f.StringVar(&x.against.model, "against", "", "second `MODEL` to compare with (default: the first, with another setting)")
	f.Uint16Var(&x.against.beam, "against-beam", 0, "`HYPOTHESES` of the second (default: as many as the first)")
	x.speed.flags(cmd, "")
	f.BoolVar(&x.faster.int8, "against-int8", false, "compute the second in int8 (default: like the first)")
	f.BoolVar(&x.faster.shortlist, "against-shortlist", false, "give the second its shortlist (default: like the first)")
	f.IntVar(&x.samples, "samples", 1000, "`NUMBER` of samples of the paired bootstrap")
	f.Uint64Var(&x.seed, "seed", 1, "`NUMBER` that decides the samples")
	f.StringVar(&x.report, "report", "", "write a page with all translations to `FILE`.html")
	c.flags(cmd)
	a.completeFrom(cmd, "model", a.models)
	a.completeFrom(cmd, "against", a.models)
	return cmd
}

// evaluation is the result of alia model eval.
type evaluation struct {
	Model      string       `json:"model"`
	Beam       uint16       `json:"beam"`
	Int8       bool         `json:"int8"`
	Shortlist  bool         `json:"shortlist"`
	BLEU       float64      `json:"bleu"`
	BLEULower  float64      `json:"bleu_lc"`
	ChrF       float64      `json:"chrf"`
	TER        float64      `json:"ter"`
	Signature  string       `json:"signature"` // of BLEU
	Signatures []string     `json:"signatures"`
	Sentences  int          `json:"sentences"`
	Against    *evaluation  `json:"against,omitempty"`
	Compared   []comparison `json:"comparisons,omitempty"`

	output []string
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

// metrics are those of an evaluation: BLEU, BLEU in small letters, chrF2, TER.
func (x *evalFlags) metrics() []score.Metric {
	t := score.Mteval13a
	if x.spaces {
		t = score.Spaces
	}
	return []score.Metric{score.NewBLEU(score.Cased, t), score.NewBLEU(score.Uncased, t), score.ChrF, score.TER}
}

func (x *evalFlags) run(ctx context.Context, a *app, c *deviceFlags) error {
	sources, err := readLines(x.source)
	if err != nil {
		return err
	}
	references, err := readLines(x.reference)
	if err != nil {
		return err
	}
	if len(sources) != len(references) {
		return fmt.Errorf("%s has %d lines, %s has %d: line N of one must belong to line N of the other", x.source, len(sources), x.reference, len(references))
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	r, err := x.evaluate(ctx, a, dev, x.decodeFlags, x.speed, sources, references)
	if err != nil {
		return err
	}
	if second := x.against; second.model != "" || second.beam != 0 || x.faster != (speed{}) {
		second.length = x.length
		if second.model == "" {
			second.model = x.model
		}
		if second.beam == 0 {
			second.beam = x.beam
		}
		if r.Against, err = x.evaluate(ctx, a, dev, second, speed{x.speed.int8 || x.faster.int8, x.speed.shortlist || x.faster.shortlist}, sources, references); err != nil {
			return err
		}
		for _, m := range x.metrics() {
			d, err := score.Compare(m, r.output, r.Against.output, references, x.samples, x.seed)
			if err != nil {
				return err
			}
			r.Compared = append(r.Compared, comparison{m.Name, d.A, d.B, d.Low, d.High, d.P})
		}
		r.Compared[1].Metric += ", small letters"
	}
	if x.report != "" {
		page, err := reportPage(filepath.Base(x.source), r, sources, references)
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

// evaluate translates the sources as o says, and scores the translation.
func (x *evalFlags) evaluate(ctx context.Context, a *app, dev kernel.Device, o decodeFlags, fast speed, sources, references []string) (*evaluation, error) {
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
	if err := t.Prepare(fast.int8); err != nil {
		return nil, err
	}
	r := &evaluation{Model: t.ID().String(), Beam: o.beam, Int8: fast.int8, Shortlist: fast.shortlist, Sentences: len(sources)}
	t.On(dev)
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
	into := []*float64{&r.BLEU, &r.BLEULower, &r.ChrF, &r.TER}
	for i, m := range x.metrics() {
		if *into[i], err = m.Score(r.output, references); err != nil {
			return nil, err
		}
		r.Signatures = append(r.Signatures, m.Name+"|"+m.Signature)
	}
	r.Signature = x.metrics()[0].Signature
	return r, nil
}

func (r *evaluation) print(w io.Writer) {
	line := func(r *evaluation) {
		codes := ""
		if r.Int8 {
			codes = ", int8"
		}
		if r.Shortlist {
			codes += ", shortlist"
		}
		fmt.Fprintf(w, "BLEU %.2f  small letters %.2f  chrF2 %.2f  TER %.2f  (%d sentences, beam %d%s, %s)\n",
			r.BLEU, r.BLEULower, r.ChrF, r.TER, r.Sentences, r.Beam, codes, r.Model)
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

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// reportPage is the page of an evaluation: what a stranger needs to judge the
// translations, in one file.
func reportPage(title string, r *evaluation, sources, references []string) ([]byte, error) {
	type row struct {
		Number            int
		Source, Reference string
		Output, Second    []span
		ChrF, SecondChrF  float64
		Better, Worse     bool
	}
	page := struct {
		Title string
		*evaluation
		Rows []row
	}{title, r, nil}
	for i, ref := range references {
		x := row{Number: i + 1, Source: sources[i], Reference: ref, Output: differences(r.output[i], ref)}
		one := []string{ref}
		x.ChrF, _ = score.ChrF.Score(r.output[i:i+1], one) // one segment each: they fit
		if r.Against != nil {
			x.Second = differences(r.Against.output[i], ref)
			x.SecondChrF, _ = score.ChrF.Score(r.Against.output[i:i+1], one)
			x.Better, x.Worse = x.SecondChrF > x.ChrF, x.SecondChrF < x.ChrF
		}
		page.Rows = append(page.Rows, x)
	}
	var b bytes.Buffer
	err := reportTemplate.Execute(&b, page)
	return b.Bytes(), err
}

// span is words of a translation, and whether the reference has them too, in
// the same order.
type span struct {
	Text string
	Same bool
}

// differences marks the words of got that are in no longest common subsequence
// with the words of want.
func differences(got, want string) []span {
	x, y := strings.Fields(got), strings.Fields(want)
	common := make([][]int, len(x)+1) // of x[i:] and y[j:]
	for i := range common {
		common[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var spans []span
	for i, j := 0, 0; i < len(x); {
		same := j < len(y) && x[i] == y[j]
		if !same && j < len(y) && common[i][j+1] >= common[i+1][j] {
			j++
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].Same == same {
			spans[n-1].Text += " " + x[i]
		} else {
			spans = append(spans, span{x[i], same})
		}
		i++
		if same {
			j++
		}
	}
	return slices.Clip(spans)
}
