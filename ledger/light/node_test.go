package light_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// world is a ledger node in this process, and a client of it.
type world struct {
	*testing.T
	ctx     context.Context
	home    string
	addr    string // host:port of the node's RPC, the same after a restart
	genesis []byte
	node    *chain.Node
	client  *light.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, home: t.TempDir(), addr: "127.0.0.1:0"}
	w.genesis = w.found(w.home)
	w.start()
	t.Cleanup(func() { w.check(w.node.Close()) })
	w.client = w.dial("http://" + w.addr)
	return w
}

// found founds a network in a home and returns its genesis document.
func (w *world) found(home string) []byte {
	w.Helper()
	doc, err := chain.Init(home, "village", ledger.LocalParams())
	w.check(err)
	return doc
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// start starts the node, at the address that it had before.
func (w *world) start() {
	w.Helper()
	n, err := chain.Start(w.ctx, chain.Config{
		Home: w.home, RPCListen: w.addr, BlockInterval: 50 * time.Millisecond,
		Approve: func(context.Context, ledger.RunState) (bool, error) { return true, nil },
	})
	w.check(err)
	w.node, w.addr = n, strings.TrimPrefix(n.RPC(), "http://")
}

func (w *world) dial(addrs ...string) *light.Client {
	w.Helper()
	c, err := light.Dial(w.ctx, light.Config{Addrs: addrs, Genesis: w.genesis})
	w.check(err)
	return c
}

// until reads the ledger until it is as expected.
func (w *world) until(what string, is func() (bool, error)) {
	w.Helper()
	for {
		ok, err := is()
		switch {
		case ok:
			return
		case w.ctx.Err() != nil:
			w.Fatalf("%s: never: %v", what, err)
		}
	}
}

// send submits a transaction and waits until a height has taken it.
func (w *world) send(who string, body ledger.Body) {
	w.Helper()
	s := w.client.Sender(key(who))
	nonce, err := s.Send(w.ctx, body)
	w.check(err)
	w.check(s.Confirm(w.ctx, nonce))
}

func key(name string) ed25519.PrivateKey {
	seed := [32]byte{}
	copy(seed[:], name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func acct(name string) protocol.Account { return protocol.AccountOf(key(name)) }

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// work is the cost of the one unit of the run of [world.earn], in MFLOP.
const work = 1_000_000

// earn has an account do the one unit of an approved run, and waits for its pay.
func (w *world) earn(who string) {
	w.Helper()
	slot := protocol.Slot{Kind: uint16(unit.Gradient), Task: link("task"), Most: work}
	groups := []protocol.SlotGroup{protocol.GroupOf([]protocol.Slot{slot}), protocol.GroupOf(nil)}
	w.until("a height", func() (bool, error) {
		_, _, err := w.client.Supply(w.ctx)
		return err == nil, err
	})
	w.send("coordinator", ledger.RunPropose{
		Run: link("run"), Plan: ledger.Plan{Function: link("function"), Root: protocol.PlanRoot(groups), Groups: 2, Cost: work}, Silence: 100,
	})
	w.until("approval", func() (bool, error) {
		r, known, err := w.client.Run(w.ctx, link("run"), acct("coordinator"))
		return known && r.Status == ledger.Approved, err
	})
	at := protocol.Attestation{
		Work: link("run"), Publisher: acct("coordinator"), Place: protocol.Place{Kind: slot.Kind}, Unit: link("unit"), Result: link("result"),
	}
	_, err := protocol.Sign(key(who), w.client.Net(), &at)
	w.check(err)
	w.send("coordinator", ledger.Claim{Run: link("run"), Rounds: []ledger.RoundClaim{{
		Path: protocol.Bytes(protocol.PlanPath(groups, 0)), Params: link("parameters"), Log: link("log"),
		Slots: []ledger.SlotClaim{{Slot: slot, Work: []ledger.SlotWork{{Unit: at.Unit, Result: at.Result, Account: at.Account, Sig: at.Sig}}}},
	}}})
	w.until("pay", func() (bool, error) {
		a, err := w.client.Account(w.ctx, acct(who))
		return a.Balance > 0, err
	})
}

// TestReads: a client reads what a run has left on the ledger of a real node.
func TestReads(t *testing.T) {
	w := newWorld(t)
	w.earn("miner")
	a, err := w.client.Account(w.ctx, acct("miner"))
	w.check(err)
	if a.Earned != a.Balance || a.Balance == 0 {
		t.Errorf("the miner's account is %+v", a)
	}
	f, known, err := w.client.Function(w.ctx, link("function"))
	w.check(err)
	if !known || f.Next != 1 || f.Params != link("parameters") {
		t.Errorf("the function is %+v, %v", f, known)
	}
	supply, height, err := w.client.Supply(w.ctx)
	w.check(err)
	if supply.Minted != a.Earned || height == 0 {
		t.Errorf("after height %d the supply is %+v, the miner has earned %d", height, supply, a.Earned)
	}
	if _, known, err := w.client.Run(w.ctx, link("no run"), acct("miner")); known || err != nil {
		t.Errorf("a run that nobody proposed: %v, %v", known, err)
	}
}

// TestRestart: the ledger goes away and comes back. A client that was there before and one
// that came meanwhile both go on.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.earn("miner")
	before, err := w.client.Account(w.ctx, acct("miner"))
	w.check(err)
	w.check(w.node.Close())
	if _, err := w.client.Account(w.ctx, acct("miner")); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("read while it is down: %v, want ErrUnreachable", err)
	}
	if _, err := w.client.Sender(key("miner")).Send(w.ctx, ledger.Lock{Amount: 1}); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("send while it is down: %v, want ErrUnreachable", err)
	}
	late := w.dial("http://" + w.addr)
	w.start()
	for name, c := range map[string]*light.Client{"early": w.client, "late": late} {
		w.until("a read", func() (bool, error) {
			after, err := c.Account(w.ctx, acct("miner"))
			if err == nil && (after.Balance != before.Balance || after.Nonce != before.Nonce) {
				t.Errorf("%s client: %+v after the restart, was %+v", name, after, before)
			}
			return err == nil, err
		})
	}
	w.send("miner", ledger.Lock{Amount: 1})
}

