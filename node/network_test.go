package node_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
)

// TestNetworkFile: a network file reads back, and a mistake in one is told in
// words, with what to do.
func TestNetworkFile(t *testing.T) {
	good, key := signedNetwork(t)
	genesis := good.Genesis
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
	signed := func(n node.Network) node.Network {
		// The founder signs whatever is in the file: only Check finds the mistake.
		_ = n.Sign(key)
		return n
	}
	change := func(f func(n *node.Network)) string {
		n := good
		f(&n)
		n = signed(n)
		data, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	altered := func(f func(n *node.Network)) string { // after it was signed
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
		"another name":    {change(func(n *node.Network) { n.Name = "tostnet" }), "its name is \"tostnet\", but that of its genesis is \"testnet\""},
		"one peer more":   {change(func(n *node.Network) { n.LedgerPeers = append(n.LedgerPeers, n.LedgerPeers...) }), "2 ledger_peers and 1 ledger addresses"},
		"peer without ID": {change(func(n *node.Network) { n.LedgerPeers = []string{"127.0.0.1:26656"} }), "want ID@host:port"},
		"peer's port 0":   {change(func(n *node.Network) { n.LedgerPeers = []string{peerID + "@127.0.0.1:0"} }), "want ID@host:port"},
		"two hosts":       {change(func(n *node.Network) { n.LedgerPeers = []string{peerID + "@a,b:1"} }), "want ID@host:port"},
		"unsigned":        {altered(func(n *node.Network) { n.Sig = nil }), "it is not signed: get the file again, or have it signed"},
		"no founder":      {altered(func(n *node.Network) { n.Founder = protocol.Account{} }), "a point of small order"},
		"another founder": {foreign(t, good), "is no validator of its genesis"},
		"new ledger":      {altered(func(n *node.Network) { n.Ledger = []string{"http://203.0.113.6:26657"} }), "it was changed after alia1"},
		"new bootstrap":   {altered(func(n *node.Network) { n.Bootstrap = append(n.Bootstrap, n.Bootstrap...) }), "it was changed after alia1"},
		"new peer":        {altered(func(n *node.Network) { n.LedgerPeers = nil }), "it was changed after alia1"},
		"new genesis":     {altered(func(n *node.Network) { n.Genesis = append([]byte(" "), n.Genesis...) }), "it was changed after alia1"},
		"short sig":       {altered(func(n *node.Network) { n.Sig = n.Sig[:63] }), "it was changed after alia1"},
		"large":           {strings.Repeat(" ", 1<<20) + text, "no network file has more than"},
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

const peerID = "0123456789abcdef0123456789abcdef01234567"

// signedNetwork is the file of a new network, and the key that signed it.
func signedNetwork(t *testing.T) (node.Network, ed25519.PrivateKey) {
	t.Helper()
	home := t.TempDir()
	genesis, err := chain.Init(home, "testnet", ledger.LocalParams())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := chain.Keys(home)
	if err != nil {
		t.Fatal(err)
	}
	n := node.Network{
		Name: "testnet", Genesis: genesis, Ledger: []string{"http://127.0.0.1:26657"}, LedgerPeers: []string{peerID + "@127.0.0.1:26656"},
		Bootstrap: []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"},
	}
	if err := n.Sign(keys.Validator); err != nil {
		t.Fatal(err)
	}
	return n, keys.Validator
}

// foreign is a network file with other addresses, signed by somebody else.
func foreign(t *testing.T, n node.Network) string {
	t.Helper()
	n.Ledger = []string{"http://203.0.113.6:26657"}
	if err := n.Sign(key("mallory")); err == nil {
		t.Error("somebody signs another's network")
	}
	data, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFetchNetwork: a link brings the file that its CID names, and nothing else.
func TestFetchNetwork(t *testing.T) {
	good, _ := signedNetwork(t)
	file, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := signedNetwork(t)
	swapped, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	serve := func(path string, data []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.Write(data) })
	}
	serve("/network.json", file)
	serve("/swapped.json", swapped)
	serve("/large.json", bytes.Repeat([]byte(" "), 2<<20))
	mux.HandleFunc("/redirect.json", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/network.json", http.StatusFound) })
	s := httptest.NewServer(mux)
	defer s.Close()
	cid := "|" + node.NetworkCID(file).String()
	if n, err := node.FetchNetwork(t.Context(), s.URL+"/network.json"+cid); err != nil || n.Net() != good.Net() {
		t.Errorf("fetched %v, %v", n.Net(), err)
	}
	for link, want := range map[string]string{
		s.URL + "/network.json":            "the link names no CID",
		s.URL + "/network.json|":           "is not a CID",
		s.URL + "/network.json|nonsense":   "is not a CID",
		s.URL + "/swapped.json" + cid:      "it is another file, or was changed",
		s.URL + "/large.json" + cid:        "more than 1048576 bytes",
		s.URL + "/missing.json" + cid:      "404",
		s.URL + "/redirect.json" + cid:     "redirects to",
		"http://203.0.113.6/n.json" + cid:  "is not taken: give a link with https",
		"http://localhost.example/n" + cid: "is not taken: give a link with https",
		"file:///etc/hostname" + cid:       "is not taken: give a link with https",
		"https://[" + cid:                  "is not a URL",
		"https://127.0.0.1:1/n.json" + cid: "connection refused",
	} {
		if _, err := node.FetchNetwork(t.Context(), link); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", link, err, want)
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	f.Add([]byte(`{"name":"x","genesis":"e30=","bootstrap":[],"ledger":[],"ledger_peers":[],"founder":"alia1","sig":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := node.ParseNetwork(data); err == nil {
			t.Errorf("%s: taken as network %s, though nobody signed it", data, n.Name)
		}
	})
}
