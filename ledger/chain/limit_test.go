package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{
		"198.51.100.7:1":          "198.51.100.7/32",
		"[::ffff:198.51.100.7]:1": "198.51.100.7/32",
		"[2001:db8:1:2:3::4]:1":   "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:2":     "2001:db8:1:2::/64",
		"[fe80::1%eth0]:2":        "fe80::/64",
	} {
		if got, err := hostOf(addr); err != nil || got.String() != want {
			t.Errorf("%s is of %s, %v; want %s", addr, got, err, want)
		}
	}
	for _, addr := range []string{"", "@", "198.51.100.7", "host:1", "[::1]"} {
		if got, err := hostOf(addr); err == nil {
			t.Errorf("%q is of %s", addr, got)
		}
	}
}

// One host has its share of the connections, and gets it again when it closes them.
func TestConnectionsOfHosts(t *testing.T) {
	l := newLimiter(nil)
	open := func(host string, want int) {
		t.Helper()
		got := 0
		for i := range 900 {
			if _, ok := l.admit(fmt.Sprintf("%s:%d", host, i+1)); ok {
				got++
			}
		}
		if got != want {
			t.Errorf("%s has %d connections, want %d", host, got, want)
		}
	}
	open("198.51.100.7", maxHostConns)
	open("[2001:db8::1]", maxHostConns)
	open("[2001:db8::2]", 0) // the same network
	for i := range maxConns/maxHostConns - 2 {
		open(fmt.Sprintf("203.0.113.%d", i), maxHostConns)
	}
	open("192.0.2.1", 0) // all are taken
	host, err := hostOf("198.51.100.7:1")
	if err != nil {
		t.Fatal(err)
	}
	l.leave(host)
	open("192.0.2.1", 1)
	open("198.51.100.7", 0)
}

// A host that calls too often waits, and is refused when its calls pile up. Others do
// not notice. Hosts at rest are forgotten.
func TestCallsOfHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(nil)
		var served atomic.Int64
		h := l.handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
		call := func(addr string) int {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status", nil)
			r.RemoteAddr = addr
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		const calls = 10_000
		var refused atomic.Int64
		for range calls {
			go func() {
				if call("198.51.100.7:1") == http.StatusTooManyRequests {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		if got := served.Load(); got != callBurst {
			t.Errorf("%d calls at once, want %d", got, callBurst)
		}
		if code := call("198.51.100.8:1"); code != http.StatusOK {
			t.Errorf("another host gets %d", code)
		}
		time.Sleep(callPatience) // of the bubble's clock
		synctest.Wait()
		const late = callRate * int64(callPatience/time.Second)
		if got := served.Load() - 1; got != callBurst+late || refused.Load() != calls-got {
			t.Errorf("%d calls served and %d refused, want %d served", got, refused.Load(), callBurst+late)
		}

		// As many hosts as the limiter remembers, and one more.
		time.Sleep(time.Minute)
		for i := range sweepHosts {
			call(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256))
		}
		time.Sleep(time.Minute)
		call("10.1.0.1:1")
		if n := len(l.hosts); n > 2 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}

// quickNode starts a node with a height and returns it.
func quickNode(t *testing.T) *Node {
	t.Helper()
	home, _ := initHome(t)
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	waitFor(t, "height", func() bool { return n.State() != nil && n.State().Height() > 1 })
	return n
}

// post sends a body to a node and returns its answer.
func post(t *testing.T, n *Node, body string) (int, []byte) {
	t.Helper()
	res, err := http.Post(n.RPC(), "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// One request is one call: 300 calls in one request are refused, and so is a request
// that is too large.
func TestRequestIsOneCall(t *testing.T) {
	n := quickNode(t)
	const one = `{"jsonrpc":"2.0","id":1,"method":"commit","params":{"height":"1"}}`
	if _, answer := post(t, n, one); !bytes.Contains(answer, []byte(`"signed_header"`)) {
		t.Errorf("one call: %s", answer)
	}
	for _, calls := range []int{2, 300} {
		_, answer := post(t, n, "["+strings.Join(slices.Repeat([]string{one}, calls), ",")+"]")
		if !bytes.Contains(answer, []byte("batch request exceeds maximum")) || len(answer) > 1000 {
			t.Errorf("%d calls in a request: %d bytes %.200s", calls, len(answer), answer)
		}
	}
	if code, answer := post(t, n, strings.Repeat(" ", maxRequest)+one); code != http.StatusBadRequest {
		t.Errorf("large request: %d %.200s", code, answer)
	}
}

// What no light client needs is not served, in particular whole blocks, which a few
// bytes of a request could ask for without end.
func TestRoutes(t *testing.T) {
	n := quickNode(t)
	ask := func(method string) string {
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method})
		if err != nil {
			t.Fatal(err)
		}
		_, answer := post(t, n, string(body))
		return string(answer)
	}
	for _, method := range served {
		if answer := ask(method); strings.Contains(answer, "Method not found") {
			t.Errorf("%s: %s", method, answer)
		}
	}
	for _, method := range []string{
		"block", "block_by_hash", "block_results", "blockchain", "genesis", "genesis_chunked", "header", "net_info", "health", "check_tx",
		"tx", "tx_search", "block_search", "consensus_state", "dump_consensus_state", "unconfirmed_txs", "num_unconfirmed_txs",
		"broadcast_tx_commit", "broadcast_tx_async", "broadcast_evidence", "abci_info", "subscribe", "dial_peers", "unsafe_flush_mempool",
	} {
		if answer := ask(method); !strings.Contains(answer, "Method not found") {
			t.Errorf("%s is served: %.200s", method, answer)
		}
	}
}

// A host that holds 900 connections open does not keep another from an answer.
func TestIdleConnections(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is all of 127.0.0.0/8 this machine")
	}
	n := quickNode(t)
	from := func(ip string) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: 10 * time.Second}
	}
	hog := from("127.0.0.2")
	for range 900 {
		conn, err := hog.DialContext(t.Context(), "tcp", n.rpc.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return from("127.0.0.3").DialContext(ctx, network, addr)
		},
	}}
	defer client.CloseIdleConnections()
	res, err := client.Get(n.RPC() + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("another host is answered %s", res.Status)
	}
	n.rpc.listener.mu.Lock()
	defer n.rpc.listener.mu.Unlock()
	if got := n.rpc.listener.conns; got > maxHostConns+1 {
		t.Errorf("%d connections are open, want at most %d", got, maxHostConns+1)
	}
}
