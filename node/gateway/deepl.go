package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/work/terms"
)

// Version 2 of the API of DeepL, as https://github.com/DeepLcom/openapi describes it in
// version 3.11 of its openapi.yaml. Languages are in capitals there.

// maxTexts bounds the texts of a request.
const maxTexts = 50

// deeplOptions are the options of a translation, and their values.
var deeplOptions = map[string][]string{
	"split_sentences":      {"0", "1", "nonewlines"},
	"formality":            {"default", "more", "less", "prefer_more", "prefer_less"},
	"model_type":           {"quality_optimized", "prefer_quality_optimized", "latency_optimized"},
	"tag_handling":         {"xml", "html"},
	"tag_handling_version": {"v1", "v2"},
}

// deeplBody admits the client, and reads the parameters.
func deeplBody(c *call) (fields, error) {
	if err := c.admit(""); err != nil {
		return fields{}, err
	}
	return readFields(c.r)
}

// deeplAsk is a request to translate texts.
type deeplAsk struct {
	texts    []string
	from, to string
	billed   bool
	options  map[string]string // of deeplOptions
	glossary *terms.Glossary   // nil is none
}

func (c *call) readDeepL(f fields) (a deeplAsk, err error) {
	if a.texts, _, err = f.texts("text"); err != nil {
		return a, err
	}
	if err = c.readOptions(f, &a); err != nil {
		return a, err
	}
	for _, name := range []string{"show_billed_characters", "preserve_formatting", "outline_detection", "enable_beta_languages"} {
		on, err := f.flag(name)
		if err != nil {
			return a, err
		}
		a.billed = a.billed || on && name == "show_billed_characters"
	}
	if _, err := f.text("context"); err != nil {
		return a, err
	}
	switch {
	case len(a.texts) == 0:
		return a, bad("Parameter 'text' not specified.")
	case len(a.texts) > maxTexts:
		return a, bad("Too many texts: a request has at most %d.", maxTexts)
	}
	return a, nil
}

// readOptions reads what text and documents have in common. Options that change the
// translation, and that no model here can follow, are refused.
func (c *call) readOptions(f fields, a *deeplAsk) (err error) {
	if a.to, err = f.text("target_lang"); err != nil {
		return err
	} else if a.to == "" {
		return bad("Parameter 'target_lang' not specified.")
	}
	if a.from, err = f.text("source_lang"); err != nil {
		return err
	}
	a.options = map[string]string{}
	for name, values := range deeplOptions {
		v, err := f.scalar(name)
		if err != nil {
			return err
		}
		if v != "" && !slices.Contains(values, v) {
			return bad("Value for '%s' not supported.", name)
		}
		a.options[name] = v
	}
	if v := a.options["formality"]; v == "more" || v == "less" {
		return bad("'formality' is not supported for given 'target_lang'.")
	}
	for _, name := range []string{"style_id", "translation_memory_id", "custom_instructions", "non_splitting_tags", "splitting_tags", "ignore_tags"} {
		if f.has(name) {
			return bad("Parameter '%s' is not supported by this gateway.", name)
		}
	}
	a.glossary, err = c.asked(f, a.from, a.to)
	return err
}

// deeplTranslate serves POST /v2/translate.
func deeplTranslate(c *call) error {
	f, err := deeplBody(c)
	if err != nil {
		return err
	}
	a, err := c.readDeepL(f)
	if err != nil {
		return err
	}
	found, err := c.sources(a)
	if err != nil {
		return err
	}
	type translation struct {
		Detected string `json:"detected_source_language"`
		Text     string `json:"text"`
		Billed   *int64 `json:"billed_characters,omitempty"`
		Model    string `json:"model_type_used,omitempty"`
		Tags     string `json:"tag_handling_version,omitempty"`
	}
	out := make([]translation, len(a.texts))
	// Texts of one language are one job.
	for _, m := range found {
		texts := make([]string, 0, len(m.at))
		for _, i := range m.at {
			texts = append(texts, a.texts[i])
		}
		done, err := c.phrases(phrase{match: m.match, texts: texts, markup: a.options["tag_handling"], glossary: a.glossary})
		if err != nil {
			return err
		}
		for k, i := range m.at {
			t := translation{Detected: strings.ToUpper(base(canonical(m.detected))), Text: done[k], Model: a.options["model_type"]}
			t.Model = strings.TrimPrefix(t.Model, "prefer_")
			if a.options["tag_handling"] != "" {
				t.Tags = "v2"
			}
			if a.billed {
				n := characters(texts[k : k+1])
				t.Billed = &n
			}
			out[i] = t
		}
	}
	return c.answer(http.StatusOK, map[string]any{"translations": out})
}

// source is a model, and the texts that it translates.
type source struct {
	match
	at []int
}

// sources finds the model of each text: each text is of its own language.
func (c *call) sources(a deeplAsk) (all []source, err error) {
	for i, t := range a.texts {
		w := wish{from: a.from, to: a.to, texts: []string{t}}
		if a.from == "" && !worded(t) {
			w.from = c.g.anySource(c.r.Context(), a.to) // it stays as it is
		}
		m, err := c.match(w)
		if err != nil {
			return nil, err
		}
		k := slices.IndexFunc(all, func(s source) bool { return s.model.Link == m.model.Link && s.detected == m.detected })
		if k < 0 {
			k = len(all)
			all = append(all, source{match: m})
		}
		all[k].at = append(all[k].at, i)
	}
	return all, nil
}

