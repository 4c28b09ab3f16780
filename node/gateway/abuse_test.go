package gateway_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/memory"
)

// priced is a real engine that asks 10 for a text, as a network does, and lets a test stand in
// its way.
type priced struct {
	engine.Engine
	mu      sync.Mutex
	fail    error                       // of the texts
	settles func(context.Context) error // before a settlement; nil: nothing
	asked   [][]string
}

func (p *priced) set(fail error, settles func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail, p.settles = fail, settles
}

func (p *priced) Start(ctx context.Context, r engine.Request) (engine.Job, error) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Texts)
	p.mu.Unlock()
	j, err := p.Engine.Start(ctx, r)
	return &pricedJob{j, p, uint64(10 * len(r.Texts))}, err
}

type pricedJob struct {
	engine.Job
	p    *priced
	most uint64
}

func (j *pricedJob) Quote() engine.Quote { return engine.Quote{Amount: j.most, Units: 1} }

func (j *pricedJob) Texts(ctx context.Context) iter.Seq2[engine.Translated, error] {
	return func(yield func(engine.Translated, error) bool) {
		j.p.mu.Lock()
		fail := j.p.fail
		j.p.mu.Unlock()
		if fail != nil {
			yield(engine.Translated{}, fail)
			return
		}
		j.Job.Texts(ctx)(yield)
	}
}

func (j *pricedJob) Settle(ctx context.Context) (engine.Receipt, error) {
	j.p.mu.Lock()
	settles := j.p.settles
	j.p.mu.Unlock()
	if settles != nil {
		if err := settles(ctx); err != nil {
			return engine.Receipt{}, err
		}
	}
	return engine.Receipt{Amount: j.most, Status: "claimed", Units: 1}, nil
}

// make makes a job of a text, and returns its ID.
func (s *server) make(text string, header ...string) string {
	s.t.Helper()
	made := s.file("/api/jobs", "", nil, map[string]string{"text": text, "from": "en", "to": "de"}, header...)
	made.want(s.t, 201, "")
	return made.json(s.t)["id"].(string)
}

// TestLastPlace: of many documents that come at once, each place is taken by one.
func TestLastPlace(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de")}
	defer h.hold()()
	s := start(t, gateway.Config{Engine: h, Limits: gateway.Limits{Jobs: 3}})
	var taken, refused atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch s.file("/api/jobs", "", nil, map[string]string{"text": "one", "from": "en", "to": "de"}).status {
			case http.StatusCreated:
				taken.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 3 || refused.Load() != 13 {
		t.Errorf("%d are taken, %d refused", taken.Load(), refused.Load())
	}
}

// TestSending: a document that is being sent has its place already, and a client that is not
// known has half of the disk.
func TestSending(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{Name: "good"})
	s := start(t, gateway.Config{Keys: file, Engine: localEngine(t, "en-de"), Limits: gateway.Limits{Disk: 4000}})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	send := func(n int, known bool) {
		r, w := io.Pipe()
		form := multipart.NewWriter(w)
		q, err := http.NewRequestWithContext(ctx, "POST", s.url+"/api/jobs", r)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", form.FormDataContentType())
		if known {
			q.Header.Set(key[0], key[1])
		}
		go func() {
			if a, err := http.DefaultClient.Do(q); err == nil {
				a.Body.Close()
			}
		}()
		p, err := form.CreateFormFile("file", "a.txt")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, strings.Repeat("one ", n/4)) // and no more comes
	}
	stored := func(want int64) {
		t.Helper()
		for sum := int64(-1); sum != want; {
			sum = 0
			files, _ := filepath.Glob(filepath.Join(s.config.Dir, "documents", "*.in"))
			for _, f := range files {
				if info, err := os.Stat(f); err == nil {
					sum += info.Size()
				}
			}
			if t.Context().Err() != nil {
				t.Fatal(t.Context().Err())
			}
		}
	}
	send(1800, false)
	stored(1800)
	late := s.file("/api/jobs", "b.txt", []byte(strings.Repeat("one ", 100)), map[string]string{"from": "en", "to": "de", "api_key": "?"})
	late.want(t, 429, "as many documents")
	doc := []byte(strings.Repeat("one ", 300)) // twice as much with its result
	s.file("/api/jobs", "b.txt", doc, map[string]string{"from": "en", "to": "de"}, key[:]...).want(t, 429, "as many documents")
	hangUp()
	stored(0)
	s.file("/api/jobs", "b.txt", doc, map[string]string{"from": "en", "to": "de"}, key[:]...).want(t, 201, "")
}

