package light_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// settleOne settles one unit and returns it.
func (w *world) settleOne() block.Link {
	w.Helper()
	w.approve(w.client.Sender(key("coordinator")), link("run"), 1000)
	settle := w.entries(key("miner"), key("coordinator"), link("run"), 0, 1, 1000)
	w.send(w.client.Sender(key("relay")), settle)
	return settle.Entries[0].Attestation.Unit
}

func TestProveUnit(t *testing.T) {
	w := newWorld(t)
	unit := w.settleOne()
	if _, _, err := w.client.ProveUnit(w.ctx, link("other")); !errors.Is(err, light.ErrUnsettled) {
		t.Errorf("proof of an unsettled unit: %v", err)
	}
	settlement, proof, err := w.client.ProveUnit(w.ctx, unit)
	w.check(err)
	t.Logf("proof of %d bytes", len(proof))
	s, err := light.VerifyProof(w.genesis, proof, unit)
	w.check(err)
	if s != settlement || s.Unit != unit || s.Miner != protocol.AccountOf(key("miner")) || s.Paid == 0 {
		t.Errorf("proof shows %+v", s)
	}
	if _, err := light.VerifyProof(w.genesis, proof, link("other")); err == nil {
		t.Error("the proof shows another unit too")
	}
	other, err := chain.Init(t.TempDir(), "test-village", ledger.DefaultParams())
	w.check(err)
	if _, err := light.VerifyProof(other, proof, unit); !errors.Is(err, light.ErrProof) {
		t.Errorf("another network's genesis: %v, want ErrProof", err)
	}
	// Whatever bit is changed, the proof fails or shows the same.
	for i := range proof {
		bad := bytes.Clone(proof)
		bad[i] ^= 1 << (i % 8)
		if got, err := light.VerifyProof(w.genesis, bad, unit); err == nil && got != s {
			t.Fatalf("byte %d changed: shows %+v", i, got)
		}
	}
}

// liar stands before a ledger node and changes answers.
func liar(t *testing.T, node string, lie func(method string, answer []byte) []byte) string {
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var call struct{ Method string }
		json.Unmarshal(body, &call)
		res, err := http.Post(target.String(), "application/json", bytes.NewReader(body))
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		rw.Write(lie(call.Method, answer))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestLiesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.settleOne()
	miner := protocol.AccountOf(key("miner"))
	replace := func(in, field string, with func(string) string) func(string, []byte) []byte {
		return func(method string, answer []byte) []byte {
			if method != in {
				return answer
			}
			mark := []byte(`"` + field + `":"`)
			i := bytes.Index(answer, mark)
			if i < 0 {
				return answer
			}
			start := i + len(mark)
			end := start + bytes.IndexByte(answer[start:], '"')
			return []byte(string(answer[:start]) + with(string(answer[start:end])) + string(answer[end:]))
		}
	}
	flip := func(s string) string { return strings.Map(func(r rune) rune { return r ^ 1 }, s[:1]) + s[1:] }
	for name, lie := range map[string]func(string, []byte) []byte{
		"proof":     replace("abci_query", "data", func(s string) string { return "ggBB" + s[4:] }),
		"no proof":  replace("abci_query", "type", func(string) string { return "" }),
		"height":    replace("abci_query", "height", func(string) string { return "1" }),
		"app hash":  replace("commit", "app_hash", flip),
		"signature": replace("commit", "signature", func(s string) string { return "AAAA" + s[4:] }),
		"header":    replace("commit", "validators_hash", flip),
		"garbage":   func(string, []byte) []byte { return []byte("{}") },
		"endless":   func(string, []byte) []byte { return bytes.Repeat([]byte(" "), 9<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			url := liar(t, "http://"+w.addr, lie)
			c, err := light.Dial(w.ctx, light.Config{Addrs: []string{url}, Genesis: w.genesis})
			if err != nil {
				return // found out at once
			}
			if a, err := c.Account(w.ctx, miner); name != "no proof" && err == nil {
				t.Errorf("believes %+v", a)
			}
			// With an honest node beside it, the liar does not matter.
			c, err = light.Dial(w.ctx, light.Config{Addrs: []string{url, "http://" + w.addr}, Genesis: w.genesis})
			if err != nil {
				t.Fatal(err)
			}
			if a, err := c.Account(w.ctx, miner); err != nil || a.Balance == 0 {
				t.Errorf("beside an honest node: %+v, %v", a, err)
			}
		})
	}
}

