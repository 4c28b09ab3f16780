package gateway

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// The glossaries of version 2 of the API of DeepL. A glossary belongs to a key; clients
// without one share theirs.

// glossaryInfo is a glossary without its entries.
type glossaryInfo struct {
	ID      string    `json:"glossary_id"`
	Name    string    `json:"name"`
	Ready   bool      `json:"ready"`
	Source  string    `json:"source_lang"`
	Target  string    `json:"target_lang"`
	Created time.Time `json:"creation_time"`
	Entries int       `json:"entry_count"`
}

// Bounds of glossaries, see
// https://developers.deepl.com/api-reference/glossaries.
const (
	maxGlossaries = 1000     // of a key
	maxTerm       = 1024     // bytes of a term, and of a name
	maxEntries    = 10 << 20 // bytes of all entries
	maxStored     = 64 << 20 // bytes of the entries of all glossaries of a key: the disk is shared
)

// term is an entry of a glossary.
type term struct{ source, target string }

// parseTerms reads the entries of a glossary: tab-separated, or comma-separated as RFC 4180
// has it, with the two languages as third and fourth column if need be.
func parseTerms(format, entries string) (list []term, err error) {
	rows := [][]string{}
	switch format {
	case "", "tsv":
		for line := range strings.Lines(entries) {
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
				rows = append(rows, strings.Split(line, "\t"))
			} else {
				rows = append(rows, nil)
			}
		}
	case "csv":
		r := csv.NewReader(strings.NewReader(entries))
		r.FieldsPerRecord = -1
		for {
			row, err := r.Read()
			if err == io.EOF {
				break
			} else if err != nil {
				return nil, entryError("%v", err)
			}
			if len(row) == 4 {
				row = row[:2]
			}
			rows = append(rows, row)
		}
	default:
		return nil, bad("Value for 'entries_format' not supported.")
	}
	first := map[string]int{}
	for i, row := range rows {
		if row == nil {
			continue
		}
		if len(row) != 2 {
			return nil, entryError("Entry with the index %d has %d columns, not a source and a target", i, len(row))
		}
		t := term{strings.TrimSpace(row[0]), strings.TrimSpace(row[1])}
		for _, s := range []string{t.source, t.target} {
			if err := checkTerm(s); err != nil {
				return nil, entryError("Entry with the index %d %v", i, err)
			}
		}
		if k, twice := first[t.source]; twice {
			return nil, entryError("Key with the index %d duplicates key with the index %d", i, k)
		}
		first[t.source] = i
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, entryError("There are no entries")
	}
	return list, nil
}

func checkTerm(s string) error {
	switch {
	case s == "":
		return errors.New("is empty on one side")
	case len(s) > maxTerm:
		return fmt.Errorf("is longer than %d bytes", maxTerm)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return errors.New("has a control character or a line break")
	}
	return nil
}

// entryError is the error for entries, in two parts.
func entryError(format string, args ...any) error {
	f := bad("Invalid glossary entries provided")
	f.detail = fmt.Sprintf(format, args...)
	return f
}

// tsv writes entries, a line each.
func tsv(list []term) string {
	var b strings.Builder
	for i, t := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(t.source + "\t" + t.target)
	}
	return b.String()
}

