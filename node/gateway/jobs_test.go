package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/memory"
)

// held is a real engine that gives its texts only as a test lets it.
type held struct {
	engine.Engine
	mu   sync.Mutex
	gate chan struct{}
}

func (h *held) hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gate := make(chan struct{})
	h.gate = gate
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.gate == gate {
			close(gate)
			h.gate = nil
		}
	}
}

func (h *held) Start(ctx context.Context, r engine.Request) (engine.Job, error) {
	j, err := h.Engine.Start(ctx, r)
	return &heldJob{j, h}, err
}

type heldJob struct {
	engine.Job
	h *held
}

func (j *heldJob) Texts(ctx context.Context) iter.Seq2[engine.Translated, error] {
	return func(yield func(engine.Translated, error) bool) {
		j.h.mu.Lock()
		gate := j.h.gate
		j.h.mu.Unlock()
		if gate != nil {
			select {
			case <-gate:
			case <-ctx.Done():
				yield(engine.Translated{}, ctx.Err())
				return
			}
		}
		j.Job.Texts(ctx)(yield)
	}
}

// events reads the events of a job until the last.
func (s *server) events(id string, each func(job map[string]any)) {
	s.t.Helper()
	r, err := http.Get(s.url + "/api/jobs/" + id + "/events")
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	if kind := r.Header.Get("Content-Type"); r.StatusCode != 200 || kind != "text/event-stream" {
		s.t.Fatalf("events: %d %s", r.StatusCode, kind)
	}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var job map[string]any
		if err := json.Unmarshal([]byte(data), &job); err != nil {
			s.t.Fatal(err)
		}
		each(job)
	}
}

// TestJob: a job is made, watched until it is done, and its result taken; then it is
// deleted.
func TestJob(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de", "de-en")}
	release := h.hold()
	s := start(t, gateway.Config{Engine: h})
	made := s.file("/api/jobs", "letter.srt", []byte("1\n00:00:01,000 --> 00:00:02,000\none two\n\n2\n00:00:03,000 --> 00:00:04,000\nthree four\n"), map[string]string{"from": "en", "to": "de"})
	made.want(t, 201, `"format":"srt"`)
	id := made.json(t)["id"].(string)
	path := "/api/jobs/" + id
	if made.header.Get("Location") != path {
		t.Errorf("Location %q", made.header.Get("Location"))
	}
	early := s.get(path + "/result")
	early.want(t, 409, "not done yet")
	if early.header.Get("Retry-After") != "1" {
		t.Error("no Retry-After")
	}
	s.get(path+"/receipt").want(t, 404, "no receipt")
	var statuses []string
	s.events(id, func(job map[string]any) {
		statuses = append(statuses, job["status"].(string))
		release()
		if job["status"] == "done" && (job["done"] != 2.0 || job["segments"] != 2.0 || job["result"] != path+"/result") {
			t.Errorf("done: %v", job)
		}
	})
	if len(statuses) < 2 || statuses[len(statuses)-1] != "done" {
		t.Errorf("events %v", statuses)
	}
	de := s.reference("en", "one two", "three four")
	got := s.get(path + "/result")
	got.want(t, 200, "1\n00:00:01,000 --> 00:00:02,000\n"+strings.TrimSpace(de[0])+"\n\n2\n")
	if got.header.Get("Content-Type") != "application/x-subrip" || got.header.Get("Content-Disposition") != "attachment; filename=letter.de.srt" {
		t.Errorf("header %v", got.header)
	}
	s.get(path).want(t, 200, `"settled":true`)
	s.get("/api/status").want(t, 200, `"local":false`) // the engine of this test is another
	s.send("DELETE", path, "", "").want(t, 204, "")
	s.get(path).want(t, 404, "no such job")
	s.get(path+"/events").want(t, 404, "no such job")
	empty(t, s)
}

