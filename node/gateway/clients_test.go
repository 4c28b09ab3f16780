package gateway_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/node/gateway"
)

// packages is the folder of [installed], once a test has asked for it.
var packages string

// installed is a folder with the npm packages of testdata/clients, as their authors
// publish them, or why there is none.
var installed = sync.OnceValues(func() (dir string, err error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	if dir, err = os.MkdirTemp("", "clients"); err != nil {
		return "", err
	}
	packages = dir
	if err := os.CopyFS(dir, os.DirFS("testdata/clients")); err != nil {
		return "", err
	}
	install := exec.Command("npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(packages)
	os.Exit(code)
}

// foreign runs a script of testdata/clients against a gateway, and reads its result.
func foreign(t *testing.T, script string, out any) (s *server, key string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: `go test ./node/gateway` installs and runs the clients")
	}
	dir, err := installed()
	if err != nil {
		t.Skipf("the npm packages cannot be installed: %v; with node, npm and a registry `go test ./node/gateway` runs this test", err)
	}
	file, header := withKey(t, gateway.APIKey{})
	key = strings.TrimPrefix(header[1], "DeepL-Auth-Key ")
	poor, _, err := gateway.AddKey(file, gateway.APIKey{Name: "poor", Characters: 10, Requests: 2})
	if err != nil {
		t.Fatal(err)
	}
	s = start(t, gateway.Config{Keys: file})
	run := exec.Command("node", filepath.Join(dir, script))
	run.Dir = dir
	run.Env = append(os.Environ(), "URL="+s.url, "KEY="+key, "POOR="+poor, "DIR="+t.TempDir(), "ENGLISH="+english, "GERMAN="+german, "HTML="+htmlText)
	var stderr strings.Builder
	run.Stderr = &stderr
	data, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return s, key
}

// htmlText has a text around a tag, and a text in it.
const htmlText = `<p class="x">one <b>two</b> three</p>`

// same compares what a client got with what it should.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// begins compares the beginning of what a client got.
func begins(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// TestDeepLNode: deepl-node works as it is.
func TestDeepLNode(t *testing.T) {
	type result struct {
		Text               string `json:"text"`
		DetectedSourceLang string `json:"detectedSourceLang"`
		BilledCharacters   int    `json:"billedCharacters"`
	}
	type status struct {
		Status           string `json:"status"`
		BilledCharacters int    `json:"billedCharacters"`
	}
	var got struct {
		Text, English, HTML            result
		Texts                          []result
		Sources, Targets               []struct{ Name, Code string }
		Document, Status               status
		Translated, Unsupported, Again string
		Pairs                          []struct{ SourceLang, TargetLang string }
		Glossary                       struct {
			Name, SourceLang, TargetLang, CreationTime string
			Ready                                      bool
			EntryCount                                 int
		}
		Entries                          map[string]string
		List                             []string
		CSV, Gone                        string
		Termed, TermedDocument           string
		Unwritable, Mismatch             string
		Usage                            struct{ Character struct{ Count, Limit int64 } }
		Language, Forbidden, Quota, Slow string
	}
	s, _ := foreign(t, "deepl.mjs", &got)
	de, en := s.reference("en", english, "one two"), s.reference("de", german)
	n := len([]rune(english))
	same(t, "text", got.Text, result{de[0], "en", n})
	same(t, "texts", got.Texts, []result{{de[0], "en", n}, {de[1], "en", 7}})
	same(t, "to English", got.English, result{en[0], "de", len([]rune(german))})
	checkHTML(t, got.HTML.Text)
	same(t, "sources", got.Sources, "[{German de} {English en}]")
	same(t, "targets", got.Targets, "[{German de} {British English en-GB} {American English en-US}]")
	same(t, "document", got.Document, status{"done", n})
	same(t, "translated", got.Translated, strings.TrimSpace(de[0]))
	begins(t, "unsupported", got.Unsupported, "DocumentTranslationError: Error occurred while translating document: Bad request, message: Invalid request: file format not supported")
	same(t, "status", got.Status, status{"done", n})
	begins(t, "again", got.Again, "DocumentNotReadyError: Document not ready, message: Document already downloaded")
	same(t, "pairs", len(got.Pairs), 2)
	same(t, "glossary", []any{got.Glossary.Name, got.Glossary.SourceLang, got.Glossary.TargetLang, got.Glossary.Ready, got.Glossary.EntryCount}, "[Mine en de true 2]")
	same(t, "entries", got.Entries, map[string]string{"house": "Haus", "street": "Straße"})
	same(t, "list", got.List, "[Mine]")
	same(t, "csv", got.CSV, "a\tb\nc\td")
	for _, s := range []string{got.Termed, got.TermedDocument} {
		if !strings.Contains(s, "vier eins") {
			t.Errorf("with a glossary: %q", s)
		}
	}
	if !strings.Contains(got.Unwritable, "Bad request") || !strings.Contains(got.Unwritable, `xqzxqz`) {
		t.Errorf("a term that the model cannot write: %s", got.Unwritable)
	}
	begins(t, "mismatch", got.Mismatch, "DeepLError: Bad request, message: source_lang and target_lang must match glossary")
	begins(t, "gone", got.Gone, "GlossaryNotFoundError: Glossary not found")
	if got.Usage.Character.Count < int64(3*n) || got.Usage.Character.Limit != 1_000_000_000_000 {
		t.Errorf("usage %+v", got.Usage)
	}
	begins(t, "language", got.Language, "DeepLError: Bad request, message: Value for 'target_lang' not supported.")
	begins(t, "forbidden", got.Forbidden, "AuthorizationError: Authorization failure")
	begins(t, "quota", got.Quota, "QuotaExceededError: Quota for this billing period has been exceeded")
	begins(t, "slow", got.Slow, "TooManyRequestsError: Too many requests")
}

// TestLibreTranslateNPM: the package libretranslate works as it is.
func TestLibreTranslateNPM(t *testing.T) {
	var got struct {
		Text, Auto, HTML, Language string
		Texts                      []string
	}
	s, _ := foreign(t, "libretranslate.mjs", &got)
	de := s.reference("en", english, "one two")
	same(t, "text", got.Text, de[0])
	same(t, "auto", got.Auto, s.reference("de", german)[0])
	same(t, "texts", got.Texts, de)
	checkHTML(t, got.HTML)
	same(t, "language", got.Language, "This language was not found/does not exist.")
}

// TestTranslateNPM: the package translate works as it is.
func TestTranslateNPM(t *testing.T) {
	var got struct{ Text, Other, Language, Forbidden string }
	s, _ := foreign(t, "translate.mjs", &got)
	same(t, "text", got.Text, s.reference("en", english)[0])
	same(t, "other", got.Other, s.reference("de", german)[0])
	same(t, "language", got.Language, "fr is not supported")
	same(t, "forbidden", got.Forbidden, "Invalid API key")
}

// checkHTML fails unless the tags of htmlText are kept around other text.
func checkHTML(t *testing.T, got string) {
	t.Helper()
	if !strings.HasPrefix(got, `<p class="x">`) || !strings.HasSuffix(got, "</p>") || strings.Count(got, "<b>") != 1 || strings.Count(got, "</b>") != 1 || got == htmlText {
		t.Errorf("HTML: %s", got)
	}
}
