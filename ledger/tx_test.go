package ledger

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// bodies has one transaction of each kind, in the sequence of their numbers.
func bodies(w *world) []Body {
	w.Helper()
	p := newPlan("p", []uint64{10, 20}, []uint64{30}, []uint64{40})
	r := &testRun{plan: p, w: w, id: link("run"), coordinator: "coordinator"}
	j := w.newJob("customer", "j", 1000, 2000)
	return []Body{
		Transfer{To: acct("bob"), Amount: 1, Memo: "hi"}, Lock{Amount: 1}, Unlock{Amount: 1},
		SetPayout{To: acct("safe")}, Rotate{To: acct("new")},
		r.propose(), r.vote(true), RunEnd{Run: r.id}, RunTake{Run: r.id, Coordinator: acct("coordinator")}, Heartbeat{Run: r.id},
		r.claim(0, "miner", ""), r.unitClaim(1, 0, "miner"),
		j.open(10, 20), EscrowTopUp{Job: j.id, Amount: 1, Deadline: 2}, EscrowClose{Job: j.id}, j.claim(j.work(1, "miner", 1500)),
		ValidatorVote{Account: acct("v2"), Admit: true},
	}
}

// Every kind has a row, its number, and reads its own bytes.
func TestEveryKind(t *testing.T) {
	w := newWorld(t, LocalParams())
	all := bodies(w)
	if len(all) != len(kindRows) {
		t.Fatalf("%d bodies of %d kinds", len(all), len(kindRows))
	}
	for i, body := range all {
		if got := body.Kind(); got != KindTransfer+TxKind(i) {
			t.Errorf("%T has the number %d, want %d", body, got, KindTransfer+TxKind(i))
		}
		tx, err := ParseTx(w.signTx("alice", Tx{ExpHeight: 10, Body: body}), testNet)
		if err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		if reflect.TypeOf(tx.Body) != reflect.TypeOf(body) || !bytes.Equal(encode(tx.Body), encode(body)) {
			t.Errorf("%T reads as %+v", body, tx.Body)
		}
	}
}

