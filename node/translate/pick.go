package translate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/work/text"
)

// This file is how the model and the language of a document are found.

// pickModel finds the model for a document.
func (c *Config) pickModel(ctx context.Context, name string, texts []string) (engine.Model, error) {
	models, err := c.Engine.Models(ctx)
	if err != nil {
		return engine.Model{}, err
	}
	if c.Model.Defined() {
		return c.given(name, models, texts)
	}
	from := c.From
	if from == "" || from == auto {
		var among []string
		for _, m := range models {
			if Same(m.Target, c.To) && !slices.Contains(among, m.Source) {
				among = append(among, m.Source)
			}
		}
		if from = c.detect(texts, among); from == "" { // no model reads it; which language is it?
			from = c.detect(texts, nil)
		}
		if from == "" {
			return engine.Model{}, fmt.Errorf("the language of %s is not known: name it with --from, such as --from en", name)
		}
	}
	if Same(from, c.To) {
		return engine.Model{}, fmt.Errorf("%s is in language %s already: is --to right? (--from names the language of the file, where the program takes it for another)", name, from)
	}
	m, err := Best(models, from, c.To)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return m, err
}

// detect names the language of texts.
func (c *Config) detect(texts, among []string) string {
	if c.Detect == nil {
		return ""
	}
	return c.Detect(sample(texts), among)
}

// given is the model that the caller named.
func (c *Config) given(name string, models []engine.Model, texts []string) (engine.Model, error) {
	m := engine.Model{Link: c.Model, Source: c.From, Target: c.To}
	// Without To it is the first of its pairs of languages.
	var targets []string
	found := false
	for _, one := range models {
		if one.Link != c.Model {
			continue
		}
		if targets = append(targets, one.Target); !found {
			m, found = one, c.To == "" || Same(one.Target, c.To)
		}
	}
	switch {
	case found:
	case len(targets) > 0:
		return m, fmt.Errorf("model %s translates from %s to %s only", c.Model, m.Source, strings.Join(targets, ", "))
	case m.Source == "" || m.Source == auto || m.Target == "":
		return m, fmt.Errorf("nobody says now which languages model %s is for: name them with --from and --to", c.Model)
	}
	if c.From != "" && c.From != auto && !Same(c.From, m.Source) {
		return m, fmt.Errorf("model %s translates from %s to %s only", c.Model, m.Source, m.Target)
	}
	if c.From == auto && c.Warn != nil {
		if found := c.detect(texts, nil); found != "" && found != m.Source {
			c.Warn(fmt.Sprintf("%s seems to be in language %s, and the model translates from %s", name, found, m.Source))
		}
	}
	return m, nil
}

// Same reports whether two codes are of one language, as "fr" and "fra".
func Same(a, b string) bool { return text.Tag(a) == text.Tag(b) }

// Best is the model with the best chrF of those from one language to another. Of equal ones
// it is the first.
func Best(models []engine.Model, from, to string) (best engine.Model, err error) {
	var pairs []string
	found := false
	for _, m := range models {
		if Same(m.Source, from) && Same(m.Target, to) && (!found || m.ChrF > best.ChrF) {
			best, found = m, true
		}
		if p := m.Source + " to " + m.Target; !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	switch {
	case found:
		return best, nil
	case len(pairs) == 0:
		return best, errors.New("there is no model here: train one, import one with `alia model import`, or name the directory of a model with --model")
	}
	return best, fmt.Errorf("no model translates from %s to %s: there are %s", from, to, strings.Join(pairs, ", "))
}

// sample is the beginning of a document's text.
func sample(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		if b.WriteString(t); b.Len() >= sampleBytes {
			break
		}
		b.WriteByte('\n')
	}
	return b.String()
}
