package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// slowRoot is the obvious version of the tree's root: it looks at one bit after the
// other and hashes where the keys part.
func slowRoot(content map[string][]byte) hash {
	type pair struct{ key, value hash }
	var pairs []pair
	for k, v := range content {
		pairs = append(pairs, pair{sha256.Sum256([]byte(k)), sha256.Sum256(v)})
	}
	var root func(pairs []pair, bit int) hash
	root = func(pairs []pair, bit int) hash {
		if len(pairs) == 1 {
			return sha256.Sum256(slices.Concat([]byte{0}, pairs[0].key[:], pairs[0].value[:]))
		}
		var sides [2][]pair
		for _, p := range pairs {
			side := p.key[bit/8] >> (7 - bit%8) & 1
			sides[side] = append(sides[side], p)
		}
		if len(sides[0]) == 0 || len(sides[1]) == 0 {
			return root(pairs, bit+1)
		}
		left, right := root(sides[0], bit+1), root(sides[1], bit+1)
		return sha256.Sum256(slices.Concat([]byte{1, byte(bit)}, left[:], right[:]))
	}
	if len(pairs) == 0 {
		return sha256.Sum256(nil)
	}
	return root(pairs, 0)
}

// disk is records in memory, as a disk has them: only the newest.
type disk map[hash]KeyValue

func (d disk) Get(sum hash) (KeyValue, error) {
	pair, ok := d[sum]
	if !ok {
		return KeyValue{}, errors.New("no such record")
	}
	return pair, nil
}

func (d disk) save(changes []Change) {
	for _, c := range changes {
		if c.Value == nil {
			delete(d, sha256.Sum256(c.Key))
		} else {
			d[sha256.Sum256(c.Key)] = KeyValue(c)
		}
	}
}

// Every update gives the root of the slow version, and leaves the trees before it as
// they were, though the disk has only the newest records.
func TestTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			tree    *tree
			content map[string][]byte
		}
		saved := disk{}
		versions := []version{{&tree{records: saved}, map[string][]byte{}}}
		for range rapid.IntRange(1, 8).Draw(t, "heights") {
			last := versions[len(versions)-1]
			content := maps.Clone(last.content)
			var changes []Change
			for _, k := range rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 0, 20, rapid.ID).Draw(t, "keys") {
				key := fmt.Sprint(k)
				if rapid.Bool().Draw(t, "delete") {
					changes = append(changes, Change{Key: []byte(key)})
					delete(content, key)
				} else {
					content[key] = rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "value")
					changes = append(changes, Change{[]byte(key), content[key]})
				}
			}
			next := last.tree.update(changes)
			if rapid.Bool().Draw(t, "commit") {
				saved.save(changes)
				next.saved(changes)
				versions = append(versions, version{next, content})
			} // else the height is made again, with other changes
		}
		for i, v := range versions {
			if got, want := v.tree.root(), slowRoot(v.content); got != want {
				t.Fatalf("version %d: root %x, want %x", i, got, want)
			}
			all := map[string][]byte{}
			var last hash
			for p := range v.tree.all() {
				all[string(p.Key)] = p.Value
				sum := hash(sha256.Sum256(p.Key))
				if bytes.Compare(last[:], sum[:]) >= 0 {
					t.Fatalf("version %d: key %q comes too late", i, p.Key)
				}
				last = sum
			}
			if !maps.EqualFunc(all, v.content, bytes.Equal) {
				t.Fatalf("version %d: has %q, want %q", i, all, v.content)
			}
			for k := range 42 {
				key := fmt.Sprint(k)
				if got, ok := v.tree.get([]byte(key)); !bytes.Equal(got, v.content[key]) || ok != (got != nil) {
					t.Fatalf("version %d: %s is %q, %v, want %q", i, key, got, ok, v.content[key])
				}
			}
		}
	})
}

