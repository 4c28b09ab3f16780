package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// lively makes the parameters of a model that has learnt nothing larger: then what it says
// depends on what it reads.
func lively(params *tensor.Set) *tensor.Set {
	for i := range params.Len() {
		data := params.At(i).F // a view: the set changes with it
		for k := range data {
			data[k] *= 3
		}
	}
	return params
}

// writeModel writes the directory of a model that has learnt nothing: its translations are
// nonsense, but the same nonsense on every machine.
func writeModel(t testing.TB, dir, source, target string, seed uint64) block.Link {
	t.Helper()
	tok, err := text.Train(slices.Values([]string{"eins zwei drei vier", "one two three four eins"}), 270)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{
		Source: source, Target: target, Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1},
	}
	tr, err := model.NewTranslator(m, lively(nmt.Init(m.Config(), seed)), tok)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range tr.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tr.ID()
}

// localEngine is an engine with models of these pairs, such as "en-de".
func localEngine(t testing.TB, pairs ...string) *engine.Local {
	t.Helper()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	below := t.TempDir()
	var dirs []string
	for i, p := range pairs {
		source, target, _ := strings.Cut(p, "-")
		dirs = append(dirs, filepath.Join(below, p))
		writeModel(t, dirs[i], source, target, uint64(i+1))
	}
	return engine.NewLocal(engine.LocalConfig{Dirs: dirs, Device: dev})
}

// clock is the time of a gateway, which tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// server is a gateway that runs.
type server struct {
	t      testing.TB
	g      *gateway.Gateway
	url    string
	config gateway.Config
	stop   func()
}

// start runs a gateway on loopback until the test ends.
func start(t testing.TB, c gateway.Config) *server {
	t.Helper()
	if c.Engine == nil {
		c.Engine = localEngine(t, "en-de", "de-en")
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(testLog{t}, nil))
	}
	g, err := gateway.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, l) }()
	s := &server{t: t, g: g, url: "http://" + l.Addr().String(), config: c}
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// answer is what the gateway answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%q is no object: %v", a.body, err)
	}
	return v
}

// send sends a request, and holds the answer to openapi.json.
func (s *server) send(method, path, kind, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	return s.do(r)
}

