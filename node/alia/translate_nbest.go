package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/alia-network/alia/node/stream"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/unit"
)

// ranked is the result of a local translation with several translations of each line.
type ranked struct {
	Model        string               `json:"model"`
	Translations [][]stream.Rendering `json:"translations"` // by line, the best first
	Sentences    int                  `json:"sentences"`
	stream.Findings
	doubts
}

// checkNBest refuses more translations than a search finds, and alignments of several.
func (o *translateFlags) checkNBest(a *app) error {
	if err := a.goesWith("with --local: miners give one translation of each sentence, as they like", "n-best", "prefix"); err != nil && !o.here {
		return err
	}
	if n := o.nBest; n < 0 || n > int(o.beam) {
		return usagef("--n-best %d: give 1 to %d, the hypotheses of --beam", n, o.beam)
	}
	if o.align && (o.nBest > 0 || o.prefix) {
		return usagef("--alignments goes with neither --n-best nor --prefix: it links the words of the one translation that a line has without them")
	}
	return nil
}

// ranker translates by a model on a device.
type ranker struct {
	model    *model.Translator
	engine   model.Engine
	device   kernel.Device
	glossary *terms.Glossary
	decoding unit.Decoding
}

// rank prints translations of each line of a stream. Several are in the form of Moses and Marian:
// the number of the line from 0, a translation, and its score. d has the doubts that f finds.
func (o *translateFlags) rank(ctx context.Context, a *app, f *stream.Filter, in *source, r ranker, d *doubts) error {
	if err := r.model.Prepare(r.device, o.int8); err != nil {
		return err
	}
	result := ranked{Model: r.model.ID().String(), Translations: [][]stream.Rendering{}}
	err := f.Rank(ctx, in, stream.Ranker{
		Rank: func(sentences, beginnings []string) ([][]stream.Rendering, error) {
			targets, _ := r.glossary.All(sentences)
			all, err := r.model.Rank(r.engine, unit.NewText(sentences, targets), beginnings, r.decoding, max(1, o.nBest))
			out := make([][]stream.Rendering, len(all))
			for i, ranking := range all {
				for _, t := range ranking {
					out[i] = append(out[i], stream.Rendering(t))
				}
			}
			return out, err
		},
		Print: func(line int, all []stream.Rendering) error {
			if a.json || a.events {
				result.Translations = append(result.Translations, all)
				return nil
			}
			if o.nBest == 0 {
				_, err := fmt.Fprintln(a.stdout, all[0].Text)
				return err
			}
			for _, t := range all {
				if _, err := fmt.Fprintf(a.stdout, "%d ||| %s ||| %s\n", line, t.Text, strconv.FormatFloat(float64(t.Score), 'f', -1, 32)); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if w := f.Warning(); w != "" {
		a.note("alia: %s: %s", in.name, w)
	}
	d.end(a)
	if err != nil {
		return undone(ctx, err, "%s is translated up to line %d", in.name, f.Lines)
	}
	if !a.json && !a.events {
		return nil
	}
	result.Sentences, result.Findings, result.doubts = f.Sentences, f.Findings, *d
	return a.result(result, nil)
}
