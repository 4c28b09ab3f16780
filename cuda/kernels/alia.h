// What every kernel here stands on. Floating point is IEEE binary32, rounded
// to nearest even at each operation: contraction is off, fma is written where
// NUMERICS.md says fma, and a maximum is a select.
#pragma once

typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char i8;
typedef float float4 __attribute__((ext_vector_type(4)));

#define KERNEL __attribute__((nvptx_kernel)) void
#define INLINE static inline __attribute__((always_inline))
#define GLOBAL __attribute__((address_space(1)))
#define SHARED __attribute__((address_space(3)))
#define UNROLL _Pragma("unroll")
#define EACH 0xffffffff // all lanes of a warp

enum { LANES = 32 };

INLINE u32 thread(void) { return __nvvm_read_ptx_sreg_tid_x(); }
INLINE u32 threads(void) { return __nvvm_read_ptx_sreg_ntid_x(); }
INLINE u32 block(void) { return __nvvm_read_ptx_sreg_ctaid_x(); }
INLINE u32 block_y(void) { return __nvvm_read_ptx_sreg_ctaid_y(); }
INLINE u32 block_z(void) { return __nvvm_read_ptx_sreg_ctaid_z(); }
INLINE u32 blocks_x(void) { return __nvvm_read_ptx_sreg_nctaid_x(); }
INLINE u32 blocks_z(void) { return __nvvm_read_ptx_sreg_nctaid_z(); }
INLINE u32 lane(void) { return thread() % LANES; }
INLINE void barrier(void) { __syncthreads(); }

// element is this thread's place in a grid of one thread an element.
INLINE u64 element(void) { return (u64)block() * threads() + thread(); }

// warp is this warp's place in a grid of one warp an item.
INLINE u64 warp(void) { return element() / LANES; }

// high is the high half of a product; asked for by name, so that the compiler
// does not take a 64-bit product apart.
INLINE u32 high(u32 a, u32 b) { return (u32)__nvvm_mulhi_ui(a, b); }

INLINE u32 least(u32 a, u32 b) { return a < b ? a : b; }

INLINE float number(u32 bits) { return __builtin_bit_cast(float, bits); }
INLINE u32 bits(float x) { return __builtin_bit_cast(u32, x); }
INLINE float fma(float x, float y, float z) { return __nvvm_fma_rn_f(x, y, z); }
INLINE float divide(float x, float y) { return __nvvm_div_rn_f(x, y); }
INLINE float root(float x) { return __nvvm_sqrt_rn_f(x); }

// hidden is x, kept from the compiler, which would make a select against a
// constant into a minimum or maximum instruction.
INLINE float hidden(float x) {
	__asm__("" : "+f"(x));
	return x;
}

#define NEG_INF number(0xff800000)

// larger is the maximum of NUMERICS.md, section 1.4: b where either is NaN.
INLINE float larger(float a, float b) { return a > b ? a : b; }
INLINE float magnitude(float x) { return x < 0 ? -x : x; }

// Row reductions are NUMERICS.md, section 3: 32 lanes, each over elements lane, lane+32, ...
// ascending, then folded in halves. Every lane gets the result.
INLINE float first(float x) { return __nvvm_shfl_sync_idx_f32(EACH, x, 0, 31); }
INLINE float below(float x, u32 by) { return __nvvm_shfl_sync_down_f32(EACH, x, by, 31); }

INLINE float fold_sum(float a) {
	UNROLL
	for (u32 w = LANES / 2; w > 0; w /= 2)
		a = a + below(a, w);
	return first(a);
}

INLINE float fold_max(float a) {
	UNROLL
	for (u32 w = LANES / 2; w > 0; w /= 2)
		a = larger(a, below(a, w));
	return first(a);
}

// OVER is this lane's elements of a row of n, ascending; several are loaded
// before the first is used, since a row is one warp's, which would wait for each.
#define OVER(i, n) _Pragma("unroll 8") for (u32 i = lane(); i < (n); i += LANES)

// lane_dot is the lane sum of x*y, each step one fma.
INLINE float lane_dot(const GLOBAL float *x, const GLOBAL float *y, u32 n) {
	float a = 0;
	OVER(i, n)
		a = fma(x[i], y[i], a);
	return fold_sum(a);
}

INLINE float pow2(int k) { return number((u32)(k + 127) << 23); }
