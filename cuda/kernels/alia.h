// What every kernel here stands on. Floating point is IEEE binary32, rounded
// to nearest even at each operation: contraction is off, fma is written where
// the numeric specification says fma, and a maximum is a select.
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
INLINE u32 lane(void) { return thread() % LANES; }
INLINE void barrier(void) { __syncthreads(); }

// element is this thread's place in a grid of one thread an element.
INLINE u64 element(void) { return (u64)block() * threads() + thread(); }

// warp is this warp's place in a grid of one warp an item.
INLINE u64 warp(void) { return element() / LANES; }

INLINE u32 least(u32 a, u32 b) { return a < b ? a : b; }

INLINE float number(u32 bits) { return __builtin_bit_cast(float, bits); }
INLINE u32 bits(float x) { return __builtin_bit_cast(u32, x); }
INLINE float fma(float x, float y, float z) { return __nvvm_fma_rn_f(x, y, z); }
INLINE float divide(float x, float y) { return __nvvm_div_rn_f(x, y); }
INLINE float root(float x) { return __nvvm_sqrt_rn_f(x); }

// zero is +0, hidden from the compiler, which would make a select against a
// constant zero into a maximum instruction.
INLINE float zero(void) {
	float z = 0;
	__asm__("" : "+f"(z));
	return z;
}

#define NEG_INF number(0xff800000)
