package protocol

import (
	"crypto/sha256"
	"math/bits"
)

// The Merkle tree hash of a list, RFC 6962, section 2.1. The list of n leaves is cut
// behind the greatest power of two below n, and each part is a tree by itself. A leaf
// is hashed behind a 0 and two parts behind a 1, so that no part passes for a leaf.

// leafHash is the hash of a leaf with these bytes.
func leafHash(leaf []byte) [32]byte {
	return sha256.Sum256(append([]byte{0}, leaf...))
}

// innerHash is the hash of a list whose two parts have these hashes.
func innerHash(left, right [32]byte) [32]byte {
	b := make([]byte, 0, 1+2*sha256.Size)
	return sha256.Sum256(append(append(append(b, 1), left[:]...), right[:]...))
}

// cut is the number of leaves in the first part of a list of n > 1.
func cut(n uint32) uint32 { return 1 << (bits.Len32(n-1) - 1) }

// treeRoot is the hash of the list whose leaves have these hashes.
func treeRoot(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := cut(uint32(len(leaves)))
	return innerHash(treeRoot(leaves[:k]), treeRoot(leaves[k:]))
}

// treePath is the audit path of leaf i (RFC 6962, section 2.1.1): the hash of the part
// beside each part that holds the leaf, the smallest part first.
func treePath(leaves [][32]byte, i uint32) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := cut(uint32(len(leaves)))
	if i < k {
		return append(treePath(leaves[:k], i), treeRoot(leaves[k:]))
	}
	return append(treePath(leaves[k:], i-k), treeRoot(leaves[:k]))
}

// rootByPath is the hash of the list of n leaves in which leaf i has this hash and this
// audit path. Both may come from a peer: a path has at most 32 hashes, and an error says
// that this one has too few or too many.
func rootByPath(leaf [32]byte, i, n uint32, path [][32]byte) ([32]byte, error) {
	if i >= n {
		return [32]byte{}, Refuse(Malformed, "leaf %d of a list of %d", i, n)
	}
	// The sides on which the leaf lies, from the whole list to the leaf.
	var right []bool
	for at, of := i, n; of > 1; {
		k := cut(of)
		right = append(right, at >= k)
		if at < k {
			of = k
		} else {
			at, of = at-k, of-k
		}
	}
	if len(path) != len(right) {
		return [32]byte{}, Refuse(Malformed, "a path of %d hashes to leaf %d of a list of %d, want %d", len(path), i, n, len(right))
	}
	root := leaf
	for at, beside := range path {
		if right[len(right)-1-at] {
			root = innerHash(beside, root)
		} else {
			root = innerHash(root, beside)
		}
	}
	return root, nil
}