// readGlossary reads a request that makes a glossary.
func (c *call) readGlossary(f fields) (g glossaryInfo, list []term, err error) {
	var format, entries string
	for name, to := range map[string]*string{
		"name": &g.Name, "source_lang": &g.Source, "target_lang": &g.Target, "entries": &entries, "entries_format": &format,
	} {
		if *to, err = f.text(name); err != nil {
			return g, nil, err
		}
	}
	switch {
	case g.Name == "":
		return g, nil, bad("Parameter 'name' not specified.")
	case len(g.Name) > maxTerm || strings.ContainsFunc(g.Name, unicode.IsControl):
		return g, nil, bad("Value for 'name' not supported.")
	case g.Source == "":
		return g, nil, bad("Parameter 'source_lang' not specified.")
	case g.Target == "":
		return g, nil, bad("Parameter 'target_lang' not specified.")
	case len(entries) > maxEntries:
		return g, nil, refuse(http.StatusRequestEntityTooLarge, "the entries have more than %d bytes", maxEntries)
	}
	g.Source, g.Target = base(canonical(g.Source)), base(canonical(g.Target))
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return g, nil, err
	}
	if _, ok := choose(models, g.Source, g.Target); !ok {
		f := bad("Unsupported glossary source and target language pair")
		f.detail = "GET /v2/glossary-language-pairs lists the pairs"
		return g, nil, f
	}
	if list, err = parseTerms(format, entries); err != nil {
		return g, nil, err
	}
	if _, err := glossaryOf(list); err != nil {
		return g, nil, entryError("%v", err)
	}
	g.Entries = len(list)
	return g, list, nil
}

// glossaryCreate serves POST /v2/glossaries.
func glossaryCreate(c *call) error {
	f, err := deeplBody(c)
	if err != nil {
		return err
	}
	info, list, err := c.readGlossary(f)
	if err != nil {
		return err
	}
	all, err := c.glossaries()
	if err != nil {
		return err
	}
	if len(all) >= maxGlossaries {
		return &failure{status: statusQuota, text: "Quota exceeded: a key has at most 1000 glossaries"}
	}
	entries := tsv(list)
	if used, err := c.g.store.size(bucketEntries, c.glossaryKey("")); err != nil {
		return err
	} else if used+len(entries) > maxStored {
		return &failure{status: statusQuota, text: fmt.Sprintf("Quota exceeded: the glossaries of a key have at most %d MiB: delete some", maxStored>>20)}
	}
	info.ID, info.Ready, info.Created = newUUID(), true, c.g.Now().UTC().Truncate(time.Millisecond)
	if err := put(c.g.store, bucketEntries, c.glossaryKey(info.ID), entries); err != nil {
		return err
	}
	if err := put(c.g.store, bucketGlossaries, c.glossaryKey(info.ID), info); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, info)
}

// newUUID is a random UUID (RFC 9562, version 4), as DeepL names glossaries.
func newUUID() string {
	b := []byte(newID(16))
	b[12] = '4'
	b[16] = "89ab"[b[16]&3]
	return string(b[:8]) + "-" + string(b[8:12]) + "-" + string(b[12:16]) + "-" + string(b[16:20]) + "-" + string(b[20:])
}

func (c *call) glossaryKey(id string) string { return c.who.id + "/" + id }

// glossaries lists those of the client.
func (c *call) glossaries() ([]glossaryInfo, error) {
	all := []glossaryInfo{}
	err := each(c.g.store, bucketGlossaries, c.glossaryKey(""), func(_ string, g glossaryInfo) error {
		all = append(all, g)
		return nil
	})
	slices.SortFunc(all, func(a, b glossaryInfo) int { return a.Created.Compare(b.Created) })
	return all, err
}

// glossary finds the glossary that the path names.
func (c *call) glossary(id string) (glossaryInfo, error) {
	g, ok, err := get[glossaryInfo](c.g.store, bucketGlossaries, c.glossaryKey(id))
	if err == nil && !ok {
		err = refuse(http.StatusNotFound, "Glossary not found")
	}
	return g, err
}

// glossaryList serves GET /v2/glossaries.
func glossaryList(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	all, err := c.glossaries()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"glossaries": all})
}

// glossaryGet serves GET /v2/glossaries/{id}.
func glossaryGet(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	g, err := c.glossary(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, g)
}

