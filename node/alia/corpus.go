package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"

	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/work/corpus"
)

// corpusFlags is the flags that name a corpus.
type corpusFlags struct{ corpus, src, tgt, columns string }

func (l *corpusFlags) flags(cmd *cobra.Command, none string) {
	f := cmd.Flags()
	f.StringVar(&l.corpus, "corpus", "", "`DIR` with train.SRC and train.TGT, val.* and test*.*, or a file of pairs: .tsv, .tmx, .po or .mo, also compressed"+none)
	f.StringVar(&l.src, "src", "", "`LANGUAGE` to translate from, as in the corpus's file names")
	f.StringVar(&l.tgt, "tgt", "", "`LANGUAGE` to translate into, as in the corpus's file names")
	f.StringVar(&l.columns, "columns", "", "two `NUMBERS`, from 1: the columns of a table with the source and the target, such as 2,4 (default: the two that have text)")
}

func (l *corpusFlags) options() corpus.Selection {
	return corpus.Selection{Source: l.src, Target: l.tgt, Columns: l.columns}
}

// checkTags refuses a language that is no tag at all, and notes one that nobody has
// registered: communities have languages without a code, and training needs only a name.
func (a *app) checkTags(tags ...string) error {
	for _, tag := range tags {
		if tag == "" {
			continue
		}
		_, err := language.Parse(tag)
		var unknown language.ValueError
		switch {
		case err == nil:
		case errors.As(err, &unknown):
			a.note("language %s: %q is in no list of languages (BCP 47): is it misspelt?", tag, unknown.Subtag())
		default:
			return usagef("language %q is no language tag: give a code such as de, pt-BR or zh-Hant", tag)
		}
	}
	return nil
}

func newCorpus(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "corpus", Short: "Check which pairs of a corpus training takes"}, newCorpusCheck(a))
}

func newCorpusCheck(a *app) *cobra.Command {
	var l corpusFlags
	cmd := &cobra.Command{
		Use:   "check --corpus PATH [--src LANGUAGE] [--tgt LANGUAGE]",
		Short: "Say which pairs training keeps and drops, by rule, with examples",
		Long: `Read a corpus as alia train does, and say how many pairs are kept, how many are
dropped by which rule, and show the first pairs of each rule. Nothing is
written.

A directory has a file for each language, with a sentence on each line:
train.SRC and train.TGT, such as train.en and train.de, and if you like files
for validation (val.*) and for tests (test*.*). A file of pairs is a
table (.tsv), a translation memory (.tmx) or a gettext catalog (.po, .mo). Each
may be compressed (.gz, .zst, .xz, .bz2). Without val.* some pairs are held out
for validation; they count as kept.

The rules:
  not_utf8   the line is not UTF-8
  long_line  the line is longer than 65,536 bytes
  columns    the line has another number of columns than the file
  control    the line has NUL or another control character
  empty      a sentence has no text
  too_long   a sentence has more than 1,024 characters
  lopsided   one sentence has more characters than 3 times the other plus 20.
             First the lengths are made comparable: where a language needs more
             characters for the same text, its characters count for less; the
             median of the corpus says how much
  held_out   the pair is also in the validation or a test
  duplicate  the same pair came before

Where more than one line in 100 breaks one of the first four rules, counted
together, the corpus is refused, and the exit status is 1. One such line is
never too many, if other lines can be used.

With --json the result has pairs and kept (numbers of pairs), dropped (a number
for each rule) and samples (the first dropped pairs of each rule).`,
		Example: `  alia corpus check --corpus multi30k --src en --tgt de
  alia corpus check --corpus sentences.tsv.bz2 --src my --tgt en --columns 2,4`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if l.corpus == "" {
				return usagef("name a corpus with --corpus: a directory or a file of pairs")
			}
			if err := a.checkTags(l.src, l.tgt); err != nil {
				return err
			}
			c, r, err := corpus.Open(a.path(l.corpus), l.options())
			if c == nil && r.Pairs+r.Validation == 0 {
				return err
			}
			if c == nil {
				c = &corpus.Corpus{Source: l.src, Target: l.tgt}
			}
			out := checkedCorpus(c, r)
			return errors.Join(a.result(out, func(w io.Writer) { printCorpus(w, out, r) }), err)
		},
	}
	l.flags(cmd, " (required)")
	return cmd
}