// A record that cannot be read, or is not the one that was saved, is never absent.
func TestDamagedRecords(t *testing.T) {
	key, other := []byte("key"), []byte("other")
	changes := []Change{{key, []byte("value")}, {other, []byte("value")}}
	for name, damage := range map[string]func(disk){
		"missing":        func(d disk) { delete(d, sha256.Sum256(key)) },
		"another record": func(d disk) { d[sha256.Sum256(key)] = KeyValue{key, []byte("valuf")} },
		"another key":    func(d disk) { d[sha256.Sum256(key)] = KeyValue{other, []byte("value")} },
	} {
		saved := disk{}
		tr := (&tree{records: saved}).update(changes)
		saved.save(changes)
		tr.saved(changes)
		damage(saved)
		for what, read := range map[string]func(){
			"get":    func() { tr.get(key) },
			"all":    func() { _ = slices.Collect(tr.all()) },
			"update": func() { tr.update([]Change{{Key: key}}) },
		} {
			func() {
				defer func() {
					if _, ok := recover().(*DamageError); !ok {
						t.Errorf("%s, %s: no *DamageError", name, what)
					}
				}()
				read()
			}()
		}
		if v, ok := tr.get(other); !ok || string(v) != "value" {
			t.Errorf("%s: the other record is %q, %v", name, v, ok)
		}
		if _, ok := tr.get([]byte("absent")); ok {
			t.Errorf("%s: an absent key is present", name)
		}
	}
}

func TestProofs(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1000)
	root := hash(w.state.AppHash())
	absent := AccountKey(acct("nobody"))
	// shows reports whether the proof of a key, as CometBFT carries it, shows a record under a root.
	shows := func(proven, key, value []byte, root hash) bool {
		op := w.state.Prove(proven).Op(proven)
		p, err := ParseProof(op.Data)
		if err != nil || op.Type != ProofType || !bytes.Equal(op.Key, proven) {
			t.Fatalf("key %q: operation %q, %v", proven, op.Type, err)
		}
		got, err := p.Root(key, value)
		return err == nil && got == root
	}
	for p := range w.state.All() {
		switch {
		case !shows(p.Key, p.Key, p.Value, root):
			t.Errorf("key %q: its record does not verify", p.Key)
		case shows(p.Key, p.Key, append(p.Value[:len(p.Value):len(p.Value)], 0), root):
			t.Errorf("key %q: another record verifies", p.Key)
		case shows(p.Key, p.Key, nil, root):
			t.Errorf("key %q: its absence verifies", p.Key)
		case shows(p.Key, p.Key, p.Value, emptyRoot):
			t.Errorf("key %q: verifies under another root", p.Key)
		case shows(p.Key, absent, p.Value, root):
			t.Errorf("key %q: the proof shows its record under another key", p.Key)
		}
	}
	if !shows(absent, absent, nil, root) {
		t.Error("an absence does not verify")
	}
	if shows(absent, absent, []byte{1}, root) {
		t.Error("a record verifies for a key that is absent")
	}
	// In an empty tree every key is absent, and a proof of it serves no other tree.
	none := emptyTree.prove(absent)
	if got, err := none.Root(absent, nil); err != nil || got != emptyRoot {
		t.Errorf("empty tree: root %x, %v", got, err)
	}
	// A proof that no state makes has no bytes for CometBFT.
	if op := (Proof{Aunts: make([]hash, 100_000)}).Op(absent); len(op.Data) != 0 {
		t.Errorf("a proof of 3 MB has %d bytes", len(op.Data))
	}
}

// No false path hides a key that is present: not the true path of another key, and
// not with other bits, which would turn the search away from the key.
func TestAbsenceCannotBeForged(t *testing.T) {
	var changes []Change
	for i := range 64 {
		changes = append(changes, Change{fmt.Append(nil, "key ", i), []byte{1}})
	}
	tr := emptyTree.update(changes)
	root := tr.root()
	for _, victim := range changes {
		sum := hash(sha256.Sum256(victim.Key))
		for _, c := range changes {
			if bytes.Equal(c.Key, victim.Key) {
				continue
			}
			// The honest path to another key, dressed up as the victim's search.
			forged := tr.prove(c.Key)
			other := tr.find(new(hash(sha256.Sum256(c.Key))))
			forged.Other = []hash{other.key, other.value}
			if got, err := forged.Root(victim.Key, nil); err == nil && got == root {
				t.Fatalf("the path to %q proves that %q is absent", c.Key, victim.Key)
			}
			// The bits replaced by such that the victim's search takes the same turns.
			turns, bits := forged.Bits, make([]byte, 0, len(forged.Bits))
			next := 0
			for _, b := range turns {
				for next < 256 && bitOf(&sum, uint8(next)) != bitOf(&other.key, b) {
					next++
				}
				bits = append(bits, byte(next))
				next++
			}
			forged.Bits = bits
			if got, err := forged.Root(victim.Key, nil); err != nil || got == root {
				t.Fatalf("false bits to %q prove that %q is absent: %v", c.Key, victim.Key, err)
			}
		}
	}
}

