package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The functions here compute one row, as a decoder does for one sentence. A tile of one row would have to wait
// for each of its products.

// rowVecs is the number of vectors of C that rowProduct computes at the same time.
const rowVecs = 8

// rowProduct emits a matrix product whose A has one row. A block is some panels of two vectors each.
func (m *machine) rowProduct() {
	m.text("rowProduct", "(c, a, b *float32, rowB, panelB, ahead, k, blocks int)",
		fmt.Sprintf("is the product of k elements of A and k rows of B, rowB bytes apart, of blocks of %d columns. "+
			"Every %d columns lie panelB bytes behind those before. Bytes are prefetched that lie ahead.",
			rowVecs*m.width, 2*m.width))
	c, b, rowB, panelB, ahead, blocks := arg("c"), arg("b"), arg("rowB"), arg("panelB"), arg("ahead"), arg("blocks")
	Label("block")
	acc := make([]VecVirtual, rowVecs)
	for i := range acc {
		acc[i] = m.zero()
	}
	// Down the rows of B, whose columns of this block stay in registers as sums.
	var panels []GPVirtual
	for range rowVecs / 2 {
		p := GP64()
		MOVQ(b, p)
		ADDQ(panelB, b)
		panels = append(panels, p)
	}
	a, k := arg("a"), arg("k")
	Label("product")
	x := m.vec()
	VBROADCASTSS(Mem{Base: a}, x)
	for i := range acc {
		VFMADD231PS(Mem{Base: panels[i/2], Disp: 4 * m.width * (i % 2)}, x, acc[i])
	}
	for _, p := range panels {
		for line := 0; line < 8*m.width; line += 64 {
			PREFETCHT1(Mem{Base: p, Index: ahead, Scale: 1, Disp: line})
		}
	}
	ADDQ(Imm(4), a)
	for _, p := range panels {
		ADDQ(rowB, p)
	}
	DECQ(k)
	JNZ(LabelRef("product"))
	for i := range acc {
		VMOVUPS(acc[i], Mem{Base: c, Disp: 4 * m.width * i})
	}
	ADDQ(U32(uint32(4*rowVecs*m.width)), c)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	m.end()
}

// queryMix emits kernel.AttnMix for one query, head after head.
func (m *machine) queryMix() {
	m.text("queryMix", "(y, p, v *float32, rowV, width, heads, keys int)",
		"mixes rows of V, rowV bytes apart, for one query: width columns for each head.")
	y, p, v, rowV := arg("y"), arg("p"), arg("v"), arg("rowV")
	width, keys, heads := arg("width"), arg("keys"), arg("heads")
	Label("head")
	m.blocks("columns", width, func() {
		name := "key"
		if m.masked {
			name = "keyTail"
		}
		// A block of the head's columns, down all keys.
		acc := m.accumulators(m.zero)
		row, share, left := GP64(), GP64(), GP64()
		MOVQ(v, row)
		MOVQ(p, share)
		MOVQ(keys, left)
		Label(name)
		x := m.vec()
		VBROADCASTSS(Mem{Base: share}, x)
		for i := range acc {
			VFMADD231PS(m.load(row, i), x, acc[i])
		}
		ADDQ(rowV, row)
		ADDQ(Imm(4), share)
		DECQ(left)
		JNZ(LabelRef(name))
		for i := range acc {
			m.store(acc[i], y, i)
		}
	})
	// The next head's columns, and its shares.
	LEAQ(Mem{Base: y, Index: width, Scale: 4}, y)
	LEAQ(Mem{Base: v, Index: width, Scale: 4}, v)
	LEAQ(Mem{Base: p, Index: keys, Scale: 4}, p)
	DECQ(heads)
	JNZ(LabelRef("head"))
	m.end()
}

// queryScores emits kernel.AttnScores for one query and 16 keys, for AVX-512.
func (m *machine) queryScores() {
	m.text("queryScores", "(dst *float32, ld int, q, k *float32, rowK, width, heads, n int)",
		"scores n of 16 keys, rows of K that are rowK bytes apart: width columns, a multiple of 4, "+
			"for each head, whose scores are ld bytes apart.")
	n := arg("n")
	m.mask(n)
	dst, ld, q, rowK := arg("dst"), arg("ld"), arg("q"), arg("rowK")
	width, heads := arg("width"), arg("heads")
	k := everyThird(arg("k"), rowK, 16)
	Label("head")
	// Four columns of 16 keys at a time, each times one element of the query: a lane is a key.
	var acc []VecVirtual
	for range 16 / m.width {
		acc = append(acc, m.zero())
	}
	left := GP64()
	MOVQ(width, left)
	Label("columns")
	for v := range acc {
		for i, column := range m.transpose4(k, rowK, v*m.width, 0) {
			at := Mem{Base: q, Disp: 4 * i}
			if m.wide {
				VFMADD231PS_BCST(at, column, acc[v])
				continue
			}
			x := m.vec()
			VBROADCASTSS(at, x)
			VFMADD231PS(x, column, acc[v])
		}
	}
	for _, p := range append(k, q) {
		ADDQ(Imm(16), p)
	}
	SUBQ(Imm(4), left)
	JNZ(LabelRef("columns"))
	for v := range acc {
		if at := (Mem{Base: dst, Disp: 4 * m.width * v}); m.wide {
			VMOVUPS(acc[v], m.tail[v], at)
		} else {
			VMASKMOVPS(acc[v], m.maskVec(v), at)
		}
	}
	ADDQ(ld, dst)
	DECQ(heads)
	JNZ(LabelRef("head"))
	m.end()
}

// transpose4 returns four columns, from column on, of as many rows from first on as a vector has elements.
func (m *machine) transpose4(bases []GPVirtual, stride GPVirtual, first, column int) [4]VecVirtual {
	// Load four elements of each row. The quarters of v[i] are rows i, i+4, i+8 and i+12 (AVX2: the halves
	// are rows i and i+4), so that only the elements within quarters must be transposed.
	var v, out [4]VecVirtual
	for i := range v {
		v[i] = m.vec()
		for quarter := range m.width / 4 {
			from := rowAt(bases, stride, first+4*quarter+i)
			from.Disp = 4 * column
			switch {
			case quarter == 0:
				VMOVUPS(from, v[i].AsX())
			case m.wide:
				VINSERTF32X4(Imm(uint64(quarter)), from, v[i], v[i])
			default:
				VINSERTF128(Imm(1), from, v[i], v[i])
			}
		}
	}
	low01, high01, low23, high23 := m.vec(), m.vec(), m.vec(), m.vec()
	VUNPCKLPS(v[1], v[0], low01)
	VUNPCKHPS(v[1], v[0], high01)
	VUNPCKLPS(v[3], v[2], low23)
	VUNPCKHPS(v[3], v[2], high23)
	for i, pair := range [][2]VecVirtual{{low01, low23}, {high01, high23}} {
		out[2*i], out[2*i+1] = m.vec(), m.vec()
		VUNPCKLPD(pair[1], pair[0], out[2*i])
		VUNPCKHPD(pair[1], pair[0], out[2*i+1])
	}
	return out
}