// TestForms: a page sends a form in which no file was chosen with an empty file that has no
// name; a client may send several.
func TestForms(t *testing.T) {
	s := start(t, gateway.Config{Engine: localEngine(t, "en-de")})
	send := func(path string, parts ...string) answer {
		body := ""
		for _, p := range parts {
			body += "--x\r\nContent-Disposition: form-data; " + p + "\r\n"
		}
		return s.send("POST", path, "multipart/form-data; boundary=x", body+"--x--\r\n")
	}
	none := "name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	to, text := "name=\"to\"\r\n\r\nde", "name=\"text\"\r\n\r\none"
	send("/api/jobs", none, text, to).want(t, 201, "text.txt")
	send("/api/jobs", none, to).want(t, 400, "give a document as file, or a text as text")
	send("/api/jobs", none, none, text, to).want(t, 201, "")
	send("/api/jobs", none+"abc", text, to).want(t, 400, "not both")
	send("/api/jobs", none+"abc", none, to).want(t, 400, "more than one file")
	send("/translate_file", none, "name=\"source\"\r\n\r\nen", "name=\"target\"\r\n\r\nde").want(t, 400, "missing file")
}

// TestMonths: what was used in a month is given back to that month.
func TestMonths(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)}
	file, key := withKey(t, gateway.APIKey{Name: "good", Characters: 1000, Amount: 1000})
	h := &held{Engine: &priced{Engine: localEngine(t, "en-de")}}
	s := start(t, gateway.Config{Engine: h, Keys: file, Now: now.Now, Budget: 100, Price: 1, Limits: gateway.Limits{Work: 1}})
	defer h.hold()()
	s.make("one two", key[:]...) // has the worker
	waits := s.make("three four", key[:]...)
	used := func(want int) {
		t.Helper()
		s.get("/v2/usage", key[:]...).want(t, 200, fmt.Sprintf(`"character_count":%d,`, want))
	}
	used(17)
	now.add(time.Hour)
	used(0)
	december := s.make("five", key[:]...)
	used(4)
	s.send("DELETE", "/api/jobs/"+waits, "", "").want(t, 204, "")
	used(4)
	s.send("DELETE", "/api/jobs/"+december, "", "").want(t, 204, "")
	used(0)
	now.add(-time.Hour)
	used(7)
}

// TestOpenAmount: clients without a key spend no more in a month than the gateway lets all of
// them, and a key has its own.
func TestOpenAmount(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	file, key := withKey(t, gateway.APIKey{Name: "good"})
	c := gateway.Config{
		Engine: &priced{Engine: localEngine(t, "en-de")}, Keys: file, Open: true, Dir: t.TempDir(), Now: now.Now,
		Budget: 20, Price: 1, Limits: gateway.Limits{Amount: 25},
	}
	s := start(t, c)
	ask := func(text string, header ...string) answer {
		return s.post("/translate", `{"q":"`+text+`","source":"en","target":"de"}`, header...)
	}
	ask("one").want(t, 200, "")
	ask("two").want(t, 200, "")
	s.stop()
	s = start(t, c) // and a restart forgets nothing
	full := ask("three")
	full.want(t, 429, "clients without a key may spend")
	if full.header.Get("Retry-After") != "43200" {
		t.Errorf("Retry-After %q, want the rest of the month", full.header.Get("Retry-After"))
	}
	s.post("/v2/translate", `{"text":["three"],"source_lang":"EN","target_lang":"DE"}`).want(t, 456, "Quota")
	ask("three", key[:]...).want(t, 200, "")
	now.add(24 * time.Hour)
	ask("three").want(t, 200, "")
}

