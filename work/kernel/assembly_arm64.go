//go:build !purego

package kernel

//go:generate go run -C internal/gen ./neon -out ../../neon_arm64.s -stubs ../../neon_arm64.go

// assembly returns the devices written in assembly. Every arm64 processor
// that Go runs on has NEON.
func assembly() []backend {
	return []backend{{"neon", func() bool { return true }, neon.cells, neon.native()}}
}

func fmaLoops() []fmaLoop { return []fmaLoop{{"neon", 2 * 24 * 4, fmasNEON}} }

var neon = primitives{
	cols:   16,
	rows:   []int{6, 4, 2, 1},
	wide:   []tile{tile6x16NEON, tile4x16NEON, tile2x16NEON, tile1x16NEON},
	narrow: []tile{tile6x8NEON, tile4x8NEON, tile2x8NEON, tile1x8NEON},

	packRows: packRowsNEON, packColumns: packColumnsNEON,
	add: addNEON, scale: scaleNEON, relu: reluNEON, reluGrad: reluGradNEON, swish: swishNEON,
	scaleAdd: scaleAddNEON, gainGrad: gainGradNEON, entropy: crossEntropyGradNEON,
	adam: adamNEON, dropout: dropoutNEON,
	addQuantized: addQuantizedNEON, quantize: quantizeNEON,
	rows8: []int{2, 1}, linear8: []linear8{linear8x2NEON, linear8x1NEON},
	laneSum: laneSumNEON, laneSumSquares: laneSumSquaresNEON, laneMax: laneMaxNEON, largest: largestNEON,
	indexOf: indexOfNEON, absMax: absMaxNEON, laneSumExp: laneSumExpNEON,
	layerNorm: layerNormNEON, layerNormGrad: layerNormGradNEON,
	softmax: softmaxNEON, softmaxGrad: softmaxGradNEON,
}
