// Command gen writes the assembly of package kernel for AVX-512 and AVX2 with avo. Each primitive has one
// description for both instruction sets. A method of machine emits the instructions of one primitive; the
// package kernel calls it with the signature that the method declares.
//
//	go run . -isa avx512 -out ../../avx512_amd64.s -stubs ../../avx512_amd64.go -pkg kernel
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
)

var isa = flag.String("isa", "avx512", "instruction set: avx512 or avx2")

func main() {
	flag.Parse()
	m := newMachine(*isa)
	ConstraintExpr("!purego")
	m.constants()

	// The matrix product.
	for _, rows := range m.tileRows() {
		m.tile(rows, 2)
		m.tile(rows, 1)
	}
	m.fmas()
	m.packRows()
	m.packColumns()
	if m.wide {
		m.packColumns16()
	}

	// Single rows and queries, as in decoding.
	m.rowProduct()
	m.queryMix()
	m.queryScores()

	// Elements and codes. AVX-512 uses AVX2's code for 4 and 2 bits.
	m.elementwise()
	m.addQuantized()
	m.quantize()
	if m.wide {
		for _, rows := range []int{4, 2, 1} {
			m.linear8(rows)
		}
		for _, rows := range dotRows {
			for vecs := 2; vecs > 0; vecs-- {
				m.linear8Tile(rows, vecs)
				m.gradTile(rows, vecs)
			}
		}
		m.dotsAlone()
		m.dotStarts()
		m.flipCodes()
		m.flipColumns()
		m.quantizePanel()
		m.codeRows("codeRows", false)
		m.codeRows("codeScaledRows", true)
	} else {
		for _, rows := range []int{6, 2, 1} {
			m.linear8Words(rows)
		}
		m.widen()
	}
	if !m.wide {
		m.columnMax()
		m.quantizeColumns()
		m.packCodes()
		m.turnCodes()
		m.weightGrad8()
		m.quantize4()
		m.addQuantized4()
		m.quantize2()
		m.addQuantized2()
	}
	// Dropout, and operations on rows.
	m.dropout()
	m.reductions()
	m.indexOf()
	m.layerNorm()
	m.layerNormGrad()
	m.softmax()
	m.softmaxGrad()
	Generate()
}
