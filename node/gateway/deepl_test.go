package gateway_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/memory"
)

// withKey makes a file of keys with one key, and gives the key as DeepL's clients send it.
func withKey(t testing.TB, k gateway.APIKey) (file string, header [2]string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "keys.json")
	if k.Name == "" {
		k.Name = "test"
	}
	secret, _, err := gateway.AddKey(file, k)
	if err != nil {
		t.Fatal(err)
	}
	return file, [2]string{"Authorization", "DeepL-Auth-Key " + secret}
}

// TestDeepLText: the requests that DeepL documents, with its answers.
func TestDeepLText(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{})
	s := start(t, gateway.Config{Keys: file})
	de := s.reference("en", english, "one two")
	en := s.reference("de", german)
	for _, c := range []struct{ name, body, want string }{
		{"text", `{"text":[` + quoted(english) + `],"source_lang":"EN","target_lang":"DE"}`, `{"translations":[{"detected_source_language":"EN","text":` + quoted(de[0]) + `}]}`},
		{"several, in two languages", `{"text":[` + quoted(english) + `,` + quoted("one two") + `],"target_lang":"de"}`,
			`[{"detected_source_language":"EN","text":` + quoted(de[0]) + `},{"detected_source_language":"EN","text":` + quoted(de[1]) + `}]`},
		{"variant", `{"text":[` + quoted(german) + `],"target_lang":"EN-GB","show_billed_characters":true}`,
			`{"detected_source_language":"DE","text":` + quoted(en[0]) + `,"billed_characters":` + fmt.Sprint(len([]rune(german))) + `}`},
		{"options", `{"text":["one two"],"source_lang":"EN","target_lang":"DE","formality":"prefer_more","split_sentences":"nonewlines","preserve_formatting":true,"context":"a letter","model_type":"quality_optimized"}`,
			`"text":` + quoted(de[1]) + `,"model_type_used":"quality_optimized"`},
		{"empty and no words", `{"text":["","42"],"target_lang":"DE"}`, `[{"detected_source_language":"EN","text":""},{"detected_source_language":"EN","text":"42"}]`},
	} {
		t.Run(c.name, func(t *testing.T) { s.post("/v2/translate", c.body, key[:]...).want(t, 200, c.want) })
	}
	s.form("/v2/translate", url.Values{"text": {english, "one two"}, "source_lang": {"EN"}, "target_lang": {"DE"}, "show_billed_characters": {"1"}}, key[:]...).want(t, 200, quoted(de[0]))
	s.get("/v2/languages", key[:]...).want(t, 200, `[{"language":"DE","name":"German"},{"language":"EN","name":"English"}]`)
	s.get("/v2/languages?type=target", key[:]...).want(t, 200, `[{"language":"DE","name":"German","supports_formality":false},{"language":"EN-GB","name":"British English","supports_formality":false},{"language":"EN-US","name":"American English","supports_formality":false}]`)
	s.get("/v2/glossary-language-pairs", key[:]...).want(t, 200, `{"source_lang":"en","target_lang":"de"}`)
}