// empty fails if the gateway keeps a file of a document.
func empty(t *testing.T, s *server) {
	t.Helper()
	if left, err := os.ReadDir(filepath.Join(s.config.Dir, "documents")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// TestJobText: a text is a job, too, by languages or by a model.
func TestJobText(t *testing.T) {
	s := start(t, gateway.Config{})
	models := s.get("/api/models")
	models.want(t, 200, `"from":"en","to":"de","chrf":0,"price":0,"holders":0`)
	var list []map[string]any
	if err := json.Unmarshal(models.body, &list); err != nil {
		t.Fatal(err)
	}
	model := list[0]["model"].(string)
	if list[0]["from"] != "en" {
		model = list[1]["model"].(string)
	}
	for _, values := range []map[string]string{
		{"text": english, "to": "de"}, {"text": english, "model": model}, {"text": english, "from": "auto", "to": "DE", "model": model},
	} {
		made := s.file("/api/jobs", "", nil, values)
		made.want(t, 201, `"from":"en","to":"de","model":"`+model+`"`)
		id := made.json(t)["id"].(string)
		s.events(id, func(map[string]any) {})
		s.get("/api/jobs/"+id+"/result").want(t, 200, strings.TrimSpace(s.reference("en", english)[0]))
	}
	for _, c := range []struct {
		values map[string]string
		text   string
	}{
		{map[string]string{"to": "de"}, "give a document as file, or a text as text"},
		{map[string]string{"text": "one"}, "give the target language"},
		{map[string]string{"text": "one", "to": "fr"}, "fr is not supported"},
		{map[string]string{"text": "one", "model": "x"}, "is not offered"},
		{map[string]string{"text": "one", "from": "de", "to": "de"}, "is not available as a target language"},
	} {
		s.file("/api/jobs", "", nil, c.values).want(t, 400, c.text)
	}
	s.file("/api/jobs", "a.txt", []byte("one"), map[string]string{"text": "one", "to": "de"}).want(t, 400, "not both")
	s.file("/api/jobs", "a.srt", []byte("no subtitles"), map[string]string{"to": "de"}).want(t, 400, "")
	s.file("/api/jobs", "a.bin", []byte{0, 1, 2}, map[string]string{"to": "de"}).want(t, 400, "file format not supported")
}

// TestJobRestart: a job that the end of the gateway interrupts is done after the next
// start, and a done one is still there. What is over is deleted.
func TestJobRestart(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	h := &held{Engine: localEngine(t, "en-de")}
	c := gateway.Config{Engine: h, Dir: t.TempDir(), Now: now.Now}
	s := start(t, c)
	done := s.file("/api/jobs", "", nil, map[string]string{"text": "one two", "to": "de"}).json(t)["id"].(string)
	s.events(done, func(map[string]any) {})
	release := h.hold()
	id := s.file("/api/jobs", "", nil, map[string]string{"text": english, "to": "de"}).json(t)["id"].(string)
	s.stop()
	if err := os.WriteFile(filepath.Join(c.Dir, "documents", "orphan.in"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	release()
	s = start(t, c)
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id+"/result").want(t, 200, strings.TrimSpace(s.reference("en", english)[0]))
	s.get("/api/jobs/"+done+"/result").want(t, 200, strings.TrimSpace(s.reference("en", "one two")[0]))
	s.stop()
	now.add(2 * time.Hour)
	s = start(t, c)
	for _, id := range []string{id, done} {
		s.get("/api/jobs/"+id).want(t, 404, "kept for a while")
	}
	s.stop()
	empty(t, s)
}

// TestJobDelete: a job that is deleted while it is translated ends, and leaves nothing.
func TestJobDelete(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de")}
	release := h.hold()
	defer release()
	s := start(t, gateway.Config{Engine: h, Limits: gateway.Limits{Work: 1}})
	id := s.file("/api/jobs", "", nil, map[string]string{"text": english, "to": "de"}).json(t)["id"].(string)
	gone := false
	s.events(id, func(job map[string]any) {
		switch {
		case job["status"] == "translating":
			s.send("DELETE", "/api/jobs/"+id, "", "").want(t, 204, "")
		case job["status"] == nil:
			gone = true
		}
	})
	if !gone {
		t.Error("nobody said that the job is gone")
	}
	// The one worker is free again.
	release()
	id = s.file("/api/jobs", "", nil, map[string]string{"text": english, "to": "de"}).json(t)["id"].(string)
	s.events(id, func(map[string]any) {})
	s.send("DELETE", "/api/jobs/"+id, "", "").want(t, 204, "")
	s.stop()
	empty(t, s)
}

// TestJobBounds: the gateway keeps a number of documents, and a client's do not take all.
func TestJobBounds(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de")}
	defer h.hold()()
	s := start(t, gateway.Config{Engine: h, Limits: gateway.Limits{Jobs: 3, Document: 2000}})
	for range 3 {
		s.file("/api/jobs", "", nil, map[string]string{"text": "one", "to": "de"}).want(t, 201, "")
	}
	full := s.file("/api/jobs", "", nil, map[string]string{"text": "one", "to": "de"})
	full.want(t, 429, "as many documents as it can")
	if full.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", full.header.Get("Retry-After"))
	}
	s = start(t, gateway.Config{Limits: gateway.Limits{Document: 2000, Disk: 3000}})
	s.file("/api/jobs", "a.txt", []byte(strings.Repeat("one ", 501)), map[string]string{"to": "de"}).want(t, 413, "larger than 2000 bytes")
	s.file("/api/jobs", "a.txt", []byte(strings.Repeat("one ", 450)), map[string]string{"to": "de"}).want(t, 429, "as many documents")
	empty(t, s)
}

// TestMemory: what was translated before, by whichever API, is not translated again. What a
// person said comes first.
func TestMemory(t *testing.T) {
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h := &held{Engine: localEngine(t, "en-de")}
	s := start(t, gateway.Config{Engine: h, Memory: m})
	if err := m.Put(memory.Known{Settings: memory.Settings{From: "en", To: "de"}, Source: "by a person", Target: "von einem Menschen"}); err != nil {
		t.Fatal(err)
	}
	first := s.post("/translate", `{"q":`+quoted(english)+`,"source":"en","target":"de"}`)
	first.want(t, 200, quoted(s.reference("en", english)[0]))
	defer h.hold()() // from here on the engine gives nothing
	if again := s.post("/translate", `{"q":`+quoted(english)+`,"source":"en","target":"de"}`); string(again.body) != string(first.body) {
		t.Errorf("again: %s", again.body)
	}
	s.post("/v2/translate", `{"text":["by a person"],"source_lang":"EN","target_lang":"DE"}`).want(t, 200, "von einem Menschen")
	id := s.file("/api/jobs", "a.txt", []byte(english+"\n\nby a person\n"), map[string]string{"from": "en", "to": "de"}).json(t)["id"].(string)
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"done":2,"reused":2`)
	s.get("/api/jobs/"+id+"/result").want(t, 200, "von einem Menschen")
}

// TestSegments: a job counts the segments of its document, not the texts that its model
// gets: tags divide a segment into several texts, and segments may share one.
func TestSegments(t *testing.T) {
	s := start(t, gateway.Config{})
	doc := "1\n00:00:01,000 --> 00:00:02,000\none <i>two</i> three\n\n2\n00:00:03,000 --> 00:00:04,000\nfour\n\n3\n00:00:05,000 --> 00:00:06,000\nfour\n"
	made := s.file("/api/jobs", "a.srt", []byte(doc), map[string]string{"from": "en", "to": "de"})
	made.want(t, 201, `"segments":3`)
	before := 0.0
	s.events(made.json(t)["id"].(string), func(job map[string]any) {
		done := job["done"].(float64)
		if job["segments"] != 3.0 || done < before || done > 3 || job["status"] == "done" && done != 3 {
			t.Errorf("%v", job)
		}
		before = done
	})
	if before != 3 {
		t.Errorf("in the end %v segments are done", before)
	}
}

// asked is a real engine that notes what it is asked for.
type asked struct {
	engine.Engine
	mu    sync.Mutex
	texts []string
}

func (a *asked) Start(ctx context.Context, r engine.Request) (engine.Job, error) {
	a.mu.Lock()
	a.texts = append(a.texts, r.Texts...)
	a.mu.Unlock()
	return a.Engine.Start(ctx, r)
}

// TestRevoked: a key is removed while documents of it wait. They are not translated: nothing
// bounds any more what they cost. Documents of other keys are.
func TestRevoked(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{Name: "good"})
	stolen, _, err := gateway.AddKey(file, gateway.APIKey{Name: "stolen", Amount: 1})
	if err != nil {
		t.Fatal(err)
	}
	a := &asked{Engine: localEngine(t, "en-de")}
	h := &held{Engine: a}
	release := h.hold()
	s := start(t, gateway.Config{Engine: h, Keys: file, Limits: gateway.Limits{Work: 1}})
	made := func(text string, header ...string) string {
		m := s.file("/api/jobs", "", nil, map[string]string{"text": text, "from": "en", "to": "de"}, header...)
		m.want(t, 201, "")
		return m.json(t)["id"].(string)
	}
	made("one", key[:]...)
	made("two", "Authorization", "Bearer "+stolen)
	last := made("three", key[:]...)
	if err := gateway.RemoveKey(file, "stolen"); err != nil {
		t.Fatal(err)
	}
	release()
	s.get("/api/jobs/"+last+"/events", key[:]...).want(t, 200, `"status":"done"`) // until its last event
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := strings.Join(a.texts, " "); got != "one three" {
		t.Errorf("translated: %s", got)
	}
}
