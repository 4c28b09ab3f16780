package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// TestNetwork: in front of a network, miners translate and are paid, a job has a receipt,
// and a key spends no more than its amount.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: `go test ./node/gateway` founds a network")
	}
	ctx := context.Background()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.Mine("miner"); err != nil {
		t.Fatal(err)
	}
	dir, err := n.Customer(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e := &engine.Network{Client: c, Named: []block.Link{n.Model}}

	// What a text costs at most, for the key's month to have room for one such text.
	j, err := e.Start(ctx, engine.Request{Texts: []string{english}, Model: n.Model, Decoding: unit.Greedy, Budget: protocol.Coin / 2, Price: client.DefaultPrice})
	if err != nil {
		t.Fatal(err)
	}
	most := j.Quote().Amount
	if err := j.Close(); err != nil || most == 0 {
		t.Fatalf("a quote of %d, %v", most, err)
	}
	file, key := withKey(t, gateway.APIKey{Name: "poor", Amount: most})
	rich, _, err := gateway.AddKey(file, gateway.APIKey{Name: "rich"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := memory.Open(t.TempDir(), memory.DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	shelf := proof.Shelf{Dir: home.Dir(dir).Receipts(), Network: n.File}
	s := start(t, gateway.Config{Engine: e, Keys: file, Memory: m, Receipts: shelf, Budget: protocol.Coin / 2, Price: client.DefaultPrice})

	bearer := []string{"Authorization", "Bearer " + rich}
	made := s.file("/api/jobs", "letter.txt", []byte(english), map[string]string{"from": "en", "to": "de"}, bearer...)
	made.want(t, 201, "")
	id := made.json(t)["id"].(string)
	s.events(id, func(map[string]any) {})
	done := s.get("/api/jobs/" + id)
	done.want(t, 200, `"status":"done"`)
	if cost := done.json(t)["cost"].(float64); cost == 0 || cost > float64(most) {
		t.Errorf("cost %v, at most %d", cost, most)
	}
	receipt := s.get("/api/jobs/" + id + "/receipt")
	receipt.want(t, 200, "")
	result := s.get("/api/jobs/" + id + "/result").body
	verdict := func(in, out string) answer {
		return s.file("/api/verify", "", nil, map[string]string{"receipt": string(receipt.body), "document": in, "translation": out}, bearer...)
	}
	good := verdict(english, string(result))
	good.want(t, 200, `"good":true`)
	if v := good.json(t); v["paid"].(float64) == 0 || v["bought"].(float64) != 1 || v["others"].(float64) != 0 {
		t.Errorf("receipt: %s", good.body)
	}
	verdict(english, string(result)+" ").want(t, 200, `"good":false`)
	verdict(english+" ", string(result)).want(t, 200, `"good":false`)
	s.file("/api/verify", "", nil, map[string]string{"receipt": "x"}, bearer...).want(t, 200, `"good":false`)
	s.file("/api/verify", "", nil, map[string]string{"receipt": "x"}).want(t, 401, "key")
	s.file("/api/verify", "", nil, map[string]string{"document": "x"}, bearer...).want(t, 400, "give the receipt as receipt")
	s.file("/api/verify", "", nil, map[string]string{"recipe": "x"}, bearer...).want(t, 400, "no part of this form")
	text := s.post("/translate", `{"q":`+quoted(english)+`,"source":"en","target":"de"}`, bearer...)
	text.want(t, 200, "translatedText")
	if got := text.json(t)["translatedText"].(string); strings.TrimSpace(got) != string(s.get("/api/jobs/"+id+"/result").body) {
		t.Errorf("the text %q is not that of the document", got)
	}

	s.post("/v2/translate", `{"text":["one two"],"source_lang":"EN","target_lang":"DE"}`, key[:]...).want(t, 200, "translations")
	s.post("/v2/translate", `{"text":[`+quoted(english+" "+english+" "+english)+`],"source_lang":"EN","target_lang":"DE"}`, key[:]...).want(t, 456, "Quota for this billing period")
	s.get("/metrics").want(t, 200, "alia_gateway_jobs_running 0")
	s.stop()
	s = start(t, gateway.Config{Engine: e, Keys: file, Dir: s.config.Dir, Budget: most / 2, Price: client.DefaultPrice})
	s.post("/translate", `{"q":`+quoted(english)+`,"source":"en","target":"de"}`, bearer...).want(t, 413, "more than this gateway pays for one")
	s.stop()
	s = start(t, gateway.Config{Engine: pauper(t, n), Keys: file, Dir: s.config.Dir, Budget: protocol.Coin / 2, Price: client.DefaultPrice})
	s.post("/translate", `{"q":`+quoted(english)+`,"source":"en","target":"de"}`, bearer...).want(t, 503, "this gateway has too little ALIA")
	id = s.file("/api/jobs", "letter.txt", []byte(english), map[string]string{"from": "en", "to": "de"}, bearer...).json(t)["id"].(string)
	s.events(id, func(map[string]any) {})
	s.get("/api/jobs/"+id).want(t, 200, `"error":"this gateway has too little ALIA`)
}

// pauper is the engine of a home whose account has nothing.
func pauper(t *testing.T, n *testnet.Cluster) engine.Engine {
	t.Helper()
	dir := home.Dir(t.TempDir())
	if _, err := dir.Key(); err != nil {
		t.Fatal(err)
	}
	if err := n.File.Write(dir.Network()); err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &engine.Network{Client: c, Named: []block.Link{n.Model}}
}