// TestAnotherNetwork: neither a node nor a transaction of a network with the same name is
// taken for this network's.
func TestAnotherNetwork(t *testing.T) {
	w := newWorld(t)
	w.until("a height", func() (bool, error) {
		_, err := w.client.Head(w.ctx)
		return err == nil, err
	})
	doc := w.found(t.TempDir())
	if _, err := light.Dial(w.ctx, light.Config{Addrs: []string{"http://" + w.addr}, Genesis: doc}); !errors.Is(err, light.ErrProof) {
		t.Errorf("dial with another genesis document: %v, want ErrProof", err)
	}
	other, err := genesis.Parse(doc)
	w.check(err)
	tx, err := ledger.Sign(key("alice"), other.Net, ledger.Tx{Nonce: 1, ExpHeight: 100, Body: ledger.Lock{Amount: 1}})
	w.check(err)
	if err := w.client.Submit(w.ctx, tx); !errors.Is(err, ledger.WrongNetwork) {
		t.Errorf("another network's transaction: %v, want WrongNetwork", err)
	}
	if err := w.client.Submit(w.ctx, []byte("nonsense")); !errors.Is(err, ledger.Malformed) {
		t.Errorf("nonsense: %v, want Malformed", err)
	}
}

// TestProveEscrow: the proof of an escrow shows that escrow, of this network, and no bit
// of it can be changed so that it shows another.
func TestProveEscrow(t *testing.T) {
	w := newWorld(t)
	w.earn("customer")
	job, customer := link("job"), acct("customer")
	w.send("customer", ledger.EscrowOpen{
		Job: job, Units: protocol.GroupOf([]protocol.Slot{ledger.JobSlot(0, link("unit"), 1000)}), Amount: 1000, Price: 1, Deadline: 500,
	})
	if _, err := w.client.ProveEscrow(w.ctx, customer, link("other")); !errors.Is(err, light.ErrNoEscrow) {
		t.Errorf("proof of an escrow that is not there: %v", err)
	}
	e, err := w.client.ProveEscrow(w.ctx, customer, job)
	w.check(err)
	shown, err := light.VerifyEscrow(w.genesis, e.Proof, customer, job)
	w.check(err)
	if shown.Left != 1000 || shown.Height != e.Height || len(e.Proof) > 3<<10 {
		t.Errorf("a proof of %d bytes shows %+v", len(e.Proof), shown)
	}
	if _, err := light.VerifyEscrow(w.genesis, e.Proof, customer, link("other")); !errors.Is(err, light.ErrProof) {
		t.Errorf("for another job: %v, want ErrProof", err)
	}
	if _, err := light.VerifyEscrow(w.genesis, e.Proof, acct("miner"), job); !errors.Is(err, light.ErrProof) {
		t.Errorf("for another customer: %v, want ErrProof", err)
	}
	if _, err := light.VerifyEscrow(w.found(t.TempDir()), e.Proof, customer, job); !errors.Is(err, light.ErrProof) {
		t.Errorf("another network's genesis document: %v, want ErrProof", err)
	}
	want, err := block.Encode(shown.Escrow)
	w.check(err)
	for i := range e.Proof {
		bad := bytes.Clone(e.Proof)
		bad[i] ^= 1 << (i % 8)
		if got, err := light.VerifyEscrow(w.genesis, bad, customer, job); err == nil {
			if data, err := block.Encode(got.Escrow); err != nil || !bytes.Equal(data, want) || got.Height != shown.Height {
				t.Fatalf("byte %d changed: shows %+v", i, got)
			}
		}
	}
}

