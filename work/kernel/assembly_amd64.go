//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate -command gen go run -C internal/gen .
//go:generate gen -isa avx512 -out ../../avx512_amd64.s -stubs ../../avx512_amd64.go -pkg kernel
//go:generate gen -isa avx2 -out ../../avx2_amd64.s -stubs ../../avx2_amd64.go -pkg kernel

// assembly returns the devices written in assembly, the fastest first.
func assembly() []backend {
	// AVX-512 VNNI multiplies and adds four codes in one instruction. Processors without
	// it take AVX2's Linear8.
	wide, narrow := codes512(), codes2()
	if cpu.X86.HasAVX512VNNI {
		wide.rows8, wide.linear16 = []int{4, 2, 1}, nil
		wide.linear8 = []linear8{linear8x4AVX512, linear8x2AVX512, linear8x1AVX512}
		wide.dots = &dotsAVX512
	}
	return []backend{
		{"avx512", hasAVX512, wide.cells, wide.native()},
		{"avx2", hasAVX2, narrow.cells, narrow.native()},
	}
}

// fmaLoops may run only on processors that support their device.
func fmaLoops() []peakLoop {
	return []peakLoop{{"avx512", 2 * 96 * 16, fmasAVX512}, {"avx2", 2 * 48 * 8, fmasAVX2}}
}

// dotLoops is empty where the processor has no instruction that multiplies codes.
func dotLoops() []peakLoop {
	if !cpu.X86.HasAVX512VNNI {
		return nil
	}
	return []peakLoop{{"avx512", 2 * 96 * 64, dotsAloneAVX512}}
}

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2 }

// hasAVX512 reports whether the processor has the AVX-512 extensions of the level
// x86-64-v4.
func hasAVX512() bool {
	x := &cpu.X86
	return hasAVX2() && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

var avx512 = primitives{
	cols:   32,
	rows:   []int{12, 8, 4, 2, 1},
	wide:   []tile{tile12x32AVX512, tile8x32AVX512, tile4x32AVX512, tile2x32AVX512, tile1x32AVX512},
	narrow: []tile{tile12x16AVX512, tile8x16AVX512, tile4x16AVX512, tile2x16AVX512, tile1x16AVX512},

	rowCols: 128, rowProduct: rowProductAVX512, queryMix: queryMixAVX512, queryScores: queryScoresAVX512,
	packRows: packRowsAVX512, packColumns: packColumnsAVX512, packColumns16: packColumns16AVX512,
	add: addAVX512, scale: scaleAVX512, relu: reluAVX512, reluGrad: reluGradAVX512, swish: swishAVX512,
	scaleAdd: scaleAddAVX512, gainGrad: gainGradAVX512, entropy: crossEntropyGradAVX512,
	adam: adamAVX512, dropout: dropoutAVX512,
	addQuantized: addQuantizedAVX512, quantize: quantizeAVX512,
	rows8: []int{6, 2, 1}, linear16: []linear16{linear16x6AVX2, linear16x2AVX2, linear16x1AVX2}, widen: widenAVX2,
	quantize4: quantize4AVX2, quantize2: quantize2AVX2,
	addQuantized4: addQuantized4AVX2, addQuantized2: addQuantized2AVX2,
	laneSum: laneSumAVX512, laneSumSquares: laneSumSquaresAVX512, laneMax: laneMaxAVX512, largest: largestAVX512,
	indexOf: indexOfAVX512, absMax: absMaxAVX512, laneSumExp: laneSumExpAVX512,
	layerNorm: layerNormAVX512, layerNormGrad: layerNormGradAVX512,
	softmax: softmaxAVX512, softmaxGrad: softmaxGradAVX512,
}

var avx2 = primitives{
	cols:   16,
	rows:   []int{6, 4, 2, 1},
	wide:   []tile{tile6x16AVX2, tile4x16AVX2, tile2x16AVX2, tile1x16AVX2},
	narrow: []tile{tile6x8AVX2, tile4x8AVX2, tile2x8AVX2, tile1x8AVX2},

	rowCols: 64, rowProduct: rowProductAVX2, queryMix: queryMixAVX2, queryScores: queryScoresAVX2,
	packRows: packRowsAVX2, packColumns: packColumnsAVX2,
	add: addAVX2, scale: scaleAVX2, relu: reluAVX2, reluGrad: reluGradAVX2, swish: swishAVX2,
	scaleAdd: scaleAddAVX2, gainGrad: gainGradAVX2, entropy: crossEntropyGradAVX2,
	adam: adamAVX2, dropout: dropoutAVX2,
	addQuantized: addQuantizedAVX2, quantize: quantizeAVX2,
	rows8: []int{6, 2, 1}, linear16: []linear16{linear16x6AVX2, linear16x2AVX2, linear16x1AVX2}, widen: widenAVX2,
	quantize4: quantize4AVX2, quantize2: quantize2AVX2,
	addQuantized4: addQuantized4AVX2, addQuantized2: addQuantized2AVX2,
	laneSum: laneSumAVX2, laneSumSquares: laneSumSquaresAVX2, laneMax: laneMaxAVX2, largest: largestAVX2,
	indexOf: indexOfAVX2, absMax: absMaxAVX2, laneSumExp: laneSumExpAVX2,
	layerNorm: layerNormAVX2, layerNormGrad: layerNormGradAVX2,
	softmax: softmaxAVX2, softmaxGrad: softmaxGradAVX2,
}

// dotsAVX512 needs VNNI.
var dotsAVX512 = dots{
	linear8: [len(tileRows8)][2]linear8Tile{
		{linear8Tile12x16AVX512, linear8Tile12x32AVX512}, {linear8Tile4x16AVX512, linear8Tile4x32AVX512},
		{linear8Tile1x16AVX512, linear8Tile1x32AVX512},
	},
	grad: [len(tileRows8)][2]gradTile{
		{gradTile12x16AVX512, gradTile12x32AVX512}, {gradTile4x16AVX512, gradTile4x32AVX512},
		{gradTile1x16AVX512, gradTile1x32AVX512},
	},
	starts: dotStartsAVX512, flip: flipCodesAVX512, flipColumns: flipColumnsAVX512,
}

// codes2 is AVX2's, and AVX-512's where it has nothing better. It is a function, so that the
// linker can leave the assembly out of a program that opens no device.
func codes2() codes8 {
	return codes8{
		primitives: avx2,
		gradRows:   2, gradBlock: weightGrad8x2AVX2,
		multiply: multiplyAVX2, columnMax: columnMaxAVX2, quantColumns: quantizeColumnsAVX2,
		packCodes: packCodesAVX2, turnCodes: turnCodesAVX2,
	}
}

// codes512 is codes2 with what AVX-512 has.
func codes512() codes8 {
	p := codes2()
	p.primitives = avx512
	p.codeScaledRows, p.quantizePanel = codeScaledRowsAVX512, quantizePanelAVX512
	return p
}