func TestAnotherNetwork(t *testing.T) {
	w := newWorld(t)
	other, err := chain.Init(t.TempDir(), "test-village", ledger.DefaultParams())
	w.check(err)
	w.until("a height", func() bool {
		_, err := w.client.Head(w.ctx)
		return err == nil
	})
	if _, err := light.Dial(w.ctx, light.Config{Addrs: []string{"http://" + w.addr}, Genesis: other}); !errors.Is(err, light.ErrProof) {
		t.Errorf("dial with another genesis: %v, want ErrProof", err)
	}
	tx, err := ledger.Sign(key("alice"), chain.Net(other), ledger.Tx{
		Nonce: 1, ExpHeight: 100, Body: ledger.RunPropose{Run: link("run"), Budget: 1},
	})
	w.check(err)
	if err := w.client.Submit(w.ctx, tx); !errors.Is(err, ledger.WrongNetwork) {
		t.Errorf("another network's transaction: %v, want WrongNetwork", err)
	}
	if err := w.client.Submit(w.ctx, []byte("nonsense")); !errors.Is(err, ledger.Malformed) {
		t.Errorf("nonsense: %v, want Malformed", err)
	}
}

// The ledger goes away and comes back; the client does not mind.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	unit := w.settleOne()
	before, _ := w.unit(unit)
	w.check(w.node.Close())
	relay := w.client.Sender(key("relay"))
	if _, _, err := w.client.Unit(w.ctx, unit); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("read while it is down: %v, want ErrUnreachable", err)
	}
	settle := w.entries(key("miner"), key("coordinator"), link("run"), 0, 1, 1000)
	if _, err := relay.Send(w.ctx, settle); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("send while it is down: %v, want ErrUnreachable", err)
	}
	late, err := light.Dial(w.ctx, light.Config{Addrs: []string{"http://" + w.addr}, Genesis: w.genesis})
	if err != nil {
		t.Errorf("dial while it is down: %v", err)
	}
	w.start()
	start := time.Now()
	for _, c := range []*light.Client{w.client, late} {
		after, ok, err := c.Unit(w.ctx, unit)
		if err != nil || !ok || after != before {
			t.Errorf("after the restart: %+v, %v, %v; was %+v", after, ok, err, before)
		}
	}
	t.Logf("first proven read %v after the restart", time.Since(start))
	if _, err := relay.Send(w.ctx, settle); !errors.Is(err, ledger.Already) {
		t.Errorf("settled again after the restart: %v, want Already", err)
	}
	w.checkBooks()
}

// At every height the listing, which is not proven, agrees with the supply,
// which is.
func TestSupplyAtEveryHeight(t *testing.T) {
	w := newWorld(t)
	coordinator, relay, customer := w.client.Sender(key("coordinator")), w.client.Sender(key("relay")), w.client.Sender(key("customer"))
	run, job := link("run"), link("job")
	w.approve(coordinator, run, 1<<30)
	w.send(relay, w.entries(key("customer"), key("coordinator"), run, 0, 8, 1_000_000))
	w.send(customer, ledger.EscrowOpen{Job: job, Amount: protocol.Coin, Price: 1 << 20, Deadline: 1000})
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i <= 10 && ctx.Err() == nil; i++ {
			settle := w.entries(key("miner"), key("customer"), job, 1000*i, 4, 1000)
			settle.Entries = append(settle.Entries, w.entries(key("miner"), key("coordinator"), run, 2000*i, 4, 1000).Entries...)
			if _, err := relay.Send(ctx, settle); err != nil {
				t.Error(err)
			}
			if _, err := customer.Send(ctx, ledger.Transfer{To: protocol.AccountOf(key("friend")), Amount: uint64(i)}); err != nil {
				t.Error(err)
			}
		}
	}()
	defer func() { cancel(); <-done }()
	heights := map[uint64]bool{}
	w.until("ten heights", func() bool {
		list, err := w.client.Accounts(w.ctx)
		w.check(err)
		supply, height, err := w.client.Supply(w.ctx)
		w.check(err)
		if height == list.Height && supply != list.Supply {
			t.Errorf("height %d: proven supply %+v, listed %+v", height, supply, list.Supply)
		}
		heights[height] = true
		w.checkBooks()
		return len(heights) >= 10
	})
	<-done
	if e, ok, err := w.client.Escrow(w.ctx, job, customer.Account()); err != nil || !ok || e.Opened != e.Left+e.Released+e.Burned {
		t.Errorf("escrow %+v, %v, %v", e, ok, err)
	}
	totals, err := w.node.State().Audit()
	w.check(err)
	if totals.Supply.Pool == 0 || totals.Supply.Burned == 0 {
		t.Errorf("nothing was translated: %+v", totals)
	}
}
