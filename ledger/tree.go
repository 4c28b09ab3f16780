package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"sync/atomic"
)

// hash is a SHA-256 digest.
type hash = [sha256.Size]byte

// KeyValue is one key of the state and its record's canonical bytes.
type KeyValue struct {
	Key   []byte
	Value []byte // never empty
}

// Change is a key that a height wrote. Value is nil when the key was deleted.
type Change KeyValue

// Records is where the records of the newest state are, usually a disk. It may be
// used by many goroutines at once.
type Records interface {
	// Get returns the record whose key has the SHA-256 sum. A record that is not
	// there is an error, because a state asks only for records that it has.
	Get(sum [sha256.Size]byte) (KeyValue, error)
}

// DamageError is what a read of a [State] panics with when its [Records] fail or return
// other bytes than were written. The process must not go on with such a state: it
// would compute other heights than its peers.
type DamageError struct{ Err error }

func (d *DamageError) Error() string { return "the ledger's records are damaged: " + d.Err.Error() }

// Unwrap returns what the [Records] said.
func (d *DamageError) Unwrap() error { return d.Err }

// tree is the state (LEDGER.md, section 9.1) as a binary Merkle tree over SHA-256 of
// the keys. The memory has the hashes. Records that are saved are only in records.
//
// Each key is one leaf. An inner node exists only where two keys of its subtree
// differ, and says at which bit of their hashes: all keys to the left have 0 there, all
// to the right have 1, and the bits before are the same in the whole subtree. So
// the tree is a function of its content alone, a million keys lie about 20 nodes
// deep, and a path of n nodes costs whoever wants it 2^n hashes.
//
// The hashes are those of RFC 6962, section 2.1, with one more byte in an inner
// node, the number of its bit:
//
//	leaf  = SHA-256(0x00 ‖ SHA-256(key) ‖ SHA-256(record))
//	inner = SHA-256(0x01 ‖ bit ‖ left ‖ right)
//	empty = SHA-256("")
//
// The first byte and the fixed lengths keep a leaf from being read as an inner node.
// The bit makes absence provable. A search for a key goes left or right by the bit
// that each node names, and ends at a leaf. When this leaf has another key, the key
// is absent, for the same search would have found it. Without the bit in the hash a
// liar could name other bits on the way, and so lead the search past a key that is
// there. The bits of a path need no further check: under the root of an honest tree
// every hash is that of a real node.
//
// A tree is immutable: update makes new nodes where content changes and shares the
// others, so that old states stay readable while the chain makes new ones.
type tree struct {
	top     node    // nil when the tree is empty
	records Records // nil when the memory has every record
}

// node is a [*leaf] or an [*inner].
type node interface {
	sum() hash
	first() *leaf // the leftmost leaf
}

// leaf is one key with its record. The leaf's own hash is not kept: computing it costs
// less than 32 bytes for each key of the state.
type leaf struct {
	key   hash // SHA-256 of the key
	value hash // SHA-256 of the record
	// record is the key and its record, nil when only tree.records has them. A record is
	// nil only in a leaf of the newest saved state: a leaf that leaves the
	// state gets its record back first, for the sake of older states.
	record atomic.Pointer[KeyValue]
}

// inner is a node over the two subtrees whose keys differ at a bit.
type inner struct {
	hash        hash
	left, right node
	start       *leaf // the leftmost leaf; its key has the bits that the subtree shares
	bit         uint8 // counted from the first byte's highest bit
}

var emptyTree = &tree{}

// emptyRoot is the hash of a tree without keys.
var emptyRoot = hash(sha256.Sum256(nil))

func leafHash(key, value hash) hash {
	var b [1 + 2*sha256.Size]byte
	copy(b[1:], key[:])
	copy(b[1+sha256.Size:], value[:])
	return sha256.Sum256(b[:])
}

