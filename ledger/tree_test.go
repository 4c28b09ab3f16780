package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"pgregory.net/rapid"
)

// slowRoot is the obvious version: CometBFT's own tree over all buckets.
func slowRoot(content map[string][]byte) []byte {
	var buckets [1 << treeDepth][]KeyValue
	for _, k := range slices.Sorted(maps.Keys(content)) {
		pi, bi := bucketOf([]byte(k))
		at := pi<<pageBits | bi
		buckets[at] = append(buckets[at], KeyValue{[]byte(k), content[k]})
	}
	leaves := make([][]byte, len(buckets))
	for i, b := range buckets {
		leaves[i] = encodeBucket(b)
	}
	return merkle.HashFromByteSlices(leaves)
}

func TestTreeAgreesWithCometBFT(t *testing.T) {
	empty := emptyTree.root()
	if want := slowRoot(nil); !bytes.Equal(empty[:], want) {
		t.Fatalf("empty tree has root %x, want %x", empty, want)
	}
	tr, content := emptyTree, map[string][]byte{}
	for step := range 4 {
		var changes []Change
		for i := range 500 {
			key := fmt.Sprint("key ", (step*300+i)%900)
			value := []byte(fmt.Sprint("value ", step, i))
			if (step+i)%7 == 0 {
				value = nil
				delete(content, key)
			} else {
				content[key] = value
			}
			changes = append(changes, Change{[]byte(key), value})
		}
		old, oldRoot := tr, tr.root()
		tr = tr.update(changes)
		root := tr.root()
		if want := slowRoot(content); !bytes.Equal(root[:], want) {
			t.Fatalf("step %d: root %x, want %x", step, root, want)
		}
		if old.root() != oldRoot || old == tr {
			t.Fatalf("step %d: the old tree changed", step)
		}
		if got := len(tr.pairs(nil)); got != len(content) {
			t.Fatalf("step %d: %d pairs, want %d", step, got, len(content))
		}
	}
	for k, v := range content {
		if got, ok := tr.get([]byte(k)); !ok || !bytes.Equal(got, v) {
			t.Errorf("%s: %q, %v", k, got, ok)
		}
	}
}

// Every update leaves the trees before it as they were, whatever shares pages.
func TestTreeIsImmutable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			tree    *tree
			content map[string][]byte
		}
		versions := []version{{emptyTree, map[string][]byte{}}}
		for range rapid.IntRange(1, 6).Draw(t, "updates") {
			base := versions[rapid.IntRange(0, len(versions)-1).Draw(t, "base")]
			content := maps.Clone(base.content)
			var changes []Change
			for _, k := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 6, rapid.ID).Draw(t, "keys") {
				key := fmt.Sprint(k)
				if rapid.Bool().Draw(t, "delete") {
					changes = append(changes, Change{Key: []byte(key)})
					delete(content, key)
				} else {
					content[key] = rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "value")
					changes = append(changes, Change{[]byte(key), content[key]})
				}
			}
			versions = append(versions, version{base.tree.update(changes), content})
		}
		for i, v := range versions {
			again := emptyTree
			for k, val := range v.content {
				again = again.update([]Change{{[]byte(k), val}})
			}
			if again.root() != v.tree.root() {
				t.Fatalf("version %d: root %x, built afresh %x", i, v.tree.root(), again.root())
			}
		}
	})
}

