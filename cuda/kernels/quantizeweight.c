// QuantizeWeight: scales first, a lane or a warp a column of W. Then codes, by tiles of
// 32 x 32, which go through shared memory as [row][column] and out in both layouts.
#include "codes.h"
#include "quantum.h"

enum { SIDE = 32, WARPS = 8, WIDTH = SIDE + 4 };

// A block has 32 columns of W [k,n]. Its warps take rows in turn.
KERNEL quantizeweight_scales_nn(const GLOBAL float *w, GLOBAL float *scales, u32 k, u32 n) {
	static SHARED u32 tops[WARPS * LANES];
	u32 col = block() * LANES + lane(), top = 0;
	_Pragma("unroll 8")
	for (u32 i = thread() / LANES; i < k; i += WARPS)
		top = most(top, size(w[(u64)i * n + least(col, n - 1)]));
	tops[thread()] = top;
	barrier();
	UNROLL
	for (u32 e = 0; e < WARPS; e++)
		top = most(top, tops[e * LANES + lane()]);
	if (thread() < LANES && col < n)
		scales[col] = row_scale(top);
}

// A warp has a column, which is a row of W [n,k].
KERNEL quantizeweight_scales_nt(const GLOBAL float *w, GLOBAL float *scales, u32 k, u32 n) {
	u64 col = warp();
	u32 top = 0;
	if (col >= n)
		return;
	OVER(i, k)
		top = most(top, size(w[col * k + i]));
	top = fold_most(top, LANES / 2);
	if (lane() == 0)
		scales[col] = row_scale(top);
}

// code is the code of a row and a column, 0 beyond the edges.
INLINE i8 code(const GLOBAL float *w, const GLOBAL float *scales, u32 i, u32 j, u32 k, u32 n, int nt) {
	if (i >= k || j >= n)
		return 0;
	return code8(w[nt ? (u64)j * k + i : (u64)i * n + j], inverse(scales[j]));
}

// store writes this thread's word of a matrix of codes, [k,n] with this tile at row and col.
// Four rows of the tile are step apart, columns next.
INLINE void store(const SHARED i8 *tile, GLOBAL i8 *q, u32 row, u32 col, u32 k, u32 n, u32 step, u32 next) {
	u32 own = thread() / LANES, groups = parts(k, GROUP), v[GROUP];
	UNROLL
	for (u32 j = 0; j < GROUP; j++)
		v[j] = (u32)tile[(own * GROUP + j) * step + lane() * next];
	if (row / GROUP + own < groups && col + lane() < parts(n, PANEL) * PANEL)
		put(q + place(row / GROUP + own, col + lane(), groups), pack(v[0], v[1], v[2], v[3]), (u64)q % 4 == 0);
}

INLINE void quantizeweight(const GLOBAL float *w, const GLOBAL float *scales, GLOBAL i8 *packed, GLOBAL i8 *turned,
                           u32 k, u32 n, int nt) {
	static SHARED i8 tile[SIDE * WIDTH];
	u32 across = parts(n, SIDE), row = block() / across * SIDE, col = block() % across * SIDE;
	UNROLL
	for (u32 e = thread() / LANES; e < SIDE; e += WARPS) { // a warp reads along memory
		u32 i = nt ? lane() : e, j = nt ? e : lane();
		tile[i * WIDTH + j] = code(w, scales, row + i, col + j, k, n, nt);
	}
	barrier();
	store(tile, packed, row, col, k, n, WIDTH, 1);
	store(tile, turned, col, row, n, k, 1, WIDTH);
}

#define CODES(name, nt)                                                                                       \
	KERNEL name(const GLOBAL float *w, const GLOBAL float *scales, GLOBAL i8 *packed, GLOBAL i8 *turned, u32 k, \
	            u32 n) {                                                                                        \
		quantizeweight(w, scales, packed, turned, k, n, nt);                                                     \
	}

CODES(quantizeweight_nn, 0)
CODES(quantizeweight_nt, 1)
