package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/proof"
)

// The API of this gateway: jobs, which take a document or a text, and can be watched. The
// ID of a job is a secret of 128 bits: who has it may see the job without a key, so that a
// page can link to a result.

// view is a job as clients see it.
type view struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Format   string     `json:"format"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Model    string     `json:"model"`
	Status   string     `json:"status"`
	Error    string     `json:"error,omitempty"`
	Segments int        `json:"segments"`
	Done     int        `json:"done"`
	Reused   int        `json:"reused"`
	Cost     uint64     `json:"cost"`
	Left     *float64   `json:"seconds_left,omitempty"`
	Flags    []flagged  `json:"flags"`
	More     int        `json:"more_flags,omitempty"`
	Result   string     `json:"result,omitempty"`
	Receipt  string     `json:"receipt,omitempty"`
	Settled  bool       `json:"settled"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
}

func (g *Gateway) view(r record) view {
	v := view{
		ID: r.ID, Name: r.Name, Format: r.Format, From: r.From, To: r.To, Model: r.Model, Status: r.Status, Error: r.Error,
		Segments: r.Segments, Done: r.Done, Reused: r.Reused, Cost: r.Cost, Flags: r.Flags, More: r.MoreFlags, Settled: r.Settled, Created: r.Created,
	}
	if v.Flags == nil {
		v.Flags = []flagged{}
	}
	if r.Status == statusDone {
		v.Result = "/api/jobs/" + r.ID + "/result"
	}
	if r.Receipt.File != "" {
		v.Receipt = "/api/jobs/" + r.ID + "/receipt"
	}
	if !r.Expires.IsZero() {
		v.Expires = &r.Expires
	}
	if s := g.left(r); s >= 0 {
		v.Left = &s
	}
	return v
}

// left is the seconds that a job still takes, as far as its speed so far tells; -1 is not
// known.
func (g *Gateway) left(r record) float64 {
	if r.Status != statusTranslating || r.Done == 0 {
		return -1
	}
	return g.Now().Sub(r.Started).Seconds() / float64(r.Done) * float64(r.Segments-r.Done)
}

// ownCreate serves POST /api/jobs.
func ownCreate(c *call) error {
	u, err := c.upload(secretOf)
	if err != nil {
		return err
	}
	defer u.discard()
	w := wish{from: u.fields.form.Get("from"), to: u.fields.form.Get("to"), model: u.fields.form.Get("model")}
	if text := u.fields.form.Get("text"); text != "" {
		if u.saved {
			return bad("give a text or a file, not both")
		}
		u.name = "text.txt"
		if err := u.save(strings.NewReader(text), c.g.Limits.Document); err != nil {
			return err
		}
	}
	switch {
	case u.name == "":
		return bad("give a document as file, or a text as text")
	case w.to == "" && w.model == "":
		return bad("give the target language as to, or a model as model")
	}
	r, err := c.submit(u, w, "")
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/api/jobs/"+r.ID)
	return c.answer(http.StatusCreated, c.g.view(r))
}

// job is the job that the path names. Those of the API of DeepL need their key.
func (c *call) job() (record, error) {
	r, ok := c.g.jobs.get(c.r.PathValue("id"))
	if !ok || r.Secret != "" {
		return r, refuse(http.StatusNotFound, "no such job: jobs are kept for a while after they are done, and then deleted")
	}
	return r, nil
}

// ownGet serves GET /api/jobs/{id}.
func ownGet(c *call) error {
	r, err := c.job()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.g.view(r))
}

// ownDelete serves DELETE /api/jobs/{id}.
func ownDelete(c *call) error {
	r, err := c.job()
	if err != nil {
		return err
	}
	if err := c.g.jobs.remove(r.ID); err != nil {
		return err
	}
	return c.write(http.StatusNoContent, nil)
}

// beat is how often a job that is watched says that it is alive, and pulse the shortest
// time between two events.
const (
	beat  = 15 * time.Second
	pulse = 100 * time.Millisecond
)