func innerHash(bit uint8, left, right hash) hash {
	var b [2 + 2*sha256.Size]byte
	b[0], b[1] = 1, bit
	copy(b[2:], left[:])
	copy(b[2+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// bitOf returns one bit of a hash, the highest of the first byte for 0.
func bitOf(h *hash, bit uint8) byte { return h[bit/8] >> (7 - bit%8) & 1 }

// sharedBits returns how many bits two hashes have in common from the start, 256
// when they are equal.
func sharedBits(a, b *hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * sha256.Size
}

func (l *leaf) sum() hash    { return leafHash(l.key, l.value) }
func (l *leaf) first() *leaf { return l }

func (n *inner) sum() hash    { return n.hash }
func (n *inner) first() *leaf { return n.start }

// child returns the subtree in which a key lies.
func (n *inner) child(key *hash) node {
	if bitOf(key, n.bit) == 0 {
		return n.left
	}
	return n.right
}

// join returns the tree of two subtrees whose keys differ first at a bit. A
// subtree without keys is nil.
func join(bit uint8, left, right node) node {
	if left == nil {
		return right
	}
	if right == nil {
		return left
	}
	return &inner{hash: innerHash(bit, left.sum(), right.sum()), left: left, right: right, start: left.first(), bit: bit}
}

func newLeaf(key hash, pair KeyValue) *leaf {
	l := &leaf{key: key, value: sha256.Sum256(pair.Value)}
	l.record.Store(&pair)
	return l
}

// write is a change of the tree: the new leaf of a key, or nil to delete the key.
type write struct {
	key  hash
	leaf *leaf
}

func compareWrite(w write, key hash) int { return bytes.Compare(w.key[:], key[:]) }

// split cuts sorted writes, which share all bits before a bit, at this bit.
func split(writes []write, bit uint8) (left, right []write) {
	i, _ := slices.BinarySearchFunc(writes, byte(1), func(w write, one byte) int {
		return cmp.Compare(bitOf(&w.key, bit), one)
	})
	return writes[:i], writes[i:]
}

// build returns a tree of the leaves among sorted writes of distinct keys.
func build(writes []write) node {
	switch len(writes) {
	case 0:
		return nil
	case 1:
		if writes[0].leaf == nil {
			return nil
		}
		return writes[0].leaf
	}
	bit := uint8(sharedBits(&writes[0].key, &writes[len(writes)-1].key))
	left, right := split(writes, bit)
	return join(bit, build(left), build(right))
}

// root returns the Merkle root.
func (t *tree) root() hash {
	if t.top == nil {
		return emptyRoot
	}
	return t.top.sum()
}

// find returns the only leaf that a key could have, nil in an empty tree.
func (t *tree) find(key *hash) *leaf {
	n := t.top
	for {
		switch at := n.(type) {
		case *inner:
			n = at.child(key)
		case *leaf:
			return at
		default:
			return nil
		}
	}
}

// get returns the record of a key, which the caller must not change. It panics with
// [*DamageError] when the record cannot be read.
func (t *tree) get(key []byte) ([]byte, bool) {
	sum := hash(sha256.Sum256(key))
	l := t.find(&sum)
	if l == nil || l.key != sum {
		return nil, false
	}
	return t.read(l).Value, true
}

// read returns the key and the record of a leaf.
func (t *tree) read(l *leaf) KeyValue {
	if p := l.record.Load(); p != nil {
		return *p
	}
	pair, err := t.records.Get(l.key)
	if err == nil && sha256.Sum256(pair.Key) == l.key && sha256.Sum256(pair.Value) == l.value {
		return pair
	}
	// A newer state may have written the key since the first look. The leaf got its
	// record back before that.
	if p := l.record.Load(); p != nil {
		return *p
	}
	if err == nil {
		err = fmt.Errorf("the record under the hash %x is not the one that was saved", l.key)
	}
	panic(&DamageError{err})
}

// update returns the tree after changes of distinct keys. It hashes each node above
// a change once.
func (t *tree) update(changes []Change) *tree {
	writes := make([]write, len(changes))
	for i, c := range changes {
		writes[i].key = sha256.Sum256(c.Key)
		if c.Value != nil {
			writes[i].leaf = newLeaf(writes[i].key, KeyValue(c))
		}
	}
	slices.SortFunc(writes, func(a, b write) int { return compareWrite(a, b.key) })
	return &tree{top: t.merge(t.top, writes), records: t.records}
}

// merge returns a subtree after sorted writes.
func (t *tree) merge(n node, writes []write) node {
	if len(writes) == 0 {
		return n
	}
	switch at := n.(type) {
	case *leaf:
		i, found := slices.BinarySearchFunc(writes, at.key, compareWrite)
		if found {
			t.keep(at)
			return build(writes)
		}
		return build(slices.Insert(slices.Clone(writes), i, write{at.key, at}))
	case *inner:
		// The writes share the subtree's bits as far as the first and the last do.
		first, last := &writes[0].key, &writes[len(writes)-1].key
		shared := min(sharedBits(first, &at.start.key), sharedBits(last, &at.start.key))
		if shared >= int(at.bit) {
			left, right := split(writes, at.bit)
			return join(at.bit, t.merge(at.left, left), t.merge(at.right, right))
		}
		// Some leave it before: they get a node above it.
		bit := uint8(shared)
		left, right := split(writes, bit)
		if bitOf(&at.start.key, bit) == 0 {
			return join(bit, t.merge(at, left), build(right))
		}
		return join(bit, build(left), t.merge(at, right))
	}
	return build(writes)
}

// keep puts a record back into the memory.
func (t *tree) keep(l *leaf) {
	pair := t.read(l)
	l.record.Store(&pair)
}

// saved drops changes from the memory that records have by now.
func (t *tree) saved(changes []Change) {
	for _, c := range changes {
		sum := hash(sha256.Sum256(c.Key))
		if l := t.find(&sum); l != nil && l.key == sum {
			l.record.Store(nil)
		}
	}
}

// all returns the keys and their records, sorted by the keys' hashes.
func (t *tree) all() iter.Seq[KeyValue] {
	return func(yield func(KeyValue) bool) { t.walk(t.top, yield) }
}

func (t *tree) walk(n node, yield func(KeyValue) bool) bool {
	switch at := n.(type) {
	case *leaf:
		return yield(t.read(at))
	case *inner:
		return t.walk(at.left, yield) && t.walk(at.right, yield)
	}
	return true
}