// glossaryDelete serves DELETE /v2/glossaries/{id}.
func glossaryDelete(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	g, err := c.glossary(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	key := c.glossaryKey(g.ID)
	if err := errors.Join(c.g.store.remove(bucketGlossaries, key), c.g.store.remove(bucketEntries, key)); err != nil {
		return err
	}
	return c.write(http.StatusNoContent, nil)
}

// tsvType is the media type of entries.
const tsvType = "text/tab-separated-values"

// glossaryEntries serves GET /v2/glossaries/{id}/entries.
func glossaryEntries(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	if !accepts(c.r.Header.Get("Accept"), tsvType) {
		return refuse(http.StatusUnsupportedMediaType, "the entries are given as %s", tsvType)
	}
	g, err := c.glossary(c.r.PathValue("id"))
	if err != nil {
		return err
	}
	entries, _, err := get[string](c.g.store, bucketEntries, c.glossaryKey(g.ID))
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", tsvType+"; charset=utf-8")
	return c.write(http.StatusOK, []byte(entries))
}

// accepts reports whether an Accept header takes a media type.
func accepts(header, kind string) bool {
	if header == "" {
		return true
	}
	major, _, _ := strings.Cut(kind, "/")
	for _, a := range strings.Split(header, ",") {
		if t, _, err := mime.ParseMediaType(a); err == nil && (t == kind || t == "*/*" || t == major+"/*") {
			return true
		}
	}
	return false
}

// glossaryPairs serves GET /v2/glossary-language-pairs.
func glossaryPairs(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return err
	}
	type pair struct {
		Source string `json:"source_lang"`
		Target string `json:"target_lang"`
	}
	pairs := []pair{}
	for _, m := range models {
		if p := (pair{base(canonical(m.Source)), base(canonical(m.Target))}); !slices.Contains(pairs, p) {
			pairs = append(pairs, p)
		}
	}
	return c.answer(http.StatusOK, map[string]any{"supported_languages": pairs})
}

// asked is the glossary of a translation: that of glossary_id, or those of glossary_ids
// together, where the first with a term counts; nil without them.
func (c *call) asked(f fields, from, to string) (*terms.Glossary, error) {
	one, err := f.text("glossary_id")
	if err != nil {
		return nil, err
	}
	many, _, err := f.texts("glossary_ids")
	if err != nil {
		return nil, err
	}
	ids := strings.FieldsFunc(strings.Join(append(many, one), ","), func(r rune) bool { return r == ',' })
	switch {
	case len(ids) == 0:
		return nil, nil
	case one != "" && len(many) > 0:
		return nil, bad("'glossary_id' and 'glossary_ids' cannot be used together.")
	case from == "":
		return nil, bad("Parameter 'source_lang' must be specified with a glossary.")
	}
	var all []term
	seen := map[string]bool{}
	for _, id := range ids {
		if id = strings.TrimSpace(id); seen[id] {
			continue // its entries are there
		}
		seen[id] = true
		g, err := c.glossary(id)
		if err != nil {
			return nil, err
		}
		if g.Source != base(canonical(from)) || g.Target != base(canonical(to)) {
			return nil, bad("source_lang and target_lang must match glossary")
		}
		entries, _, err := get[string](c.g.store, bucketEntries, c.glossaryKey(g.ID))
		if err != nil {
			return nil, err
		}
		more, err := parseTerms("tsv", entries)
		if err != nil {
			return nil, fmt.Errorf("glossary %s: %w", g.ID, err)
		}
		if all = append(all, more...); len(all) > terms.MaxLines {
			break // glossaryOf says so
		}
	}
	made, err := glossaryOf(all)
	if err != nil {
		return nil, bad("%v", err)
	}
	return made, nil
}

// glossaryOf makes the glossary of entries. Of entries with one source the first counts.
func glossaryOf(entries []term) (*terms.Glossary, error) {
	if len(entries) > terms.MaxLines {
		return nil, fmt.Errorf("a translation takes at most %d entries, and there are more", terms.MaxLines)
	}
	var lines []unit.Term
	seen := map[string]bool{}
	for _, t := range entries {
		line := unit.Term{Source: text.Normalize(t.source), Target: text.Normalize(t.target)}
		if !seen[line.Source] {
			seen[line.Source] = true
			lines = append(lines, line)
		}
	}
	return terms.New(lines)
}