// TestNoFunds: an account without funds is no internal error, and no client pays for it.
func TestNoFunds(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{Name: "good", Amount: 10})
	p := &priced{Engine: localEngine(t, "en-de")}
	p.set(fmt.Errorf("open escrow: %w", engine.ErrNoFunds), nil)
	s := start(t, gateway.Config{Engine: p, Keys: file, Budget: 20, Price: 1})
	for range 2 {
		poor := s.post("/v2/translate", `{"text":["one"],"source_lang":"EN","target_lang":"DE"}`, key[:]...)
		poor.want(t, 503, `{"message":"this gateway has too little ALIA`)
		if poor.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	s.post("/translate", `{"q":"one","source":"en","target":"de"}`, key[:]...).want(t, 503, `{"error":"this gateway has too little ALIA`)
	id := s.make("one", key[:]...)
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"status":"error","error":"this gateway has too little ALIA`)
	s.get("/v2/usage", key[:]...).want(t, 200, `"character_count":0,`)
	p.set(nil, nil)
	s.post("/translate", `{"q":"one","source":"en","target":"de"}`, key[:]...).want(t, 200, "") // the month has room for it
}

// TestSettling: a worker translates the next document while the ledger settles one. One that is
// deleted meanwhile leaves nothing.
func TestSettling(t *testing.T) {
	p := &priced{Engine: localEngine(t, "en-de")}
	goOn := make(chan struct{})
	p.set(nil, func(ctx context.Context) error {
		select {
		case <-goOn:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	s := start(t, gateway.Config{Engine: p, Budget: 100, Price: 1, Limits: gateway.Limits{Work: 1}})
	done := func(id string) {
		t.Helper()
		for s.get("/api/jobs/" + id).json(t)["status"] != "done" {
		}
		s.get("/api/jobs/"+id).want(t, 200, `"settled":false`)
	}
	first, second := s.make("one"), s.make("two")
	done(first)
	done(second)
	s.send("DELETE", "/api/jobs/"+second, "", "").want(t, 204, "")
	close(goOn)
	s.events(first, func(map[string]any) {}) // until it is settled
	s.get("/api/jobs/"+first).want(t, 200, `"settled":true`)
	s.send("DELETE", "/api/jobs/"+first, "", "").want(t, 204, "")
	s.stop()
	empty(t, s)
}

// TestCountedOnce: what a job may cost is counted once, also if the gateway ends in the middle
// of it, however often.
func TestCountedOnce(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{Name: "good", Amount: 15})
	h := &held{Engine: &priced{Engine: localEngine(t, "en-de")}}
	c := gateway.Config{Engine: h, Keys: file, Dir: t.TempDir(), Budget: 100, Price: 1}
	release := h.hold()
	s := start(t, c)
	id := s.make("one", key[:]...)
	for range 7 { // more often than a document is tried that ends the gateway by itself
		for s.get("/api/jobs/" + id).json(t)["cost"] != 10.0 {
		}
		s.stop()
		s = start(t, c)
	}
	release()
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"status":"done"`)
}

// TestPanic: a document that makes the program panic ends its job, and nothing else.
func TestPanic(t *testing.T) {
	p := &priced{Engine: localEngine(t, "en-de")}
	s := start(t, gateway.Config{Engine: p, Budget: 100, Price: 1, Limits: gateway.Limits{Work: 1}})
	p.set(nil, func(context.Context) error { panic("in the settlement") })
	id := s.make("one")
	for s.get("/api/jobs/" + id).json(t)["expires"] == nil {
	}
	p.set(nil, nil)
	p.mu.Lock()
	inner := p.Engine
	p.Engine = panics{inner}
	p.mu.Unlock()
	id = s.make("two")
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"status":"error","error":"internal error`)
	p.mu.Lock()
	p.Engine = inner
	p.mu.Unlock()
	id = s.make("three")
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"status":"done"`)
}

// panics is an engine with a fault.
type panics struct{ engine.Engine }

func (panics) Start(context.Context, engine.Request) (engine.Job, error) { panic("in the engine") }

// TestMemoryFails: a memory that takes nothing keeps no translation from a client.
func TestMemoryFails(t *testing.T) {
	dir := t.TempDir()
	m, err := memory.Open(dir, memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.Mkdir(filepath.Join(dir, "translations.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := start(t, gateway.Config{Engine: localEngine(t, "en-de"), Memory: m})
	s.post("/translate", `{"q":["one","two"],"source":"en","target":"de"}`).want(t, 200, "translatedText")
}

// TestMemoryLost: the memory loses what it had when the gateway ended in the middle of the
// job for the rest. The job goes on, and another one is for what was lost.
func TestMemoryLost(t *testing.T) {
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p := &priced{Engine: localEngine(t, "en-de")}
	h := &held{Engine: p}
	s := start(t, gateway.Config{Engine: h, Memory: m, Dir: t.TempDir(), Budget: 100, Price: 1})
	s.post("/translate", `{"q":"one","source":"en","target":"de"}`).want(t, 200, "")
	release := h.hold()
	id := s.file("/api/jobs", "a.txt", []byte("one\n\ntwo\n"), map[string]string{"from": "en", "to": "de"}).json(t)["id"].(string)
	for s.get("/api/jobs/" + id).json(t)["cost"] != 10.0 {
	}
	s.stop()
	if err := m.Clear(); err != nil {
		t.Fatal(err)
	}
	release()
	s = start(t, s.config)
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"status":"done"`)
	if got := fmt.Sprint(p.asked); got != "[[one] [two] [two] [one]]" {
		t.Errorf("asked %s", got)
	}
}

