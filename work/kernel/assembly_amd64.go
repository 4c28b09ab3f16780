//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

//go:generate -command gen go run -C internal/gen .
//go:generate gen -isa avx512 -out ../../avx512_amd64.s -stubs ../../avx512_amd64.go -pkg kernel
//go:generate gen -isa avx2 -out ../../avx2_amd64.s -stubs ../../avx2_amd64.go -pkg kernel

// assembly returns the devices written in assembly, the fastest first.
func assembly() []backend {
	return []backend{
		{"avx512", hasAVX512, avx512.cells},
		{"avx2", hasAVX2, avx2.cells},
	}
}

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2 }

// hasAVX512 wants what the x86-64-v4 level names of AVX-512.
func hasAVX512() bool {
	x := &cpu.X86
	return hasAVX2() && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}
