//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate go run -C internal/gen ./neon -out ../../neon_arm64.s -stubs ../../neon_arm64.go

// assembly returns the devices written in assembly. Every arm64 processor
// that Go runs on has NEON. Most have SDOT, which multiplies and adds four
// codes in one instruction.
func assembly() []backend {
	p := neonCodes()
	if cpu.ARM64.HasASIMDDP {
		p.rows8 = []int{4, 2, 1}
		p.linear8 = []linear8{linear8x4DotNEON, linear8x2DotNEON, linear8x1DotNEON}
		p.gradRows, p.gradBlock = 4, weightGrad8x4DotNEON
	}
	return []backend{{"neon", func() bool { return true }, p.cells, p.native()}}
}

func dotLoops() []peakLoop { return nil }

func fmaLoops() []peakLoop { return []peakLoop{{"neon", 2 * 24 * 4, fmasNEON}} }

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

// neonCodes is a function, so that the linker can leave the assembly out of a program that
// opens no device.
func neonCodes() codes8 {
	return codes8{
		primitives: neon,
		gradRows:   2, gradBlock: weightGrad8x2NEON,
		multiply: multiplyNEON, columnMax: columnMaxNEON, quantColumns: quantizeColumnsNEON,
		packCodes: packCodesNEON, turnCodes: turnCodesNEON,
	}
}