// checkedCorpus is a report of cleaning for scripts. Pairs that are held out for validation
// are kept.
func checkedCorpus(c *corpus.Corpus, r corpus.Report) report.CheckedCorpus {
	out := report.CheckedCorpus{
		Source: c.Source, Target: c.Target, Rules: corpus.Rules, Pairs: r.Pairs + r.Validation, Kept: r.Kept() + r.Validation,
		Validation: len(c.Valid), Tests: map[string]int{}, Dropped: map[string]int{}, Samples: []report.DroppedPair{},
		BlankLines: r.Blank, Copies: r.Copies, SourceWeight: float64(r.Weights.Source) / 8, TargetWeight: float64(r.Weights.Target) / 8,
	}
	for _, t := range c.Tests {
		out.Tests[t.Name] = len(t.Pairs)
	}
	for rule, n := range r.Dropped {
		if n > 0 {
			out.Dropped[corpus.Rule(rule).String()] = n
		}
	}
	for _, s := range r.Samples {
		out.Samples = append(out.Samples, report.DroppedPair{Rule: s.Rule.String(), File: s.File, Line: s.Line, Source: s.Source, Target: s.Target})
	}
	return out
}

// printCorpus prints the report for people.
func printCorpus(w io.Writer, c report.CheckedCorpus, r corpus.Report) {
	fmt.Fprintf(w, "%s to %s: %d pairs, %d kept (%.1f %%)\n", c.Source, c.Target, c.Pairs, c.Kept, 100*float64(c.Kept)/float64(max(c.Pairs, 1)))
	if r.Validation > 0 {
		fmt.Fprintf(w, "%d of them are held out for validation\n", r.Validation)
	}
	if c.SourceWeight > 0 {
		fmt.Fprintf(w, "lengths: %g characters of %s say as much as %g of %s\n", c.SourceWeight, c.Source, c.TargetWeight, c.Target)
	}
	if c.BlankLines > 0 {
		fmt.Fprintf(w, "empty lines at the end, which are no pairs: %d\n", c.BlankLines)
	}
	for rule, n := range r.Dropped {
		if n == 0 {
			continue
		}
		fmt.Fprintf(w, "dropped, %s: %d\n", corpus.Rule(rule).Text(), n)
		for _, s := range r.Samples {
			if int(s.Rule) == rule {
				fmt.Fprintf(w, "  %s\n", sampleText(s))
			}
		}
	}
}

// sampleText is a dropped pair for a message. Quotes keep control characters off the
// terminal.
func sampleText(s corpus.Rejected) string {
	var b strings.Builder
	if s.Line > 0 {
		fmt.Fprintf(&b, "%s line %d", s.File, s.Line)
	} else {
		b.WriteString(s.File)
	}
	if s.Source != "" || s.Target != "" {
		fmt.Fprintf(&b, ": %q – %q", s.Source, s.Target)
	}
	return b.String()
}

// noteCorpus says on standard error what was read of a corpus, and shows lines that are
// faulty.
func (a *app) noteCorpus(c *corpus.Corpus, r corpus.Report) {
	a.note("corpus %s to %s: %v", c.Source, c.Target, r)
	for _, s := range r.Samples {
		if s.Rule <= corpus.Control {
			a.note("dropped, %s: %s", s.Rule.Text(), sampleText(s))
		}
	}
	if r.Copies > c.Len()/2 {
		a.note("in %d of %d pairs the translation is the source itself: is this the right corpus?", r.Copies, c.Len())
	}
}
