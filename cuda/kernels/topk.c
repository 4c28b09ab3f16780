// TopK: the k largest of each row, descending, equals by ascending index. A block
// a row of d, since decoding has few rows and long ones. It goes k times from one
// to the next in that order, so nothing need be marked as taken: each thread has
// the first of its own that comes after the last one chosen, and the block takes
// the first of those. Only the thread whose own was taken looks for another.
#include "alia.h"

enum { MOST_WARPS = 8, AHEAD = 8 }; // loads of a thread before the first is used

// entry is an element and its index, which is d where there is none: behind any
// that exists, whose value is at least as large.
typedef struct {
	float v;
	int at;
} entry;

// before is the order of the result.
INLINE int before(entry a, entry b) { return (a.v > b.v) | ((a.v == b.v) & (a.at < b.at)); }

INLINE entry earlier(entry a, entry b) {
	int swap = before(b, a);
	return (entry){swap ? b.v : a.v, swap ? b.at : a.at};
}

// next is the first after last of this thread's elements of a row. Beyond the
// end it has the row's last one, as others do: all of them find it taken.
INLINE entry next(const GLOBAL float *x, u32 d, entry last) {
	float none = hidden(NEG_INF), v[AHEAD];
	entry best = {none, (int)d};
	for (u32 from = thread(); from < d; from += AHEAD * threads()) {
		UNROLL
		for (u32 i = 0; i < AHEAD; i++)
			v[i] = x[least(from + i * threads(), d - 1)];
		UNROLL
		for (u32 i = 0; i < AHEAD; i++) {
			entry e = {larger(v[i], none), (int)least(from + i * threads(), d - 1)}; // -Inf for NaN
			int better = before(last, e) & before(e, best);
			best = (entry){better ? e.v : best.v, better ? e.at : best.at};
		}
	}
	return best;
}

// fold is the first of a warp's, in its lane 0.
INLINE entry fold(entry e) {
	UNROLL
	for (u32 w = LANES / 2; w > 0; w /= 2)
		e = earlier(e, (entry){below(e.v, w), __nvvm_shfl_sync_down_i32(EACH, e.at, w, 31)});
	return e;
}

KERNEL topk(const GLOBAL float *x, GLOBAL float *y, GLOBAL int *ids, u32 d, u32 k) {
	static SHARED float v[2][MOST_WARPS]; // in turn, so that none is written while it is read
	static SHARED int at[2][MOST_WARPS];
	u64 t = block();
	entry last = {-NEG_INF, -1}, own = last;
	for (u32 j = 0; j < k; j++) {
		if (own.at == last.at)
			own = next(x + t * d, d, last);
		entry e = fold(own);
		if (lane() == 0) {
			v[j % 2][thread() / LANES] = e.v;
			at[j % 2][thread() / LANES] = e.at;
		}
		barrier();
		last = (entry){v[j % 2][0], at[j % 2][0]};
		for (u32 w = 1; w < threads() / LANES; w++)
			last = earlier(last, (entry){v[j % 2][w], at[j % 2][w]});
		if (thread() == 0) {
			y[t * k + j] = last.v;
			ids[t * k + j] = last.at;
		}
	}
}