// TestTMX: what a translation memory has in the target language is neither translated nor
// counted.
func TestTMX(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{Name: "good"})
	p := &priced{Engine: localEngine(t, "en-de")}
	s := start(t, gateway.Config{Engine: p, Keys: file, Budget: 100, Price: 1})
	data := `<?xml version="1.0"?><tmx version="1.4"><header srclang="en" datatype="plaintext" segtype="sentence" adminlang="en" o-tmf="x" creationtool="x" creationtoolversion="1"/><body>
<tu><tuv xml:lang="en"><seg>one two three</seg></tuv><tuv xml:lang="de"><seg>eins</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>four</seg></tuv></tu></body></tmx>`
	model := s.get("/api/models").body
	cid := string(model[strings.Index(string(model), "bafy"):])
	cid = cid[:strings.Index(cid, `"`)]
	for _, values := range []map[string]string{{"from": "en", "to": "de"}, {"from": "en", "model": cid}} {
		id := s.file("/api/jobs", "a.tmx", []byte(data), values, key[:]...).json(t)["id"].(string)
		s.events(id, func(map[string]any) {})
		s.get("/api/jobs/"+id+"/result").want(t, 200, "eins</seg>")
	}
	if got := fmt.Sprint(p.asked); got != "[[four] [four]]" {
		t.Errorf("asked %s", got)
	}
	s.get("/v2/usage", key[:]...).want(t, 200, `"character_count":8,`)
}

// slow is an engine that lists its models as a test lets it.
type slow struct {
	engine.Engine
	lists atomic.Int32
	gate  chan struct{}
}

func (s *slow) Models(ctx context.Context) ([]engine.Model, error) {
	s.lists.Add(1)
	select {
	case <-s.gate:
		return s.Engine.Models(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestModels: many clients ask for the models, and go away; the network is asked once.
func TestModels(t *testing.T) {
	e := &slow{Engine: localEngine(t, "en-de"), gate: make(chan struct{})}
	s := start(t, gateway.Config{Engine: e})
	ctx, goAway := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	for range 8 {
		gone.Go(func() {
			q, err := http.NewRequestWithContext(ctx, "GET", s.url+"/languages", nil)
			if err != nil {
				t.Error(err)
				return
			}
			if a, err := http.DefaultClient.Do(q); err == nil {
				a.Body.Close()
				t.Error("somebody had an answer")
			}
		})
	}
	for e.lists.Load() == 0 {
	}
	goAway()
	gone.Wait()
	close(e.gate)
	s.get("/languages").want(t, 200, `"code":"en"`)
	if n := e.lists.Load(); n != 1 {
		t.Errorf("the engine was asked %d times", n)
	}
}