func TestProofs(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1000)
	root := w.state.AppHash()
	prt := ProofRuntime()
	path := func(key []byte) string {
		return merkle.KeyPath{}.AppendKey(key, merkle.KeyEncodingHex).String()
	}
	for _, p := range w.state.Pairs(nil) {
		ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{ProofOperator{p.Key, w.state.Prove(p.Key)}.ProofOp()}}
		if err := prt.VerifyValue(ops, root, path(p.Key), p.Value); err != nil {
			t.Errorf("key %q: %v", p.Key, err)
		}
		if prt.VerifyValue(ops, root, path(p.Key), append(p.Value, 0)) == nil {
			t.Errorf("key %q: another value verifies", p.Key)
		}
		if prt.VerifyAbsence(ops, root, path(p.Key)) == nil {
			t.Errorf("key %q: its absence verifies", p.Key)
		}
		if prt.VerifyValue(ops, emptyRoot(), path(p.Key), p.Value) == nil {
			t.Errorf("key %q: verifies under another root", p.Key)
		}
	}
	absent := AccountKey(acct("nobody"))
	ops := &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{ProofOperator{absent, w.state.Prove(absent)}.ProofOp()}}
	if err := prt.VerifyAbsence(ops, root, path(absent)); err != nil {
		t.Errorf("absence: %v", err)
	}
	if prt.VerifyValue(ops, root, path(absent), []byte{1}) == nil {
		t.Error("a value verifies for a key that is absent")
	}
	// A proof for one key says nothing of a key in another bucket.
	key := SupplyKey()
	proof := w.state.Prove(key)
	if got, _, _, err := proof.Value(absent); err != nil || bytes.Equal(got, root) {
		t.Errorf("proof of %q leads from %q to the root, %v", key, absent, err)
	}
}

func emptyRoot() []byte {
	r := emptyTree.root()
	return r[:]
}

// No bit of a proof can be changed.
func TestTamperedProof(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1000)
	key := AccountKey(acct("alice"))
	want, _ := w.state.Get(key)
	good, err := w.state.Prove(key).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			p, err := ParseProof(bad)
			if err != nil {
				continue
			}
			root, value, found, err := p.Value(key)
			if err == nil && bytes.Equal(root, w.state.AppHash()) {
				t.Fatalf("byte %d bit %d: leads to the root with %x, %v (want %x)", i, bit, value, found, want)
			}
		}
	}
}

func FuzzParseProof(f *testing.F) {
	s := newWorld(f, DefaultParams()).state
	for _, key := range [][]byte{SupplyKey(), ScheduleKey(1), []byte("absent")} {
		data, err := s.Prove(key).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, key)
	}
	f.Fuzz(func(t *testing.T, data, key []byte) {
		p, err := ParseProof(data)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x encodes as %x, %v", data, again, err)
		}
		pairs, err := decodeBucket(p.Bucket)
		if err != nil || !bytes.Equal(encodeBucket(pairs), p.Bucket) {
			t.Errorf("bucket %x is not canonical: %v", p.Bucket, err)
		}
		if _, _, _, err := p.Value(key); err != nil {
			t.Errorf("a parsed proof fails: %v", err)
		}
	})
}

func FuzzParseTx(f *testing.F) {
	w := newWorld(f, DefaultParams())
	run := link("run")
	for _, b := range []Body{
		Transfer{To: acct("bob"), Amount: 1, Memo: "hi"}, RunPropose{Run: run, Budget: 1}, RunVote{Run: run, Yes: true},
		RoundCommit{Run: run, Rounds: []RoundRoots{{Params: run, Log: run}}}, EscrowClose{Job: run},
		EscrowOpen{Job: run, Amount: 1, Price: 1, Deadline: 1},
		Settle{Entries: []SettleEntry{w.entry("miner", "coordinator", run, link("unit"), 1)}},
	} {
		f.Add(w.sign("alice", b))
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
		w.state.Check(tx) // must not panic
	})
}

// envelopeOf rebuilds the bytes of a parsed transaction, with data's signature.
func envelopeOf(tx *Tx, data []byte) []byte {
	return encode(envelope{
		Version: 1, Net: testNet, Kind: tx.Body.Kind(), Account: tx.Account, Nonce: tx.Nonce, Fee: tx.Fee,
		ExpHeight: tx.ExpHeight, Body: encode(tx.Body), Sig: data[len(data)-64:],
	})
}
