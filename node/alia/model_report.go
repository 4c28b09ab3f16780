package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/score"
)

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// reportPage is the page of an evaluation: what a stranger needs to judge the
// translations, in one file. chrF is the metric of single sentences.
func reportPage(r *evaluation, chrF score.Metric, language, title string, sources []string, references [][]string) ([]byte, error) {
	type row struct {
		Number            int
		Source, Reference string
		Output, Second    []span
		ChrF, SecondChrF  float64
		Better, Worse     bool
	}
	page := struct {
		Title, Gap string
		*evaluation
		Names []string
		Rows  []row
	}{title, " ", r, r.names, nil}
	cut := strings.Fields
	if score.Spaceless(language) { // a clause is one word there, so characters are compared
		cut, page.Gap = func(s string) []string { return strings.Split(s, "") }, ""
	}
	for i, refs := range references {
		x := row{Number: i + 1, Reference: strings.Join(refs, "\n"), Output: differences(cut(r.output[i]), cut(refs[0]), page.Gap)}
		if sources != nil {
			x.Source = sources[i]
		}
		var err error
		if x.ChrF, err = chrF.Score(r.output[i:i+1], references[i:i+1]); err != nil {
			return nil, err
		}
		if r.Against != nil {
			x.Second = differences(cut(r.Against.output[i]), cut(refs[0]), page.Gap)
			if x.SecondChrF, err = chrF.Score(r.Against.output[i:i+1], references[i:i+1]); err != nil {
				return nil, err
			}
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

// mostCells bounds the table of [differences], whose size is the product of two lengths.
const mostCells = 4 << 20

// differences marks the words x that are in no longest common subsequence
// with the words y. Words that are too many to compare are not marked. Gap stands between words.
func differences(x, y []string, gap string) []span {
	if (len(x)+1)*(len(y)+1) > mostCells {
		return []span{{strings.Join(x, gap), true}}
	}
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
			spans[n-1].Text += gap + x[i]
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
