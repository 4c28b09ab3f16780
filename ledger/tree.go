package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
)

// The tree has 2^treeDepth leaves, the buckets. The first 16 bits of SHA-256(key)
// are the number of a key's bucket.
const (
	treeDepth = 16
	pageBits  = 8
	pageSize  = 1 << pageBits
)

// hash is a SHA-256 digest.
type hash = [sha256.Size]byte

// KeyValue is one key of the state and its record's canonical bytes.
type KeyValue struct {
	Key   []byte
	Value []byte
}

// Change is a key that a height wrote. Value is nil when the key was deleted.
type Change KeyValue

// tree is the state (LEDGER.md, section 9.1) as sorted pairs in 65,536 buckets,
// which are the leaves of a
// Merkle tree with the hashes of RFC 6962 (CometBFT's crypto/merkle gives the same
// root). A tree is immutable: update copies the pages that change and shares the
// others, so that old states stay readable while the chain makes new ones.
type tree struct {
	pages [pageSize]*page // by the first byte of SHA-256(key)
	nodes [2 * pageSize]hash
}

// page is the 256 buckets whose numbers have the same first byte, and the subtree
// over these buckets. nodes is a heap: the root is at 1, the children of i are at
// 2i and 2i+1, the leaves come last.
type page struct {
	buckets [pageSize][]KeyValue // by the second byte of SHA-256(key)
	nodes   [2 * pageSize]hash
}

var (
	emptyPage = newEmptyPage()
	emptyTree = newEmptyTree()
)

func newEmptyPage() *page {
	p := new(page)
	for i := range pageSize {
		p.nodes[pageSize+i] = leafHash(nil)
	}
	for i := pageSize - 1; i > 0; i-- {
		p.nodes[i] = innerHash(p.nodes[2*i], p.nodes[2*i+1])
	}
	return p
}

func newEmptyTree() *tree {
	t := new(tree)
	for i := range pageSize {
		t.pages[i] = emptyPage
		t.nodes[pageSize+i] = emptyPage.nodes[1]
	}
	for i := pageSize - 1; i > 0; i-- {
		t.nodes[i] = innerHash(t.nodes[2*i], t.nodes[2*i+1])
	}
	return t
}

// leafHash and innerHash are RFC 6962, section 2.1.
func leafHash(leaf []byte) hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(leaf)
	return hash(h.Sum(nil))
}

func innerHash(left, right hash) hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// bucketOf returns a key's page and its bucket within the page.
func bucketOf(key []byte) (int, int) {
	h := sha256.Sum256(key)
	return int(h[0]), int(h[1])
}

func comparePair(p KeyValue, key []byte) int { return bytes.Compare(p.Key, key) }

// root returns the Merkle root.
func (t *tree) root() hash { return t.nodes[1] }

// get returns the value of a key, which the caller must not change.
func (t *tree) get(key []byte) ([]byte, bool) {
	pi, bi := bucketOf(key)
	bucket := t.pages[pi].buckets[bi]
	i, ok := slices.BinarySearchFunc(bucket, key, comparePair)
	if !ok {
		return nil, false
	}
	return bucket[i].Value, true
}

// update returns the tree after the changes. It hashes only the buckets that
// changed and the paths above them.
func (t *tree) update(changes []Change) *tree {
	type bucketID struct{ page, bucket int }
	// Changes of one bucket go together; buckets of one page follow each other.
	byBucket := make(map[bucketID][]Change)
	var touched []bucketID
	for _, c := range changes {
		pi, bi := bucketOf(c.Key)
		at := bucketID{pi, bi}
		if _, seen := byBucket[at]; !seen {
			touched = append(touched, at)
		}
		byBucket[at] = append(byBucket[at], c)
	}
	slices.SortFunc(touched, func(a, b bucketID) int {
		return cmp.Or(cmp.Compare(a.page, b.page), cmp.Compare(a.bucket, b.bucket))
	})
	// Each page is copied before its first bucket changes, and its root enters the
	// upper tree after its last.
	next := *t
	for i, at := range touched {
		if i == 0 || touched[i-1].page != at.page {
			fresh := *next.pages[at.page]
			next.pages[at.page] = &fresh
		}
		p := next.pages[at.page]
		p.buckets[at.bucket] = merge(p.buckets[at.bucket], byBucket[at])
		rehash(&p.nodes, at.bucket, leafHash(encodeBucket(p.buckets[at.bucket])))
		if i == len(touched)-1 || touched[i+1].page != at.page {
			rehash(&next.nodes, at.page, p.nodes[1])
		}
	}
	return &next
}

// rehash sets leaf i of a heap of nodes and computes the path above the leaf.
func rehash(nodes *[2 * pageSize]hash, i int, leaf hash) {
	i += pageSize
	nodes[i] = leaf
	for i > 1 {
		i /= 2
		nodes[i] = innerHash(nodes[2*i], nodes[2*i+1])
	}
}

// merge returns a new bucket: the old one after the changes.
func merge(bucket []KeyValue, changes []Change) []KeyValue {
	bucket = slices.Clone(bucket)
	for _, c := range changes {
		i, ok := slices.BinarySearchFunc(bucket, c.Key, comparePair)
		switch {
		case c.Value == nil && ok:
			bucket = slices.Delete(bucket, i, i+1)
		case c.Value == nil:
		case ok:
			bucket[i].Value = c.Value
		default:
			bucket = slices.Insert(bucket, i, KeyValue(c))
		}
	}
	return bucket
}

// pairs returns the pairs whose key starts with prefix, sorted by key.
func (t *tree) pairs(prefix []byte) []KeyValue {
	var found []KeyValue
	for _, p := range t.pages {
		if p == emptyPage {
			continue
		}
		for _, bucket := range p.buckets {
			for _, pair := range bucket {
				if bytes.HasPrefix(pair.Key, prefix) {
					found = append(found, pair)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b KeyValue) int { return bytes.Compare(a.Key, b.Key) })
	return found
}