// A victim whose path an attacker has filled for every bit still has a proof, and
// up to 85 bits, 2^85 hashes of work, the proof has at most 3 KB.
func TestGroundKeys(t *testing.T) {
	victim := hash(sha256.Sum256([]byte("victim")))
	for _, c := range []struct{ depth, most int }{{85, 3000}, {256, maxProof}} {
		writes := []write{{victim, newLeaf(victim, KeyValue{[]byte("victim"), []byte{1}})}}
		for bit := range c.depth {
			key := victim
			key[bit/8] ^= 1 << (7 - bit%8)
			writes = append(writes, write{key, newLeaf(key, KeyValue{[]byte("ground"), []byte{1}})})
		}
		slices.SortFunc(writes, func(a, b write) int { return compareWrite(a, b.key) })
		tr := &tree{top: build(writes)}
		data, err := tr.prove([]byte("victim")).Encode()
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := p.Root([]byte("victim"), []byte{1}); err != nil || root != tr.root() {
			t.Errorf("%d nodes: root %x, %v, want %x", c.depth, root, err, tr.root())
		}
		if len(p.Bits) != c.depth || len(data) > c.most {
			t.Errorf("%d nodes: path of %d in %d bytes, want at most %d", c.depth, len(p.Bits), len(data), c.most)
		}
	}
	if _, err := ParseProof(make([]byte, maxProof+1)); err == nil {
		t.Error("a longer proof is read")
	}
}

// claims returns a state with a key that is present and one that is absent, which
// has no record.
func claims(t tester) (s *State, present, absent KeyValue) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1000)
	key := AccountKey(acct("alice"))
	value, _ := w.state.Get(key)
	return w.state, KeyValue{key, value}, KeyValue{Key: AccountKey(acct("nobody"))}
}

// No bit of a proof can be changed.
func TestTamperedProof(t *testing.T) {
	s, present, absent := claims(t)
	for _, c := range []KeyValue{present, absent} {
		good, err := s.Prove(c.Key).Encode()
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
				for _, value := range [][]byte{present.Value, nil} {
					if root, err := p.Root(c.Key, value); err == nil && string(root[:]) == string(s.AppHash()) {
						t.Fatalf("byte %d bit %d: leads to the root with %x", i, bit, value)
					}
				}
			}
		}
	}
}

// Whatever bytes a proof has, it shows nothing but the truth.
func FuzzProofShowsTheTruth(f *testing.F) {
	s, present, absent := claims(f)
	for _, c := range []KeyValue{present, absent} {
		data, err := s.Prove(c.Key).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, c.Value)
	}
	f.Fuzz(func(t *testing.T, data, value []byte) {
		p, err := ParseProof(data)
		if err != nil {
			return
		}
		for _, c := range []KeyValue{present, absent} {
			root, err := p.Root(c.Key, value)
			if err == nil && string(root[:]) == string(s.AppHash()) && !bytes.Equal(value, c.Value) {
				t.Errorf("%x shows %x under %x", data, value, c.Key)
			}
		}
	})
}

func FuzzParseProof(f *testing.F) {
	s := newWorld(f, DefaultParams()).state
	for _, key := range [][]byte{SupplyKey(), ScheduleKey(1), []byte("absent")} {
		data, err := s.Prove(key).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProof(data)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x encodes as %x, %v", data, again, err)
		}
		// It is a proof of a record or of an absence, never of both.
		_, present := p.Root([]byte("key"), []byte{1})
		_, absent := p.Root([]byte("key"), nil)
		if present != nil && absent != nil {
			t.Errorf("%x shows nothing: %v, %v", data, present, absent)
		}
		if present == nil && absent == nil && len(p.Bits) > 0 {
			t.Errorf("%x shows a record and an absence", data)
		}
	})
}
