//go:build (amd64 || arm64) && !purego

package kernel

// primitives are the functions of one instruction set: tiles of a matrix product and
// operations on one row, each written in assembly by internal/gen. The cells are built
// from them in Go, once for all instruction sets. A pointer is to the first of n
// elements, n is at least 1, and strides are in bytes.
type primitives struct {
	cols        int        // columns of a wide tile; a narrow one has half
	rows        []int      // heights of tiles, the tallest first, 1 the last
	wide        []tile     // by height
	narrow      []tile     // by height
	rowCols     int        // columns of a block of rowProduct
	rowProduct  rowProduct // it and the next two may be nil: then tiles serve
	queryMix    queryMix
	queryScores queryScores

	packRows      packRows
	packColumns   packColumns
	packColumns16 packColumns16 // nil where vectors have fewer than 16 elements

	add      func(dst, x, y *float32, n int)
	scale    func(dst, x *float32, factor float32, n int)
	relu     func(dst, x *float32, n int)
	reluGrad func(dst, y, dy *float32, n int)
	swish    func(dst, x *float32, n int)
	scaleAdd func(dst, x, z *float32, factor float32, n int)
	gainGrad func(sum, dy, x *float32, mean, r float32, n int)
	entropy  func(dx, x *float32, top, inv, eps, scale float32, n int)
	adam     func(u, m1, v1, grad, m0, v0 *float32, factors *[8]float32, n int)
	dropout  func(dst, x *float32, keys *[12][4]uint32, drop uint32, factor float32, n int)

	addQuantized func(dst, x *float32, q *int8, sign, scale float32, n int)
	quantize     func(q *int8, x *float32, inv float32, n int)

	rows8    []int      // heights of linear8 or linear16, the tallest first, 1 the last; or nil
	linear8  []linear8  // by height
	linear16 []linear16 // by height, of codes that widen made 16 bits wide; nil where linear8 serves
	widen    func(dst *int16, q *int8, n int)

	// Both may be nil: then absMax and quantize serve, and linear8.
	codeRows func(q *int8, scales, x *float32, k, rows int)
	dots     *dots

	// The quantisers of 4 and 2 bits may be nil: then the reference serves.
	quantize4     func(q *int32, x *float32, inv float32, n int)
	quantize2     func(q *int32, x *float32, high float32, n int)
	addQuantized4 func(dst, x *float32, q *int32, sign, scale float32, n int)
	addQuantized2 func(dst, x *float32, q *int32, sign, scale float32, n int)

	laneSum        func(x *float32, n int) float32
	laneSumSquares func(x *float32, n int) float32
	laneMax        func(x *float32, n int) float32
	largest        func(x *float32, n int) float32
	indexOf        func(x *float32, value float32, n int) int
	absMax         func(x *float32, n int) float32
	laneSumExp     func(x *float32, top float32, n int) float32

	layerNorm     func(y, x, gamma, beta, stats *float32, count, eps float32, n int)
	layerNormGrad func(dx, x, gamma, dy *float32, mean, r, count float32, n int)
	softmax       func(y, x *float32, scale float32, n, step, ld, rows int)
	softmaxGrad   func(ds, p, dp *float32, scale float32, n, step, ld, rows int)
}

type (
	linear8       func(y *float32, ldy int, q *int8, ldq, groups int, w *int8, panels int, sx, sw, b *float32)
	linear16      func(y *float32, ldy int, q *int16, ldq, groups int, w *int8, panels int, sx, sw, b *float32)
	tile          func(c *float32, ldc int, a *float32, rowA, colA int, b *float32, rowB, k, n, resume int, next *float32, step int)
	rowProduct    func(c, a, b *float32, rowB, panelB, ahead, k, blocks int)
	queryMix      func(y, p, v *float32, rowV, width, heads, keys int)
	queryScores   func(dst *float32, ld int, q, k *float32, rowK, width, heads, n int)
	packRows      func(dst, b *float32, rowB, k, n int)
	packColumns16 func(dst *float32, ld int, src *float32, rowSrc, k int)
	packColumns   func(dst *float32, ld int, src *float32, rowSrc, rows, k int)
)