// liar stands before the node and changes its answers.
func (w *world) liar(lie func(method string, answer []byte) []byte) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		var call struct{ Method string }
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = json.Unmarshal(body, &call)
		}
		var res *http.Response
		if err == nil {
			res, err = http.Post("http://"+w.addr, "application/json", bytes.NewReader(body))
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		rw.Write(lie(call.Method, answer))
	}))
	w.Cleanup(s.Close)
	return s.URL
}

// TestLiesAreRefused: a node that changes an answer is not believed, and does not matter
// beside an honest one.
func TestLiesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.earn("miner")
	// replace changes the text of a field in the answers to a call.
	replace := func(call, field string, with func(string) string) func(string, []byte) []byte {
		return func(method string, answer []byte) []byte {
			mark := []byte(`"` + field + `":"`)
			before, rest, found := bytes.Cut(answer, mark)
			text, after, whole := bytes.Cut(rest, []byte{'"'})
			if method != call || !found || !whole {
				return answer
			}
			return bytes.Join([][]byte{before, mark, []byte(with(string(text))), {'"'}, after}, nil)
		}
	}
	flip := func(hex string) string {
		if hex[0] == '0' {
			return "1" + hex[1:]
		}
		return "0" + hex[1:]
	}
	for name, lie := range map[string]func(string, []byte) []byte{
		"proof":     replace("abci_query", "data", func(s string) string { return "ggBB" + s[4:] }),
		"record":    replace("abci_query", "value", func(string) string { return "" }),
		"height":    replace("abci_query", "height", func(string) string { return "1" }),
		"app hash":  replace("commit", "app_hash", flip),
		"signature": replace("commit", "signature", func(s string) string { return "AAAA" + s[4:] }),
		"header":    replace("commit", "validators_hash", flip),
		"garbage":   func(string, []byte) []byte { return []byte("{}") },
		"endless":   func(string, []byte) []byte { return bytes.Repeat([]byte(" "), 9<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			url := w.liar(lie)
			if c, err := light.Dial(w.ctx, light.Config{Addrs: []string{url}, Genesis: w.genesis}); err == nil {
				if a, err := c.Account(w.ctx, acct("miner")); err == nil {
					t.Errorf("believes %+v", a)
				}
			}
			if a, err := w.dial(url, "http://"+w.addr).Account(w.ctx, acct("miner")); err != nil || a.Balance == 0 {
				t.Errorf("beside an honest node: %+v, %v", a, err)
			}
		})
	}
}
