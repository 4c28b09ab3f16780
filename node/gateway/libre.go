package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/work/unit"
)

// The API of LibreTranslate 1.9, as its /spec describes it
// (https://github.com/LibreTranslate/LibreTranslate). Its /suggest may be off:
// /frontend/settings says so.

// maxBatch bounds the texts of a request.
const maxBatch = 1000

// secretOf is the key among the parameters. The npm package libretranslate writes it
// another way.
func secretOf(f fields) (string, error) {
	s, err := f.text("api_key")
	if s == "" && err == nil {
		s, err = f.text("apiKey")
	}
	return s, err
}

// missing is the error of LibreTranslate for a parameter that is needed.
func missing(name string) error { return bad("Invalid request: missing %s parameter", name) }

// libreBody reads the parameters, and admits the client.
func libreBody(c *call) (fields, error) {
	f, err := readFields(c.r)
	if err != nil {
		return f, err
	}
	secret, err := secretOf(f)
	if err != nil {
		return f, err
	}
	return f, c.admit(secret)
}

// libreAsk is a request to translate.
type libreAsk struct {
	texts            []string
	many             bool // q is an array
	from, to, format string
	alternatives     int
}

func readLibre(f fields) (a libreAsk, err error) {
	read := func(to *string, name string) {
		if err == nil {
			*to, err = f.text(name)
		}
	}
	if a.texts, a.many, err = f.texts("q"); err != nil {
		return a, err
	}
	read(&a.from, "source")
	read(&a.to, "target")
	read(&a.format, "format")
	if err == nil {
		a.alternatives, err = f.number("alternatives")
	}
	switch {
	case err != nil:
		return a, err
	case len(a.texts) == 0 || !a.many && a.texts[0] == "":
		return a, missing("q")
	case a.from == "":
		return a, missing("source")
	case a.to == "":
		return a, missing("target")
	case len(a.texts) > maxBatch:
		return a, bad("Invalid request: request (%d) exceeds text limit (%d)", len(a.texts), maxBatch)
	case a.format != "" && a.format != "text" && a.format != "html":
		return a, bad("%.40s format is not supported", a.format)
	case a.alternatives < 0 || a.alternatives > len(alternatives):
		return a, bad("Invalid request: alternatives parameter must be 0 to %d", len(alternatives))
	}
	if f.json == nil {
		for i, t := range a.texts { // a form has the line ends of RFC 2046
			a.texts[i] = strings.ReplaceAll(t, "\r\n", "\n")
		}
	}
	return a, nil
}

// alternatives are the searches that give other translations of a text.
var alternatives = []unit.Decoding{
	{Beam: 4, LengthPPM: 1_000_000}, {Beam: 8, LengthPPM: 1_500_000}, {Beam: 2, LengthPPM: 500_000},
}

// libreTranslate serves POST /translate.
func libreTranslate(c *call) error {
	f, err := libreBody(c)
	if err != nil {
		return err
	}
	a, err := readLibre(f)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(a.texts, worded) {
		return c.answer(http.StatusOK, a.result(a.texts, detection{Language: "en"}, make([][]string, len(a.texts))))
	}
	m, err := c.match(wish{from: a.from, to: a.to, texts: a.texts})
	if err != nil {
		return err
	}
	p := phrase{match: m, texts: a.texts}
	if a.format == "html" {
		p.markup = "html"
	}
	out, err := c.phrases(p)
	if err != nil {
		return err
	}
	more := make([][]string, len(out))
	if p.markup == "" { // as LibreTranslate has it
		for _, d := range alternatives[:a.alternatives] {
			p.decoding = d
			others, err := c.phrases(p)
			if err != nil {
				return err
			}
			for i, t := range others {
				if t != out[i] && !slices.Contains(more[i], t) {
					more[i] = append(more[i], t)
				}
			}
		}
	}
	return c.answer(http.StatusOK, a.result(out, detection{shown(canonical(m.detected)), m.confidence}, more))
}

