package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/unit"
)

// The texts of a job beside their translations, for people who correct them.

// segment is a text of a document, and what it was translated to. Model and How are what
// POST /api/corrections takes; a translation by a person has neither.
type segment struct {
	Source  string `json:"source"`
	Machine string `json:"machine"`
	Model   string `json:"model,omitempty"`
	How     string `json:"how,omitempty"`
}

// maxSegments is the most segments of an answer.
const maxSegments = 20

// ownSegments serves GET /api/jobs/{id}/segments: the texts with words of a job that is done,
// in their sequence, from a place on; with find those that have it in the text or in the
// translation.
func ownSegments(c *call) error {
	if err := c.suggests(); err != nil {
		return err
	}
	r, err := c.job()
	if err != nil {
		return err
	}
	if r.Status != statusDone {
		return refuse(http.StatusConflict, "the job is not done yet: its translations can be corrected when it is")
	}
	q, from := c.r.URL.Query(), 0
	if s := q.Get("from"); s != "" {
		if from, err = strconv.Atoi(s); err != nil || from < 0 {
			return bad("from %.40q: give how many segments to leave out", s)
		}
	}
	all, err := c.segments(r)
	if err != nil {
		return err
	}
	find, some, found := strings.ToLower(q.Get("find")), []segment{}, 0
	for _, s := range all {
		if !strings.Contains(strings.ToLower(s.Source), find) && !strings.Contains(strings.ToLower(s.Machine), find) {
			continue
		}
		if found++; found > from && len(some) < maxSegments {
			some = append(some, s)
		}
	}
	return c.answer(http.StatusOK, map[string]any{"segments": some, "all": found, "from": r.Source, "to": r.Target})
}

// segments looks the texts of a job up in the memory. A text that is not there any more is
// left out: nobody could prove what a model made of it.
func (c *call) segments(r record) (all []segment, err error) {
	done, err := c.parses()
	if err != nil {
		return nil, err
	}
	defer done()
	_, d, m, err := c.g.jobs.open(r)
	if err != nil {
		return nil, err
	}
	settings, err := c.g.settings(c.r.Context(), m, unit.Greedy)
	if err != nil {
		return nil, err
	}
	for _, t := range d.Texts() {
		if !worded(t) {
			continue
		}
		if k, ok := c.g.Memory.Find(settings, t); ok {
			all = append(all, segment{t, k.Target, k.Model, k.How})
		}
	}
	return all, nil
}
