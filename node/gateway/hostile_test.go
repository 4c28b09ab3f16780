package gateway_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/work/terms"
)

// TestManyFlags: a document of which every segment needs a person does not fill the memory with
// them.
func TestManyFlags(t *testing.T) {
	s := start(t, gateway.Config{})
	const n = 3000
	made := s.file("/api/jobs", "a.txt", []byte(strings.Repeat("one %d {x} <b>two</b> 7\n", n)), map[string]string{"from": "en", "to": "de"})
	made.want(t, 201, "")
	id := made.json(t)["id"].(string)
	s.events(id, func(map[string]any) {})
	job := s.get("/api/jobs/" + id).json(t)
	flags, more := job["flags"].([]any), job["more_flags"].(float64)
	if len(flags) != 1000 || int(more) < n-1000 || job["status"] != "done" {
		t.Errorf("%v: %d flags and %v more", job["status"], len(flags), more)
	}
}

// TestGlossaryTwice: a glossary that a request names thousands of times is read once.
func TestGlossaryTwice(t *testing.T) {
	s := start(t, gateway.Config{})
	create := func(entries string) answer {
		body, err := json.Marshal(map[string]string{"name": "n", "source_lang": "en", "target_lang": "de", "entries": entries, "entries_format": "tsv"})
		if err != nil {
			t.Fatal(err)
		}
		return s.post("/v2/glossaries", string(body))
	}
	var entries strings.Builder
	for i := range terms.MaxLines {
		fmt.Fprintf(&entries, "term%d\t%s\n", i, strings.Repeat("wort", 40))
	}
	made := create(entries.String())
	made.want(t, 201, `"entry_count":50000`)
	id := made.json(t)["glossary_id"].(string)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.post("/v2/translate", `{"text":["one"],"source_lang":"EN","target_lang":"DE","glossary_ids":["`+strings.Repeat(id+`","`, 3000)+id+`"]}`).want(t, 200, "")
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 1000 {
		t.Errorf("the request takes %d MiB of memory in all", took)
	}
	// Glossaries have a part of the disk, and no more.
	kept := 1
	for ; kept < 20; kept++ {
		if a := create(entries.String()); a.status != 201 {
			a.want(t, 456, "at most 64 MiB: delete some")
			break
		}
	}
	if kept < 5 || kept > 8 {
		t.Errorf("%d glossaries are kept", kept)
	}
	s.send("DELETE", "/v2/glossaries/"+id, "", "").want(t, 204, "")
	create(entries.String()).want(t, 201, "")
}

// TestFormFields: the fields of a form are bounded together, and nothing of a refused form is
// kept on the disk.
func TestFormFields(t *testing.T) {
	s := start(t, gateway.Config{})
	field := strings.Repeat("a", 1<<20)
	s.file("/api/jobs", "a.txt", []byte("one"), map[string]string{"a": field, "b": field, "c": field, "to": "de"}).want(t, http.StatusRequestEntityTooLarge, "the fields are larger than 2097152 bytes together")
	left, err := filepath.Glob(filepath.Join(s.config.Dir, "documents", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
	s.file("/api/jobs", "a.txt", []byte("one"), map[string]string{"a": field, "from": "en", "to": "de"}).want(t, 201, "")
}

// TestEncodedBody: a compressed body says why it is not read.
func TestEncodedBody(t *testing.T) {
	s := start(t, gateway.Config{})
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(`{"q":"one","source":"en","target":"de"}`))
	w.Close()
	s.post("/translate", b.String(), "Content-Encoding", "gzip").want(t, http.StatusUnsupportedMediaType, `Content-Encoding \"gzip\": send it without`)
	s.post("/translate", `{"q":"one","source":"en","target":"de"}`, "Content-Encoding", "identity").want(t, 200, "")
}

// TestManyTags: a text of tags is refused before it fills the memory.
func TestManyTags(t *testing.T) {
	s := start(t, gateway.Config{})
	ask := func(n int) answer {
		body, err := json.Marshal(map[string]string{"q": strings.Repeat("one <b>two</b> ", n), "source": "en", "target": "de", "format": "html"})
		if err != nil {
			t.Fatal(err)
		}
		return s.post("/translate", string(body))
	}
	ask(20_000).want(t, http.StatusRequestEntityTooLarge, "more than 50000 texts and tags: send it as a document")
	ask(3).want(t, 200, `\u003cb\u003e`)
}
