// ScatterAdd: y = base, with y[ids[t]] = fma(dy[t], factor, y[ids[t]]) for t
// ascending. A block a row of y: its warps look through ids for the row's
// number, 32 at a time, and so meet its tokens in order without atomics. y may
// be base.
#include "alia.h"

enum { EACH_THREAD = 4 }; // columns of a thread in one pass

KERNEL scatteradd(const GLOBAL float *base, const GLOBAL u32 *ids, const GLOBAL float *dy, GLOBAL float *y,
                  float factor, u32 tokens, u32 d) {
	u64 row = (u64)block() * d;
	for (u32 from = 0; from < d; from += EACH_THREAD * threads()) {
		u32 col = from + thread();
		float acc[EACH_THREAD];
		UNROLL
		for (u32 i = 0; i < EACH_THREAD; i++)
			acc[i] = col + i * threads() < d ? base[row + col + i * threads()] : 0;
		for (u32 first = 0; first < tokens; first += LANES) {
			u32 t = first + lane();
			u32 hits = __nvvm_vote_ballot_sync(EACH, ids[least(t, tokens - 1)] == block() && t < tokens);
			for (; hits; hits &= hits - 1) {
				const GLOBAL float *x = dy + (u64)(first + (u32)__builtin_ctz(hits)) * d;
				UNROLL
				for (u32 i = 0; i < EACH_THREAD; i++)
					acc[i] = fma(x[least(col + i * threads(), d - 1)], factor, acc[i]);
			}
		}
		UNROLL
		for (u32 i = 0; i < EACH_THREAD; i++)
			if (col + i * threads() < d)
				y[row + col + i * threads()] = acc[i];
	}
}