// TestDeepLErrors: what is wrong has DeepL's code and form of an error.
func TestDeepLErrors(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{})
	s := start(t, gateway.Config{Keys: file})
	for _, c := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"no text", `{"target_lang":"DE"}`, 400, `{"message":"Parameter 'text' not specified."}`},
		{"no target", `{"text":["a"]}`, 400, `{"message":"Parameter 'target_lang' not specified."}`},
		{"unknown target", `{"text":["a"],"target_lang":"XX"}`, 400, `{"message":"Value for 'target_lang' not supported."}`},
		{"unknown source", `{"text":["a"],"source_lang":"XX","target_lang":"DE"}`, 400, `{"message":"Value for 'source_lang' not supported."}`},
		{"text is a number", `{"text":5,"target_lang":"DE"}`, 400, `{"message":`},
		{"text of numbers", `{"text":[5],"target_lang":"DE"}`, 400, `{"message":`},
		{"formality", `{"text":["a"],"target_lang":"DE","formality":"less"}`, 400, "'formality' is not supported for given 'target_lang'."},
		{"another formality", `{"text":["a"],"target_lang":"DE","formality":"rude"}`, 400, "Value for 'formality' not supported."},
		{"tags", `{"text":["a"],"target_lang":"DE","tag_handling":"json"}`, 400, "Value for 'tag_handling' not supported."},
		{"flag", `{"text":["a"],"target_lang":"DE","show_billed_characters":"maybe"}`, 400, "Value for 'show_billed_characters' not supported"},
		{"style", `{"text":["a"],"target_lang":"DE","style_id":"x"}`, 400, "Parameter 'style_id' is not supported"},
		{"glossary without source", `{"text":["a"],"target_lang":"DE","glossary_id":"x"}`, 400, "'source_lang' must be specified"},
		{"no such glossary", `{"text":["a"],"source_lang":"EN","target_lang":"DE","glossary_id":"x"}`, 404, `{"message":"Glossary not found"}`},
		{"too many texts", `{"text":[` + strings.Repeat(`"a",`, 50) + `"a"],"target_lang":"DE"}`, 400, "Too many texts"},
		{"too large", `{"text":["` + strings.Repeat("a", 130<<10) + `"],"target_lang":"DE"}`, 413, `{"message":`},
		{"cut JSON", `{"text":`, 400, `{"message":"Invalid JSON format`},
	} {
		t.Run(c.name, func(t *testing.T) { s.post("/v2/translate", c.body, key[:]...).want(t, c.status, c.text) })
	}
	body := `{"text":["one"],"target_lang":"DE"}`
	const forbidden = `{"message":"Authorization failed. Please supply a valid DeepL-Auth-Key via the Authorization header."}`
	s.post("/v2/translate", body).want(t, 403, forbidden)
	s.post("/v2/translate", body, "Authorization", "DeepL-Auth-Key wrong").want(t, 403, forbidden)
	s.get("/v2/usage").want(t, 403, forbidden)
	s.get("/v2/languages?type=both", key[:]...).want(t, 400, "Value for 'type' not supported.")
	s.get("/v2/nothing", key[:]...).want(t, 404, `{"message":"Not found"}`)
	s.get("/v2/translate", key[:]...).want(t, 405, `{"message":`)
}

// TestDeepLDocument: a document goes up, is watched, and comes down once.
func TestDeepLDocument(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{})
	s := start(t, gateway.Config{Keys: file})
	up := s.file("/v2/document", "letter.txt", []byte(english), map[string]string{"target_lang": "DE", "source_lang": "EN"}, key[:]...)
	up.want(t, 200, "document_key")
	id, secret := up.json(t)["document_id"].(string), up.json(t)["document_key"].(string)
	k := url.Values{"document_key": {secret}}
	status := func() answer { return s.form("/v2/document/"+id, k, key[:]...) }
	for range 20 {
		if status().json(t)["status"] == "done" {
			break
		}
	}
	status().want(t, 200, fmt.Sprintf(`"billed_characters":%d`, len(english)))
	wrong := url.Values{"document_key": {strings.Repeat("0", 64)}}
	s.form("/v2/document/"+id, wrong, key[:]...).want(t, 404, `{"message":"Document not found"}`)
	s.form("/v2/document/"+id+"/result", wrong, key[:]...).want(t, 404, `{"message":"Document not found"}`)
	s.form("/v2/document/"+id, nil, key[:]...).want(t, 400, "Parameter 'document_key' not specified.")
	s.form("/v2/document/"+id, k).want(t, 403, "Authorization failed")
	s.get("/api/jobs/"+strings.ToLower(id)).want(t, 404, "no such job")
	s.form("/v2/document/"+id+"/result", k, key[:]...).want(t, 200, strings.TrimSpace(s.reference("en", english)[0]))
	s.form("/v2/document/"+id+"/result", k, key[:]...).want(t, 503, `{"message":"Document already downloaded"}`)

	for _, c := range []struct {
		name, data string
		values     map[string]string
		text       string
	}{
		{"a.pdf", "%PDF-1.7", map[string]string{"target_lang": "DE"}, "file format not supported"},
		{"a.txt", "one", map[string]string{}, "Parameter 'target_lang' not specified."},
		{"", "", map[string]string{"target_lang": "DE"}, "Parameter 'file' not specified."},
		{"a.txt", "one", map[string]string{"target_lang": "XX"}, "Value for 'target_lang' not supported."},
		{"a.txt", "one", map[string]string{"target_lang": "DE", "output_format": "pdf"}, "'output_format' not supported"},
		{"a.txt", "one", map[string]string{"target_lang": "DE", "formality": "more"}, "'formality' is not supported"},
	} {
		s.file("/v2/document", c.name, []byte(c.data), c.values, key[:]...).want(t, 400, c.text)
	}
}

