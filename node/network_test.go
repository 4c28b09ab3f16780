package node_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
)

// TestNetworkFile: a network file reads back, and a mistake in one is told in
// words, with what to do.
func TestNetworkFile(t *testing.T) {
	genesis, err := chain.Init(t.TempDir(), "testnet", ledger.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	good := node.Network{
		Name: "testnet", Genesis: genesis, Ledger: []string{"http://127.0.0.1:26657"},
		Bootstrap: []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"},
	}
	path := filepath.Join(t.TempDir(), "network.json")
	if err := good.Write(path); err != nil {
		t.Fatal(err)
	}
	if n, err := node.ReadNetwork(path); err != nil || n.Net() != good.Net() {
		t.Errorf("read back: %v", err)
	}
	data, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(n *node.Network)) string {
		n := good
		f(&n)
		data, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	text := string(data)
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {" \n", "it is empty"},
		"no JSON":         {"{\n\nhello}", "line 3 is not JSON"},
		"a word":          {"nope", "line 1 is not JSON"},
		"another kind":    {"[1]", "not a JSON object with the keys name, genesis"},
		"cut short":       {text[:len(text)-20], "cut short"},
		"twice":           {text + text, "more text follows"},
		"misspelt key":    {strings.Replace(text, `"ledger"`, `"ledgr"`, 1), `no network file has the key "ledgr"`},
		"wrong kind":      {strings.Replace(text, `["http://127.0.0.1:26657"]`, `"http://127.0.0.1:26657"`, 1), `key "ledger" has a value of the wrong kind`},
		"no base64":       {strings.Replace(text, `"genesis":"`, `"genesis":"!`, 1), "not base64"},
		"no genesis":      {change(func(n *node.Network) { n.Genesis = nil }), "no genesis"},
		"half a genesis":  {change(func(n *node.Network) { n.Genesis = genesis[:len(genesis)/2] }), "genesis is cut short or damaged"},
		"empty genesis":   {change(func(n *node.Network) { n.Genesis = []byte("{}") }), "genesis document"},
		"no ledger":       {change(func(n *node.Network) { n.Ledger = nil }), "names no ledger node"},
		"no bootstrap":    {change(func(n *node.Network) { n.Bootstrap = nil }), "names no node to meet first"},
		"bad ledger":      {change(func(n *node.Network) { n.Ledger = []string{"http://http://127.0.0.1:26657"} }), "want an address such as http"},
		"bootstrap alone": {change(func(n *node.Network) { n.Bootstrap = []string{"/ip4/127.0.0.1/tcp/4001"} }), "want an address such as /ip4"},
	} {
		_, err := node.ParseNetwork([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for _, foreign := range []string{"json:", "unexpected end of JSON", "invalid character", "cannot unmarshal"} {
			if err != nil && strings.Contains(err.Error(), foreign) {
				t.Errorf("%s: %v: these are Go's words", name, err)
			}
		}
	}
}
