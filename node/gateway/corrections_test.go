package gateway_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol"
)

// suggestions are a memory and a pool of a gateway that takes corrections.
func suggestions(t *testing.T) (*memory.TM, *corrections.Pool) {
	t.Helper()
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	secret := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pool, err := corrections.Open(corrections.Config{Dir: t.TempDir(), Collector: protocol.AccountOf(secret), Key: secret, Memory: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return m, pool
}

// TestCorrections: a suggestion waits, another person approves it, and from then on it is the
// translation. Nobody approves their own.
func TestCorrections(t *testing.T) {
	m, pool := suggestions(t)
	file, key := withKey(t, gateway.APIKey{})
	second, _, err := gateway.AddKey(file, gateway.APIKey{Name: "second"})
	if err != nil {
		t.Fatal(err)
	}
	author, other := []string{"Authorization", "Bearer " + strings.TrimPrefix(key[1], "DeepL-Auth-Key ")}, []string{"Authorization", "Bearer " + second}
	s := start(t, gateway.Config{Keys: file, Memory: m, Corrections: pool, SuggestLicence: "CC0-1.0"})
	const text = "The invoice is due today."
	ask := func() answer {
		return s.post("/translate", `{"q":`+quoted(text)+`,"source":"en","target":"de"}`, author...)
	}
	ask().want(t, 200, "")
	s.get("/frontend/settings").want(t, 200, `"suggestions":true`)
	suggestion := `{"q":` + quoted(text) + `,"s":"Die Rechnung ist heute fällig.","source":"en","target":"de"}`
	s.post("/suggest", suggestion).want(t, 400, "key")
	s.post("/suggest", `{"q":"x","source":"en","target":"de"}`, author...).want(t, 400, "s parameter")
	s.post("/suggest", suggestion, author...).want(t, 200, `{"success":true}`)
	s.post("/suggest", suggestion, author...).want(t, 409, "known")
	list := s.get("/api/corrections?state=proposed", author...)
	list.want(t, 200, `"licence":"CC0-1.0"`)
	list.want(t, 200, `"how":"greedy, binary32`) // it corrects what the model gave
	id := list.json(t)["corrections"].([]any)[0].(map[string]any)["id"].(string)
	s.get("/api/corrections").want(t, 401, "key")
	s.get("/api/corrections?state=x", author...).want(t, 400, "proposed, approved and rejected")
	s.get("/api/corrections?from=-1", author...).want(t, 400, "from")
	s.post("/api/corrections", `{"from":"en","to":"de","source":"Good morning.","human":"Guten Morgen.","licence":"mine"}`, author...).want(t, 400, "licence")
	s.post("/api/corrections/"+id+"/approve", `{"approve":true}`, author...).want(t, 403, "of their own")
	s.post("/api/corrections/bafy/approve", `{"approve":true}`, other...).want(t, 404, "no such correction")
	s.post("/api/corrections/"+id+"/approve", `{"approve":true}`, other...).want(t, 200, `"state":"approved"`)
	ask().want(t, 200, "Die Rechnung ist heute fällig.")

	// The owner of the gateway has no key, and votes with its token.
	owned := start(t, gateway.Config{Keys: file, Memory: m, Corrections: pool, SuggestLicence: "CC0-1.0", Token: "steer-me"})
	a := owned.post("/api/corrections", `{"from":"en","to":"de","source":"Good night.","human":"Gute Nacht.","licence":"CC-BY-4.0"}`, author...)
	a.want(t, 201, `"state":"proposed"`)
	id = a.json(t)["id"].(string)
	owned.post("/api/corrections/"+id+"/approve", `{"approve":false,"reason":"no"}`, "Authorization", "Bearer steer-you").want(t, 403, "Invalid API key")
	owned.post("/api/corrections/"+id+"/approve", `{"approve":false}`, "Authorization", "Bearer steer-me").want(t, 400, "a rejection without a reason")
	owned.post("/api/corrections/"+id+"/approve", `{"approve":false,"reason":"no"}`, "Authorization", "Bearer steer-me").want(t, 200, `"state":"rejected"`)
	s.post("/api/corrections/"+id+"/approve", `{"approve":true}`, "Authorization", "Bearer ").want(t, 401, "key") // a gateway without a token gives nobody's vote

	off := start(t, gateway.Config{})
	off.get("/frontend/settings").want(t, 200, `"suggestions":false`)
	off.post("/suggest", suggestion).want(t, 403, "Suggestions are disabled")
	off.get("/api/corrections").want(t, 403, "disabled")
}

// TestJobSegments: the texts of a job are listed beside what they were translated to, and what
// is listed can be corrected.
func TestJobSegments(t *testing.T) {
	m, pool := suggestions(t)
	s := start(t, gateway.Config{Memory: m, Corrections: pool, SuggestLicence: "CC0-1.0"})
	var lines []string
	for i := range 25 {
		lines = append(lines, "one "+strings.Repeat("two ", i)+"three\n42")
	}
	job := s.file("/api/jobs", "letter.txt", []byte(strings.Join(lines, "\n\n")), map[string]string{"from": "en", "to": "de"}).json(t)["id"].(string)
	s.events(job, func(map[string]any) {})
	path := "/api/jobs/" + job + "/segments"
	first, rest := s.get(path).json(t), s.get(path+"?from=20").json(t)
	if first["all"] != float64(25) || len(first["segments"].([]any)) != 20 || len(rest["segments"].([]any)) != 5 || first["from"] != "en" || first["to"] != "de" {
		t.Fatalf("%v, and from 20 on %v", first, rest)
	}
	if found := s.get(path + "?find=" + strings.Repeat("TWO+", 24)).json(t); found["all"] != float64(1) {
		t.Errorf("found %v", found)
	}
	one := first["segments"].([]any)[0].(map[string]any)
	body := `{"from":"en","to":"de","human":"eins drei","licence":"CC0-1.0"`
	for _, name := range []string{"source", "machine", "model", "how"} {
		body += `,"` + name + `":` + quoted(one[name].(string))
	}
	// The model has learnt nothing, and its bytes are no text: a record cannot quote them.
	if !strings.ContainsRune(one["machine"].(string), '\uFFFD') {
		t.Errorf("the machine said %q", one["machine"])
	}
	a := s.post("/api/corrections", body+"}")
	a.want(t, 201, `"state"`)
	if _, err := pool.Decide(t.Context(), a.json(t)["id"].(string), corrections.Opinion{Approve: true, Owner: true}, ""); err != nil {
		t.Fatal(err)
	}
	if one = s.get(path).json(t)["segments"].([]any)[0].(map[string]any); one["machine"] != "eins drei" || one["model"] != nil {
		t.Errorf("after its approval the segment is %v", one)
	}
	s.get("/api/corrections").want(t, 200, `"licences":["CC-BY-4.0"`)
	s.get("/api/status").want(t, 200, `"suggest_licence":"CC0-1.0"`)
	s.get(path+"?from=x").want(t, 400, "from")
	s.get("/api/jobs/nothing/segments").want(t, 404, "no such job")
	start(t, gateway.Config{}).get(path).want(t, 403, "disabled")
}