// anySource is a language that is translated into another, or "".
func (g *Gateway) anySource(ctx context.Context, to string) string {
	models, err := g.models.all(ctx)
	if err != nil {
		return ""
	}
	for _, m := range models {
		if fits(m.Target, canonical(to)) > 0 {
			return m.Source
		}
	}
	return ""
}

// deeplVariants are the variants that DeepL has for targets, in place of a language
// without one. Its clients refuse EN and PT as targets.
var deeplVariants = map[string][]string{"en": {"en-gb", "en-us"}, "pt": {"pt-br", "pt-pt"}}

type deeplLanguage struct {
	Language  string `json:"language"`
	Name      string `json:"name"`
	Formality *bool  `json:"supports_formality,omitempty"` // of targets
}

// deeplLanguages serves GET /v2/languages.
func deeplLanguages(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	kind := c.r.URL.Query().Get("type")
	if kind != "" && kind != "source" && kind != "target" {
		return bad("Value for 'type' not supported.")
	}
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return err
	}
	var codes []string
	for _, m := range models {
		if kind != "target" {
			codes = append(codes, canonical(m.Source))
		} else if to := canonical(m.Target); deeplVariants[to] != nil {
			codes = append(codes, deeplVariants[to]...)
		} else {
			codes = append(codes, to)
		}
	}
	slices.Sort(codes)
	list := []deeplLanguage{}
	for _, code := range slices.Compact(codes) {
		l := deeplLanguage{Language: strings.ToUpper(code), Name: nameOf(code)}
		if kind == "target" {
			l.Formality = new(bool)
		}
		list = append(list, l)
	}
	return c.answer(http.StatusOK, list)
}

// deeplUsage serves GET /v2/usage.
func deeplUsage(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	s, err := c.g.usage.of(c.who)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]int64{
		"character_count": s.Characters, "character_limit": limitOf(c.who.limits().Characters),
	})
}

// deeplUpload serves POST /v2/document.
func deeplUpload(c *call) error {
	u, err := c.upload(nil)
	if err != nil {
		return err
	}
	defer u.discard()
	if name := u.fields.form.Get("filename"); name != "" {
		u.name = cleanName(name)
	}
	var a deeplAsk
	if err := c.readOptions(u.fields, &a); err != nil {
		return err
	}
	if u.size == 0 && u.name == "" {
		return bad("Parameter 'file' not specified.")
	}
	if f := u.fields.form.Get("output_format"); f != "" && !strings.EqualFold("."+strings.TrimPrefix(f, "."), filepath.Ext(u.name)) {
		return bad("Value for 'output_format' not supported: a document comes back in its own format.")
	}
	key := strings.ToUpper(newID(32))
	r, err := c.submit(u, wish{from: a.from, to: a.to, glossary: a.glossary}, hashOf(key))
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]string{"document_id": strings.ToUpper(r.ID), "document_key": key})
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// deeplJob is the job of a document, for a client that has its key.
func deeplJob(c *call) (record, error) {
	f, err := deeplBody(c)
	if err != nil {
		return record{}, err
	}
	key, err := f.text("document_key")
	if err != nil {
		return record{}, err
	}
	if key == "" {
		return record{}, bad("Parameter 'document_key' not specified.")
	}
	r, ok := c.g.jobs.get(strings.ToLower(c.r.PathValue("id")))
	if !ok || r.Secret == "" || subtle.ConstantTimeCompare([]byte(r.Secret), []byte(hashOf(key))) != 1 {
		return record{}, refuse(http.StatusNotFound, "Document not found")
	}
	return r, nil
}

// moment is how long the status of a document that is not finished waits for its end:
// clients come back some seconds later, and most documents take less.
const moment = time.Second

// deeplStatus serves POST /v2/document/{id}.
func deeplStatus(c *call) error {
	r, err := deeplJob(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), moment)
	defer cancel()
	now, err := c.g.jobs.wait(ctx, r.ID, record.finished)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	answer := map[string]any{"document_id": c.r.PathValue("id"), "status": now.Status}
	switch now.Status {
	case statusTranslating:
		if s := c.g.left(now); s >= 0 {
			answer["seconds_remaining"] = int(math.Ceil(s))
		}
	case statusDone:
		answer["billed_characters"] = now.Characters
	case statusError:
		answer["error_message"] = now.Error
	}
	return c.answer(http.StatusOK, answer)
}

// deeplResult serves POST /v2/document/{id}/result. A document is downloaded once.
func deeplResult(c *call) error {
	r, err := deeplJob(c)
	switch {
	case err != nil:
		return err
	case r.Taken:
		return refuse(http.StatusServiceUnavailable, "Document already downloaded")
	case r.Status == statusError:
		return refuse(http.StatusNotFound, "Document not found: its translation failed: %s", r.Error)
	case r.Status != statusDone:
		return &failure{status: http.StatusServiceUnavailable, text: "Document translation is not done", after: time.Second}
	}
	if err := c.sendResult(r); err != nil {
		return err
	}
	return errors.Join(c.g.jobs.update(r.ID, true, func(r *record) { r.Taken, r.Bytes = true, 0 }), c.g.jobs.files(r.ID))
}