// result is the answer: arrays where q is one.
func (a libreAsk) result(out []string, found detection, more [][]string) map[string]any {
	for i := range more {
		if more[i] == nil {
			more[i] = []string{}
		}
	}
	r := map[string]any{"translatedText": out}
	if a.from == auto {
		r["detectedLanguage"] = slices.Repeat([]detection{found}, len(out))
	}
	if a.alternatives > 0 {
		r["alternatives"] = more
	}
	if !a.many {
		r["translatedText"] = out[0]
		if a.from == auto {
			r["detectedLanguage"] = found
		}
		if a.alternatives > 0 {
			r["alternatives"] = more[0]
		}
	}
	return r
}

// libreDetect serves POST /detect.
func libreDetect(c *call) error {
	f, err := libreBody(c)
	if err != nil {
		return err
	}
	texts, _, err := f.texts("q")
	if err != nil {
		return err
	}
	if len(texts) == 0 || strings.Join(texts, "") == "" {
		return missing("q")
	}
	found := detect(strings.Join(texts, "\n"))
	if len(found) == 0 { // how LibreTranslate says that it does not know
		found = []detection{{Language: "en", Confidence: 0}}
	}
	return c.answer(http.StatusOK, found)
}

type libreLanguage struct {
	Code    string   `json:"code"`
	Name    string   `json:"name"`
	Targets []string `json:"targets"`
}

// libreLanguages serves GET /languages.
func libreLanguages(c *call) error {
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return err
	}
	codes, targets := languages(models)
	list := make([]libreLanguage, 0, len(codes))
	for _, code := range codes {
		l := libreLanguage{shown(code), nameOf(code), []string{}}
		for _, t := range targets[code] {
			l.Targets = append(l.Targets, shown(t))
		}
		list = append(list, l)
	}
	return c.answer(http.StatusOK, list)
}

// libreTranslateFile serves POST /translate_file. It answers when the file is translated.
func libreTranslateFile(c *call) error {
	u, err := c.upload(secretOf)
	if err != nil {
		return err
	}
	defer u.discard()
	from, err := u.fields.text("source")
	if err != nil {
		return err
	}
	to, err := u.fields.text("target")
	switch {
	case err != nil:
		return err
	case u.size == 0 && u.name == "":
		return missing("file")
	case from == "":
		return missing("source")
	case to == "":
		return missing("target")
	}
	j, err := c.submit(u, wish{from: from, to: to}, "")
	if err != nil {
		return err
	}
	rec, err := c.g.jobs.wait(c.r.Context(), j.ID, record.finished)
	if err != nil {
		c.g.jobs.remove(j.ID) // nobody learns where the file is
		return err
	}
	if rec.Status == statusError {
		return refuse(http.StatusInternalServerError, "Cannot translate file: %s", rec.Error)
	}
	return c.answer(http.StatusOK, map[string]string{"translatedFileUrl": c.url("/download_file/" + rec.ID + "." + urlName(rec.outName()))})
}

// libreDownload serves the URL of a translated file. Only its ID leads to a file.
func libreDownload(c *call) error {
	id, _, _ := strings.Cut(c.r.PathValue("file"), ".")
	rec, ok := c.g.jobs.get(id)
	if !ok || rec.Status != statusDone || rec.Secret != "" {
		return refuse(http.StatusNotFound, "no such file: files are kept for a while, and then deleted")
	}
	return c.sendResult(rec)
}

// libreSettings serves GET /frontend/settings.
func libreSettings(c *call) error {
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return err
	}
	target := engine.Model{Target: "en"}
	if len(models) > 0 {
		target = models[0]
	}
	type lang struct {
		Code string `json:"code"`
		Name string `json:"name"`
	}
	keys := c.g.keys.needed()
	return c.answer(http.StatusOK, map[string]any{
		"charLimit": -1, "frontendTimeout": 500, "apiKeys": keys, "keyRequired": keys && !c.g.Open,
		"suggestions": c.suggests() == nil, "filesTranslation": true, "supportedFilesFormat": extensions(),
		"language": map[string]lang{
			"source": {auto, "Auto Detect"},
			"target": {shown(canonical(target.Target)), nameOf(target.Target)},
		},
	})
}

// libreHealth serves GET /health.
func libreHealth(c *call) error {
	return c.answer(http.StatusOK, map[string]string{"status": "ok"})
}