func (s *server) do(r *http.Request) answer {
	s.t.Helper()
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Body.Close()
	data, err := io.ReadAll(w.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{w.StatusCode, w.Header, data}
	checkDescribed(s.t, r, a)
	return a
}

const jsonType, formType = "application/json", "application/x-www-form-urlencoded"

func (s *server) post(path, body string, header ...string) answer {
	s.t.Helper()
	return s.send("POST", path, jsonType, body, header...)
}

func (s *server) form(path string, values url.Values, header ...string) answer {
	s.t.Helper()
	return s.send("POST", path, formType, values.Encode(), header...)
}

func (s *server) get(path string, header ...string) answer {
	s.t.Helper()
	return s.send("GET", path, "", "", header...)
}

// file sends a multipart form with a document.
func (s *server) file(path, name string, data []byte, values map[string]string, header ...string) answer {
	s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if name != "" {
		p, err := w.CreateFormFile("file", name)
		if err != nil {
			s.t.Fatal(err)
		}
		p.Write(data)
	}
	for k, v := range values {
		w.WriteField(k, v)
	}
	w.Close()
	return s.send("POST", path, w.FormDataContentType(), b.String(), header...)
}

// reference translates texts with the engine itself.
func (s *server) reference(source string, texts ...string) []string {
	s.t.Helper()
	models, err := s.config.Engine.Models(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(models, func(m engine.Model) bool { return m.Source == source })
	j, err := s.config.Engine.Start(context.Background(), engine.Request{Texts: texts, Model: models[i].Link, Decoding: unit.Greedy})
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	out := make([]string, len(texts))
	for done, err := range j.Texts(context.Background()) {
		if err != nil {
			s.t.Fatal(err)
		}
		out[done.Index] = done.Text
	}
	return out
}

// want fails unless an answer has a status, and text in its body.
func (a answer) want(t testing.TB, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(string(a.body), text) {
		t.Errorf("answer %d %s, want %d with %s", a.status, a.body, status, text)
	}
}

func quoted(s string) string {
	data, _ := json.Marshal(s)
	return string(data)
}

const (
	english = "The house stands at the end of the street. We wait for the children there every afternoon."
	german  = "Das Haus steht am Ende der Straße. Wir warten dort jeden Nachmittag auf die Kinder."
)

// TestLibreTranslate: the requests that LibreTranslate documents, with its answers.
func TestLibreTranslate(t *testing.T) {
	s := start(t, gateway.Config{})
	de := s.reference("en", english, "one two")
	en := s.reference("de", german)
	for _, c := range []struct {
		name, body string
		want       map[string]any
	}{
		{"text", `{"q":` + quoted(english) + `,"source":"en","target":"de"}`, map[string]any{"translatedText": de[0]}},
		{"array", `{"q":["one two",` + quoted(english) + `],"source":"en","target":"de","format":"text","api_key":""}`, map[string]any{"translatedText": []any{de[1], de[0]}}},
		{"null and unknown parameters", `{"q":"one two","source":"en","target":"de","format":null,"apiKey":"","x":{"y":[1]}}`, map[string]any{"translatedText": de[1]}},
		{"auto", `{"q":` + quoted(german) + `,"source":"auto","target":"en"}`, map[string]any{"translatedText": en[0], "detectedLanguage": "de"}},
		{"no words", `{"q":"123 😀","source":"auto","target":"de"}`, map[string]any{"translatedText": "123 😀", "detectedLanguage": "en"}},
		{"capitals", `{"q":"one two","source":"EN","target":"de-DE"}`, map[string]any{"translatedText": de[1]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post("/translate", c.body)
			a.want(t, 200, "")
			got := a.json(t)
			if d, ok := got["detectedLanguage"].(map[string]any); ok {
				got["detectedLanguage"] = d["language"]
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("answer %v, want %v", got, c.want)
			}
		})
	}
	form := s.form("/translate", url.Values{"q": {"one two"}, "source": {"en"}, "target": {"de"}, "alternatives": {"3"}})
	form.want(t, 200, quoted(de[1]))
	if _, ok := form.json(t)["alternatives"].([]any); !ok {
		t.Errorf("no alternatives: %s", form.body)
	}
	s.file("/translate", "", nil, map[string]string{"q": "one two", "source": "en", "target": "de"}).want(t, 200, quoted(de[1]))
	s.get("/languages").want(t, 200, `{"code":"de","name":"German","targets":["en"]}`)
	s.get("/frontend/settings").want(t, 200, `"keyRequired":false`)
	s.get("/health").want(t, 200, `{"status":"ok"}`)
	s.post("/detect", `{"q":`+quoted(german)+`}`).want(t, 200, `"language":"de"`)
	s.form("/detect", url.Values{"q": {english}}).want(t, 200, `"language":"en"`)
	s.post("/detect", `{"q":"123"}`).want(t, 200, `[{"language":"en","confidence":0}]`)
}

// TestLibreErrors: what is wrong has LibreTranslate's code and form of an error.
func TestLibreErrors(t *testing.T) {
	s := start(t, gateway.Config{Limits: gateway.Limits{Text: 4096}})
	for _, c := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"no q", `{"source":"en","target":"de"}`, 400, `{"error":"Invalid request: missing q parameter"}`},
		{"empty q", `{"q":"","source":"en","target":"de"}`, 400, "missing q"},
		{"empty array", `{"q":[],"source":"en","target":"de"}`, 400, "missing q"},
		{"no source", `{"q":"one","target":"de"}`, 400, "missing source"},
		{"no target", `{"q":"one","source":"en"}`, 400, "missing target"},
		{"unknown target", `{"q":"one","source":"en","target":"zz"}`, 400, `{"error":"zz is not supported"}`},
		{"unknown source", `{"q":"one","source":"zz","target":"de"}`, 400, `{"error":"zz is not supported"}`},
		{"no such pair", `{"q":"one","source":"de","target":"de"}`, 400, "German (de) is not available as a target language from German (de)"},
		{"format", `{"q":"one","source":"en","target":"de","format":"pdf"}`, 400, `pdf format is not supported`},
		{"q is a number", `{"q":5,"source":"en","target":"de"}`, 400, "q parameter is neither a string nor an array"},
		{"q has a null", `{"q":["a",null],"source":"en","target":"de"}`, 400, "not a string"},
		{"target is an object", `{"q":"one","source":"en","target":{}}`, 400, "target parameter is not a string"},
		{"alternatives", `{"q":"one","source":"en","target":"de","alternatives":"many"}`, 400, "alternatives parameter is not a number"},
		{"too many alternatives", `{"q":"one","source":"en","target":"de","alternatives":99}`, 400, "must be 0 to 3"},
		{"cut JSON", `{"q":"one"`, 400, "Invalid JSON format"},
		{"JSON array", `["one"]`, 400, "Invalid JSON format: send an object"},
		{"JSON null", `null`, 400, "Invalid JSON format: send an object"},
		{"deep JSON", `{"q":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 400, "nested"},
		{"not UTF-8", "{\"q\":\"\xff\",\"source\":\"en\",\"target\":\"de\"}", 400, "UTF-8"},
		{"large", `{"q":"` + strings.Repeat("a", 5000) + `"}`, 413, `{"error":"the request has`},
	} {
		t.Run(c.name, func(t *testing.T) { s.post("/translate", c.body).want(t, c.status, c.text) })
	}
	s.send("POST", "/translate", "text/plain", "one").want(t, 400, "Content-Type")
	s.send("POST", "/translate", "application/json; charset=latin1", "{}").want(t, 400, "UTF-8")
	s.send("POST", "/translate", formType, "q=%zz").want(t, 400, `{"error":`)
	s.send("POST", "/translate", "multipart/form-data", "q").want(t, 400, "boundary")
	get := s.get("/translate")
	get.want(t, 405, `{"error":`)
	if get.header.Get("Allow") != "POST" {
		t.Errorf("Allow: %q", get.header.Get("Allow"))
	}
	s.get("/nothing").want(t, 404, `{"error":"Not found"}`)
	s.post("/detect", `{}`).want(t, 400, "missing q")
	s.get("/detect").want(t, 405, "")
}

// TestLibreFile: a document goes up, and comes down translated.
func TestLibreFile(t *testing.T) {
	s := start(t, gateway.Config{})
	name := "Brief an <Ümit>/../letter.txt"
	a := s.file("/translate_file", name, []byte(english+"\n\n"+"123\n"), map[string]string{"source": "auto", "target": "de"})
	a.want(t, 200, "translatedFileUrl")
	link := a.json(t)["translatedFileUrl"].(string)
	path, ours := strings.CutPrefix(link, s.url)
	if !ours || !strings.HasPrefix(path, "/download_file/") {
		t.Fatalf("URL %s", link)
	}
	got := s.get(path)
	got.want(t, 200, strings.TrimSpace(s.reference("en", english)[0])+"\n\n123\n")
	if d := got.header.Get("Content-Disposition"); d != `attachment; filename=letter.de.txt` {
		t.Errorf("Content-Disposition %s", d)
	}
	for _, bad := range []string{"/download_file/x", "/download_file/..%2fgateway.db", "/download_file/" + strings.Repeat("0", 32) + ".txt"} {
		s.get(bad).want(t, 404, `{"error":`)
	}
	s.file("/translate_file", "a.exe", []byte("MZ\x90\x00"), map[string]string{"source": "en", "target": "de"}).want(t, 400, "file format not supported")
	s.file("/translate_file", "", nil, map[string]string{"source": "en", "target": "de"}).want(t, 400, "missing file")
	s.file("/translate_file", "a.txt", []byte("one"), map[string]string{"target": "de"}).want(t, 400, "missing source")
	s.file("/translate_file", "a.txt", []byte("one"), map[string]string{"source": "en", "target": "zz"}).want(t, 400, "zz is not supported")
	left, err := os.ReadDir(filepath.Join(s.config.Dir, "documents"))
	if err != nil || len(left) != 2 { // the one document, and its translation
		t.Errorf("%d files of documents, %v", len(left), err)
	}
}