// TestGlossaries: glossaries are made, listed, read and deleted, and survive a restart.
// Each key has its own.
func TestGlossaries(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{})
	secret, _, err := gateway.AddKey(file, gateway.APIKey{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	other := [2]string{"Authorization", "DeepL-Auth-Key " + secret}
	c := gateway.Config{Keys: file, Dir: t.TempDir(), Engine: localEngine(t, "en-de")}
	s := start(t, c)
	made := s.form("/v2/glossaries", url.Values{"name": {"Mine"}, "source_lang": {"EN"}, "target_lang": {"DE"}, "entries": {"house\tHaus\nstreet\tStraße"}, "entries_format": {"tsv"}}, key[:]...)
	made.want(t, 201, `"name":"Mine","ready":true,"source_lang":"en","target_lang":"de"`)
	id := made.json(t)["glossary_id"].(string)
	s.post("/v2/glossaries", `{"name":"Yours","source_lang":"en","target_lang":"de","entries":"\"a, b\",\"c \"\"d\"\"\"\r\ne,f,en,de\n","entries_format":"csv"}`, other[:]...).want(t, 201, `"entry_count":2`)
	s.stop()
	s = start(t, c)
	path := "/v2/glossaries/" + id
	s.get("/v2/glossaries", key[:]...).want(t, 200, `"glossary_id":"`+id+`"`)
	if list := s.get("/v2/glossaries", key[:]...); strings.Contains(string(list.body), "Yours") {
		t.Errorf("a key sees the glossary of another: %s", list.body)
	}
	s.get(path, key[:]...).want(t, 200, `"entry_count":2`)
	s.get(path+"/entries", append(key[:], "Accept", "text/tab-separated-values")...).want(t, 200, "house\tHaus\nstreet\tStraße")
	s.get(path+"/entries", append(key[:], "Accept", "application/json")...).want(t, 415, `{"message":`)
	for _, header := range [][]string{other[:], nil} {
		want := 404
		if header == nil {
			want = 403
		}
		s.get(path, header...).want(t, want, `{"message":`)
		s.send("DELETE", path, "", "", header...).want(t, want, `{"message":`)
	}
	s.send("DELETE", path, "", "", key[:]...).want(t, 204, "")
	s.get(path, key[:]...).want(t, 404, `{"message":"Glossary not found"}`)
	s.get(path+"/entries", key[:]...).want(t, 404, `{"message":"Glossary not found"}`)

	for name, c := range map[string]struct{ entries, format, detail string }{
		"duplicate":  {"a\tb\na\tc", "tsv", "duplicates key with the index 0"},
		"one column": {"a", "tsv", "has 1 columns"},
		"empty side": {"a\t ", "tsv", "is empty on one side"},
		"none":       {"", "tsv", "There are no entries"},
		"control":    {"a\tb\x01", "tsv", "control character"},
		"quote":      {`"a`, "csv", "parse error"},
		"format":     {"a\tb", "xml", "Value for 'entries_format' not supported."},
		"long":       {"a\t" + strings.Repeat("b", 1025), "tsv", "longer than 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s.form("/v2/glossaries", url.Values{"name": {"x"}, "source_lang": {"en"}, "target_lang": {"de"}, "entries": {c.entries}, "entries_format": {c.format}}, key[:]...).want(t, 400, c.detail)
		})
	}
	s.form("/v2/glossaries", url.Values{"name": {"x"}, "source_lang": {"en"}, "target_lang": {"fr"}, "entries": {"a\tb"}}, key[:]...).want(t, 400, "Unsupported glossary source and target language pair")
	s.form("/v2/glossaries", url.Values{"source_lang": {"en"}, "target_lang": {"de"}, "entries": {"a\tb"}}, key[:]...).want(t, 400, "Parameter 'name' not specified.")
}