func TestParseTxRefuses(t *testing.T) {
	w := newWorld(t, LocalParams())
	good := w.signTx("alice", Tx{ExpHeight: 10, Body: Transfer{To: acct("bob"), Amount: 1}})
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	other := protocol.Net{1}
	foreign, err := Sign(key("alice"), other, Tx{Nonce: 1, ExpHeight: 5, Body: Transfer{To: acct("bob"), Amount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	moved := bytes.Replace(foreign, other[:], testNet[:], 1) // pretends to be of this network
	version := func(v uint16) []byte {
		e := envelope{Version: v, Net: testNet, Kind: KindTransfer, Account: acct("alice")}
		e.Sig = ed25519.Sign(key("alice"), protocol.Digest(testNet, protocol.TypeTx, encode(e)))
		return encode(e)
	}
	long := slices.Concat(encode(Transfer{To: acct("bob"), Amount: 1, Memo: "x"}), make([]byte, 5000))
	for _, c := range []struct {
		name string
		data []byte
		want Code
	}{
		{"flipped bit", flipped, BadSignature},
		{"another network", foreign, WrongNetwork},
		{"another network's signature", moved, BadSignature},
		{"trailing byte", append(bytes.Clone(good), 0), Malformed},
		{"cut", good[:len(good)-1], Malformed},
		{"empty", nil, Malformed},
		{"too long", make([]byte, MaxTx+1), TooLarge},
		{"too long for its kind", signRaw("alice", KindTransfer, long), TooLarge},
		{"another version", version(2), Malformed},
		{"a kind that is not used again", signRaw("alice", 105, encode(Lock{Amount: 1})), Malformed},
		{"the last number", signRaw("alice", math.MaxUint16, encode(Lock{Amount: 1})), Malformed},
		{"a body of another kind", signRaw("alice", KindTransfer, encode(Lock{Amount: 1})), Malformed},
		{"no body", signRaw("alice", KindLock, nil), Malformed},
		{"a body that is not canonical", signRaw("alice", KindLock, []byte{0x81, 0x18, 0x01}), Malformed},
		{"a body and more", signRaw("alice", KindLock, append(encode(Lock{Amount: 1}), 0x80)), Malformed},
		{"a negative number", signRaw("alice", KindLock, []byte{0x81, 0x20}), Malformed},
		{"an indefinite list", signRaw("alice", KindLock, []byte{0x9f, 0x01, 0xff}), Malformed},
	} {
		if _, err := ParseTx(c.data, testNet); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// An envelope whose head is longer than it needs to be.
	if good[1] != 0x01 {
		t.Fatalf("the version is %#x", good[1])
	}
	padded := slices.Concat(good[:1], []byte{0x18, 0x01}, good[2:])
	if _, err := ParseTx(padded, testNet); !errors.Is(err, Malformed) {
		t.Errorf("padded: %v", err)
	}
	if _, err := Sign(key("alice"), testNet, Tx{Body: Transfer{Memo: string(make([]byte, 5000))}}); !errors.Is(err, TooLarge) {
		t.Errorf("signed what is too large: %v", err)
	}
}

// Every field of every kind at its limits is refused with a code or does what it says; the
// books balance after it, and nothing halts.
func TestFieldsAtTheirLimits(t *testing.T) {
	w := newWorld(t, LocalParams())
	for _, who := range []string{"alice", "customer", "coordinator"} {
		w.earn(who, 1_000_000)
	}
	p := newPlan("p", []uint64{10, 20}, []uint64{30}, []uint64{40})
	r := w.run("coordinator", "p", p)
	j := w.newJob("customer", "j", 1000, 2000)
	w.must("customer", j.open(100_000, 1000))
	tried := 0
	for _, body := range append(bodies(w), r.claim(0, "miner"), r.unitClaim(0, 1, "miner"), j.claim(j.work(0, "miner", 1))) {
		for _, changed := range variants(body) {
			for _, who := range []string{"alice", "customer", "coordinator", "validator"} {
				data, err := block.Encode(changed)
				if err != nil {
					continue // a link or a text that no bytes give
				}
				tx, err := ParseTx(signRaw(who, body.Kind(), data), testNet)
				if err != nil {
					if codeOf(err) == OK {
						t.Errorf("%+v: refused without a code: %v", changed, err)
					}
					continue
				}
				tx.Nonce, tx.Fee, tx.ExpHeight = w.state.Account(acct(who)).Nonce+1, enough, w.state.height+1
				next, _, _, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: []*Tx{tx}})
				if err != nil {
					t.Fatalf("%+v of %s halts the chain: %v", changed, who, err)
				}
				if _, err := next.Audit(); err != nil {
					t.Fatalf("%+v of %s: %v", changed, who, err)
				}
				tried++
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d transactions came so far", tried)
	}
}

// variants are a body with each of its fields, and those inside, at some limits.
func variants(body Body) []Body {
	var all []Body
	walk(reflect.ValueOf(body), nil, func(path []int, limit reflect.Value) {
		all = append(all, with(reflect.ValueOf(body), path, limit).Interface().(Body))
	})
	return all
}

// walk calls f with the path to each field below v, and each of its limits.
func walk(v reflect.Value, path []int, f func([]int, reflect.Value)) {
	at := slices.Clone(path)
	switch v.Kind() {
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		most := uint64(1)<<v.Type().Bits() - 1
		for _, x := range []uint64{0, 1, v.Uint() + 1, most / 2, most - 1, most} {
			f(at, reflect.ValueOf(x).Convert(v.Type()))
		}
	case reflect.Bool:
		f(at, reflect.ValueOf(!v.Bool()).Convert(v.Type()))
	case reflect.String:
		f(at, reflect.ValueOf("").Convert(v.Type()))
	case reflect.Slice:
		f(at, reflect.Zero(v.Type()))
		f(at, reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, 2*v.Len()), reflect.AppendSlice(v.Slice(0, v.Len()), v)))
		if v.Type().Elem().Kind() != reflect.Uint8 && v.Len() > 0 {
			walk(v.Index(0), append(at, 0), f)
		}
	case reflect.Array:
		f(at, reflect.Zero(v.Type()))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[block.Link]() {
			f(at, reflect.Zero(v.Type()))
			f(at, reflect.ValueOf(link("another")))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "_" {
				walk(v.Field(i), append(slices.Clone(at), i), f)
			}
		}
	}
}

// with is a copy of v with another value at a path.
func with(v reflect.Value, path []int, value reflect.Value) reflect.Value {
	if len(path) == 0 {
		return value
	}
	c := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		c = reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
		c.Index(path[0]).Set(with(v.Index(path[0]), path[1:], value))
		return c
	}
	c.Set(v)
	c.Field(path[0]).Set(with(v.Field(path[0]), path[1:], value))
	return c
}

// Bytes from nowhere, and transactions with changed, reordered, missing and additional
// bytes: what is refused has a code, what is not has one encoding alone, and none panics.
func FuzzParseTx(f *testing.F) {
	w := newWorld(f, LocalParams())
	for _, b := range bodies(w) {
		f.Add(w.signTx("alice", Tx{ExpHeight: 10, Body: b}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tx, err := ParseTx(data, testNet)
		if err != nil {
			if codeOf(err) == OK {
				t.Errorf("refused without a code: %v", err)
			}
			return
		}
		if again := envelopeOf(tx, data); !bytes.Equal(again, data) {
			t.Errorf("%x reads as %x", data, again)
		}
		w.state.Check(tx)
	})
}

// FuzzBody is FuzzParseTx for the bytes inside the signature, which a fuzzer cannot make.
func FuzzBody(f *testing.F) {
	w := newWorld(f, LocalParams())
	for _, b := range bodies(w) {
		f.Add(uint16(b.Kind()), encode(b))
	}
	run := w.run("coordinator", "p", newPlan("p", []uint64{10, 20}, []uint64{30}, []uint64{40}))
	f.Add(uint16(KindClaim), encode(run.claim(0, "miner")))
	f.Fuzz(func(t *testing.T, kind uint16, body []byte) {
		if len(body) > MaxTx/2 {
			return
		}
		tx, err := ParseTx(signRaw("coordinator", TxKind(kind), body), testNet)
		if err != nil {
			if codeOf(err) == OK {
				t.Errorf("refused without a code: %v", err)
			}
			return
		}
		if again := encode(tx.Body); !bytes.Equal(again, body) {
			t.Errorf("%x reads as %x", body, again)
		}
		tx.Nonce, tx.ExpHeight = w.state.Account(acct("coordinator")).Nonce+1, w.state.height+1
		next, _, _, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: []*Tx{tx}})
		if err != nil {
			t.Fatalf("%x halts the chain: %v", body, err)
		}
		if _, err := next.Audit(); err != nil {
			t.Fatal(err)
		}
	})
}

