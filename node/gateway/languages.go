package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	bcp47 "golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/language"
	"github.com/alia-network/alia/work/terms"
)

// auto is the source language of a text whose language is to be found out.
const auto = "auto"

// modelCache asks the engine for its models at most every few seconds: a network takes
// its time to answer.
type modelCache struct {
	g *Gateway

	mu    sync.Mutex // guards the fields below
	known []engine.Model
	err   error
	until time.Time
	ready chan struct{} // nil, or closed when the question that was asked is answered
}

const (
	fresh    = 5 * time.Second  // for which an answer is good
	listTime = 30 * time.Second // that an answer takes at most
)

// all returns the models. The question is not that of one client: who goes away ends it for
// nobody, and an error is an answer to all who wait.
func (m *modelCache) all(ctx context.Context) ([]engine.Model, error) {
	m.mu.Lock()
	if m.g.Now().Before(m.until) {
		defer m.mu.Unlock()
		return m.known, m.err
	}
	ready := m.ready
	if ready == nil {
		ready = make(chan struct{})
		m.ready = ready
		m.g.later.Go(m.ask)
	}
	m.mu.Unlock()
	select {
	case <-ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known, m.err
}

// ask asks the engine.
func (m *modelCache) ask() {
	ctx, cancel := context.WithTimeout(m.g.work, listTime)
	defer cancel()
	known, err := m.g.Engine.Models(ctx)
	if err != nil {
		err = fmt.Errorf("list models: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.err, m.until = known, err, m.g.Now().Add(fresh)
	close(m.ready)
	m.ready = nil
}

// aliases are the names that LibreTranslate and DeepL have for languages, where those of
// BCP 47 are others.
var aliases = map[string]string{"pb": "pt-br", "zt": "zh-hant"}

// canonical is a language as it is compared: "EN_gb" is "en-gb".
func canonical(lang string) string {
	lang = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(lang)), "_", "-")
	if a, ok := aliases[lang]; ok {
		return a
	}
	return lang
}

// base is a language without its variant: that of "en-gb" is "en".
func base(lang string) string {
	b, _, _ := strings.Cut(lang, "-")
	return b
}

// fits says how well a model's language serves one that was asked for: 2 as itself, 1 as
// another variant, 0 not at all. A variant serves the language without one, such as
// "pt-br" a customer who asks for "pt".
func fits(has, asked string) int {
	has = canonical(has)
	switch {
	case has == asked:
		return 2
	case base(has) == base(asked) && (has == base(has) || asked == base(asked)):
		return 1
	}
	return 0
}

// choose returns the best model for a pair of languages: the first of those that fit best.
func choose(models []engine.Model, from, to string) (best engine.Model, ok bool) {
	from, to = canonical(from), canonical(to)
	score := 0
	for _, m := range models {
		s, t := fits(m.Source, from), fits(m.Target, to)
		if s > 0 && t > 0 && s+t > score {
			best, ok, score = m, true, s+t
		}
	}
	return best, ok
}

// languages lists the languages of models by their code, with the languages that each is
// translated into.
func languages(models []engine.Model) (codes []string, targets map[string][]string) {
	targets = map[string][]string{}
	for _, m := range models {
		from, to := canonical(m.Source), canonical(m.Target)
		if !slices.Contains(targets[from], to) {
			targets[from] = append(targets[from], to)
		}
		for _, c := range []string{from, to} {
			if !slices.Contains(codes, c) {
				codes = append(codes, c)
			}
		}
	}
	slices.Sort(codes)
	for _, t := range targets {
		slices.Sort(t)
	}
	return codes, targets
}

// known reports whether a language is that of a model, as source or as target.
func known(models []engine.Model, lang string, target bool) bool {
	return slices.ContainsFunc(models, func(m engine.Model) bool {
		has := m.Source
		if target {
			has = m.Target
		}
		return fits(has, canonical(lang)) > 0
	})
}

// nameOf is a language's name in English, such as "German".
func nameOf(code string) string {
	tag, err := bcp47.Parse(code)
	if err != nil {
		return code
	}
	if name := display.English.Tags().Name(tag); name != "" {
		return name
	}
	return code
}

// shown is a language code in the case of BCP 47: "pt-BR", "zh-Hant".
func shown(code string) string {
	if tag, err := bcp47.Parse(code); err == nil {
		return tag.String()
	}
	return code
}

// wish is what a request asks for: a model by its languages, or by its CID.
type wish struct {
	from, to string // from may be auto, or empty for the same
	model    string // "" is the best one
	texts    []string
	glossary *terms.Glossary // of a document; nil is none
}

// match is what a wish leads to.
type match struct {
	model engine.Model
	// detected is the source language, found by the texts, and how certain that is in
	// percent: 0 where only one language is possible.
	detected   string
	confidence float64
}

// named finds a model by its CID.
func (c *call) named(cid string) (m engine.Model, err error) {
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return m, err
	}
	link, err := block.ParseLink(cid)
	i := slices.IndexFunc(models, func(m engine.Model) bool { return err == nil && m.Link == link })
	if i < 0 {
		return m, bad("model %.80q is not offered: GET /api/models lists those that are", cid)
	}
	return models[i], nil
}

// match finds the model for a wish.
func (c *call) match(w wish) (m match, err error) {
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return m, err
	}
	if w.model != "" {
		one, err := c.named(w.model)
		if err != nil {
			return m, err
		}
		models = []engine.Model{one}
	}
	if !known(models, w.to, true) {
		return m, c.unknown("target_lang", w.to)
	}
	m.detected, m.confidence = w.from, 100
	if w.from == "" || w.from == auto {
		if m.detected, m.confidence = detectFor(models, w); m.detected == "" {
			return m, bad("the language of the text is not known: name it")
		}
	}
	if !known(models, m.detected, false) {
		return m, c.unknown("source_lang", m.detected)
	}
	var ok bool
	if m.model, ok = choose(models, m.detected, w.to); !ok {
		from, to := shown(canonical(m.detected)), shown(canonical(w.to))
		return m, bad("%s (%s) is not available as a target language from %s (%s)", nameOf(to), to, nameOf(from), from)
	}
	return m, nil
}

// unknown is the error of an API for a language that it does not have.
func (c *call) unknown(field, lang string) error {
	if c.api == deepl {
		return bad("Value for '%s' not supported.", field)
	}
	return bad("%.40s is not supported", lang)
}

// detectFor finds the language of texts out, among those that are translated into the
// target. Where the texts do not tell, and there is one such language alone, it is that
// one, with confidence 0.
func detectFor(models []engine.Model, w wish) (lang string, confidence float64) {
	var sources []string
	for _, m := range models {
		if fits(m.Target, canonical(w.to)) > 0 && !slices.Contains(sources, m.Source) {
			sources = append(sources, m.Source)
		}
	}
	text := strings.Join(w.texts, "\n")
	if g := language.DetectAmong(text, sources); g.Language != "" {
		return g.Language, float64(g.Percent)
	}
	if found := detect(text); len(found) > 0 {
		return found[0].Language, found[0].Confidence
	}
	if len(sources) == 1 {
		return sources[0], 0
	}
	return "", 0
}

// detect finds the language of a text out, among all that can be told apart. It has
// nothing to say where none is certain.
func detect(text string) []detection {
	g := language.Detect(text)
	if g.Language == "" {
		return nil
	}
	return []detection{{Language: g.Language, Confidence: float64(g.Percent)}}
}

// detection is a language that a text may have been written in, and how certain that is
// in percent.
type detection struct {
	Language   string  `json:"language"`
	Confidence float64 `json:"confidence"`
}