// TestGlossaryUse: a translation with a glossary has its terms, in texts and documents, and
// does not change what the memory has without it.
func TestGlossaryUse(t *testing.T) {
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	file, key := withKey(t, gateway.APIKey{})
	s := start(t, gateway.Config{Keys: file, Memory: m})
	make := func(from, to, entries string) string {
		made := s.form("/v2/glossaries", url.Values{"name": {"x"}, "source_lang": {from}, "target_lang": {to}, "entries": {entries}}, key[:]...)
		made.want(t, 201, "")
		return made.json(t)["glossary_id"].(string)
	}
	id, more := make("en", "de", "two\tvier eins\nfive\t"+strings.Repeat("xqz", 30)), make("en", "de", "one\tvier eins\ntwo\tzwei\nfour\tdrei drei")
	ask := func(text, with string) answer {
		return s.post("/v2/translate", `{"text":[`+quoted(text)+`],"source_lang":"EN","target_lang":"DE"`+with+`}`, key[:]...)
	}
	one, both := `,"glossary_id":"`+id+`"`, `,"glossary_ids":["`+id+`","`+more+`"]`
	plain := ask("one two", "")
	if plain.want(t, 200, ""); strings.Contains(string(plain.body), "vier eins") {
		t.Fatalf("without a glossary: %s", plain.body)
	}
	ask("one two", one).want(t, 200, "vier eins")
	ask("one two", one).want(t, 200, "vier eins") // from the memory
	if again := ask("one two", ""); string(again.body) != string(plain.body) {
		t.Errorf("without a glossary once more: %s", again.body)
	}
	ask("one two four", both).want(t, 200, "drei drei")
	ask("one two four", both).want(t, 200, "vier eins")
	ask("five", one).want(t, 400, `the terms up to \"xqzxqz`)
	ask("a", `,"glossary_id":"`+make("de", "en", "a\tb")+`"`).want(t, 400, "source_lang and target_lang must match glossary")

	document := func(text string) (id string, k url.Values) {
		made := s.file("/v2/document", "a.txt", []byte(text), map[string]string{"source_lang": "EN", "target_lang": "DE", "glossary_id": more}, key[:]...)
		made.want(t, 200, "")
		return made.json(t)["document_id"].(string), url.Values{"document_key": {made.json(t)["document_key"].(string)}}
	}
	doc, k := document("one two three")
	s.send("DELETE", "/v2/glossaries/"+more, "", "", key[:]...).want(t, 204, "") // the document has its terms
	for s.form("/v2/document/"+doc, k, key[:]...).json(t)["status"] != "done" {
	}
	s.form("/v2/document/"+doc+"/result", k, key[:]...).want(t, 200, "vier eins")
}

// TestUsage: characters are counted, are refused beyond the month's, and come again with
// the next month. The count survives a restart.
func TestUsage(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)}
	file, key := withKey(t, gateway.APIKey{Characters: 20})
	c := gateway.Config{Keys: file, Dir: t.TempDir(), Engine: localEngine(t, "en-de"), Now: now.Now}
	s := start(t, c)
	body := `{"text":["one two"],"source_lang":"EN","target_lang":"DE"}`
	s.post("/v2/translate", body, key[:]...).want(t, 200, "")
	s.post("/v2/translate", body, key[:]...).want(t, 200, "")
	s.get("/v2/usage", key[:]...).want(t, 200, `{"character_count":14,"character_limit":20}`)
	s.stop()
	s = start(t, c)
	full := s.post("/v2/translate", body, key[:]...)
	full.want(t, 456, `{"message":"Quota for this billing period has been exceeded`)
	if after := full.header.Get("Retry-After"); after != "3600" {
		t.Errorf("Retry-After %q, want the hour until the next month", after)
	}
	libre := `{"q":"one two","source":"en","target":"de","api_key":"` + strings.TrimPrefix(key[1], "DeepL-Auth-Key ") + `"}`
	s.post("/translate", libre).want(t, 429, `{"error":"Slowdown: Quota`)
	s.file("/v2/document", "a.txt", []byte(english), map[string]string{"target_lang": "DE"}, key[:]...).want(t, 456, "Quota")
	s.get("/v2/usage", key[:]...).want(t, 200, `"character_count":14`)
	now.add(2 * time.Hour)
	s.post("/translate", libre).want(t, 200, "translatedText")
	s.get("/v2/usage", key[:]...).want(t, 200, `{"character_count":7,"character_limit":20}`)
}