// ownEvents serves GET /api/jobs/{id}/events: an event with the job at each change, the
// last when it is finished and settled.
func ownEvents(c *call) error {
	r, err := c.job()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(c.w.ResponseWriter).Flush
	for {
		now, changed, ok := c.g.jobs.watch(r.ID)
		if !ok {
			fmt.Fprint(c.w, "event: gone\ndata: {}\n\n")
			return flush()
		}
		data, err := json.Marshal(c.g.view(now))
		if err != nil {
			return err
		}
		sent := time.Now()
		if _, err := fmt.Fprintf(c.w, "event: job\ndata: %s\n\n", data); err != nil || flush() != nil {
			return nil // the client has gone
		}
		if now.finished() && now.Settled {
			return nil
		}
		for waiting := true; waiting; {
			select {
			case <-changed:
				waiting = false
			case <-c.r.Context().Done():
				return nil
			case <-c.g.stopping:
				return nil
			case <-time.After(beat):
				if _, err := fmt.Fprint(c.w, ": alive\n\n"); err != nil || flush() != nil {
					return nil
				}
			}
		}
		select {
		case <-time.After(time.Until(sent.Add(pulse))): // none after a pause: the first segment is told at once
		case <-c.r.Context().Done():
			return nil
		case <-c.g.stopping:
		}
	}
}

// ownResult serves GET /api/jobs/{id}/result.
func ownResult(c *call) error {
	r, err := c.job()
	switch {
	case err != nil:
		return err
	case r.Status == statusError:
		return refuse(http.StatusConflict, "the job has failed: %s", r.Error)
	case r.Status != statusDone:
		return &failure{status: http.StatusConflict, text: "the job is not done yet", after: time.Second}
	}
	return c.sendResult(r)
}

// ownReceipt serves GET /api/jobs/{id}/receipt.
func ownReceipt(c *call) error {
	r, err := c.job()
	if err != nil {
		return err
	}
	if r.Receipt.File == "" {
		return refuse(http.StatusNotFound, "the job has no receipt: it is not settled, or this gateway computes by itself")
	}
	c.attach(r.outName()+proof.Extension, "application/octet-stream")
	return c.sendFile(r.Receipt.File)
}

// sendResult sends the translated document of a job.
func (c *call) sendResult(r record) error {
	c.attach(r.outName(), mediaType(r.Name))
	return c.sendFile(c.g.jobs.out(r.ID))
}

// ownModel is a model as clients see it.
type ownModel struct {
	Model   string  `json:"model"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	ChrF    float64 `json:"chrf"`
	Price   uint64  `json:"price"`
	Holders int     `json:"holders"`
}

// ownModels serves GET /api/models.
func ownModels(c *call) error {
	models, err := c.g.models.all(c.r.Context())
	if err != nil {
		return err
	}
	list := make([]ownModel, 0, len(models))
	for _, m := range models {
		list = append(list, ownModel{m.Link.String(), shown(canonical(m.Source)), shown(canonical(m.Target)), m.ChrF, m.Price, m.Holders})
	}
	return c.answer(http.StatusOK, list)
}

// ownStatus serves GET /api/status.
func ownStatus(c *call) error {
	keys := c.g.keys.needed()
	queued, running := c.g.jobs.counts()
	_, local := c.g.Engine.(*engine.Local)
	return c.answer(http.StatusOK, map[string]any{
		"version": c.g.Version, "local": local, "key_required": keys && !c.g.Open,
		"queued": queued, "running": running, "formats": extensions(),
		"max_document": c.g.Limits.Document, "keep_seconds": int(c.g.Limits.Keep.Seconds()), "budget": c.g.Budget,
		"memory": c.g.Memory != nil, "suggest_licence": c.g.SuggestLicence,
		"views": append([]string{}, c.g.Shows...),
	})
}

// counts counts the jobs that wait, and those that are translated.
func (j *jobs) counts() (queued, running int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, o := range j.all {
		switch o.Status {
		case statusQueued:
			queued++
		case statusTranslating:
			running++
		}
	}
	return queued, running
}