// envelopeOf rebuilds the bytes of a parsed transaction, with data's signature.
func envelopeOf(tx *Tx, data []byte) []byte {
	return encode(envelope{
		Version: 1, Net: testNet, Kind: tx.Body.Kind(), Account: tx.Account, Nonce: tx.Nonce, Fee: tx.Fee,
		ExpHeight: tx.ExpHeight, Body: encode(tx.Body), Sig: data[len(data)-64:],
	})
}

// Codes and reasons that mean the same lead to each other; every code has a text.
func TestCodes(t *testing.T) {
	for code, reason := range codeReasons { // order-free: each is checked alone
		if got := ReasonOf(code); got != reason {
			t.Errorf("%v: reason %v, want %v", code, got, reason)
		}
		if got := codeOf(protocol.Refuse(reason, "x")); got != code {
			t.Errorf("%v: code %v, want %v", reason, got, code)
		}
	}
	if ReasonOf(errors.New("x")) != protocol.Unspecified || ReasonOf(Busy) != protocol.Unspecified || codeOf(errors.New("x")) != Malformed || codeOf(nil) != OK {
		t.Error("an error without a code")
	}
	if Retired.String() == "code 26" || Code(11).String() != "code 11" || Code(9999).Error() != "code 9999" {
		t.Error("texts of codes")
	}
}
