// Linear8WeightGrad by tensor cores, for K a multiple of 16, tiles of 64 x 64. A block of 128 rows of X is
// two stages, after which the sums go into the chains. Codes of X are turned on their way into shared memory,
// where they lie as those of dY do. Four blocks share a multiprocessor, which leaves 128 registers for a thread:
// bounds: .maxntid 128, 1, 1 .minnctapersm 4
#define TILE 64
#include "tensor8.h"

// fetch_turned loads this thread's share of a stage of Q [rows,k]: four columns of the rows of a group, zeros
// beyond the last row. Columns beyond the last are the last four again, and are not stored.
INLINE void fetch_turned(const GLOBAL i8 *q, u32 col, u32 from, u32 rows, u32 k, int aligned, word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++) {
		u32 e = i * THREADS + thread(), row = (from + e / 16) * GROUP, at = least(col + e % 16 * 4, k - 4);
		UNROLL
		for (u32 j = 0; j < GROUP; j++)
			v[i][j] = row + j < rows ? word(q + (u64)(row + j) * k + at, 4, aligned) : 0;
	}
}

// keep_turned makes words of four rows of them, one for each column, and stores these.
INLINE void keep_turned(SHARED u32 *tile, const word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++) {
		u32 e = i * THREADS + thread();
		u32 a = __nvvm_prmt(v[i][0], v[i][1], 0x5140), b = __nvvm_prmt(v[i][2], v[i][3], 0x5140);
		u32 c = __nvvm_prmt(v[i][0], v[i][1], 0x7362), d = __nvvm_prmt(v[i][2], v[i][3], 0x7362);
		*(SHARED word4 *)(tile + line(e / 16) * WIDTH + e % 16 * 4) =
			(word4){__nvvm_prmt(a, b, 0x5410), __nvvm_prmt(a, b, 0x7632), __nvvm_prmt(c, d, 0x5410),
		            __nvvm_prmt(c, d, 0x7632)};
	}
}

// stage adds a stage to every sum of this warp. Product i along the rows has rows 4*quad()+i.
INLINE void stage(const SHARED u32 *as, const SHARED u32 *bs, int sum[4][4][2]) {
	UNROLL
	for (u32 s = 0; s < 4; s++) {
		word4 a = columns(as, corner_row(), s), b = columns(bs, corner_col(), s);
		UNROLL
		for (u32 i = 0; i < 4; i++)
			UNROLL
			for (u32 j = 0; j < 4; j++)
				multiply(sum[i][j], a[i], b[j]);
	}
}

// chain adds the sums of a block, times the scales of their columns, to the results.
INLINE void chain(const GLOBAL float *scales, u32 col, u32 n, int sum[4][4][2], float acc[4][4][2]) {
	UNROLL
	for (u32 h = 0; h < 2; h++)
		UNROLL
		for (u32 j = 0; j < 4; j++) {
			float s = scales[least(col + first_col(h) + j, n - 1)];
			UNROLL
			for (u32 i = 0; i < 4; i++) {
				acc[i][j][h] = fma((float)sum[i][j][h], s, acc[i][j][h]);
				sum[i][j][h] = 0;
			}
		}
}

INLINE void write_nn(GLOBAL float *y, u32 row, u32 col, u32 k, u32 n, float acc[4][4][2]) {
	int vector = n % 4 == 0 && (u64)y % 16 == 0;
	UNROLL
	for (u32 i = 0; i < 4; i++)
		UNROLL
		for (u32 h = 0; h < 2; h++) {
			u32 r = row + corner_row() + quad() * 4 + i, c = col + first_col(h);
			float v[4] = {acc[i][0][h], acc[i][1][h], acc[i][2][h], acc[i][3][h]};
			if (r < k && c < n)
				store(y + (u64)r * n + c, v, n - c, vector);
		}
}

INLINE void write_nt(GLOBAL float *y, u32 row, u32 col, u32 k, u32 n, float acc[4][4][2]) {
	int vector = (u64)y % 16 == 0; // k is a multiple of 16
	UNROLL
	for (u32 j = 0; j < 4; j++)
		UNROLL
		for (u32 h = 0; h < 2; h++) {
			u32 r = row + corner_row() + quad() * 4, c = col + first_col(h) + j;
			float v[4] = {acc[0][j][h], acc[1][j][h], acc[2][j][h], acc[3][j][h]};
			if (r < k && c < n)
				store(y + (u64)c * k + r, v, 4, vector);
		}
}

INLINE void weightgrad(const GLOBAL i8 *q, const GLOBAL i8 *z, const GLOBAL float *scales, GLOBAL float *y, u32 rows,
                       u32 k, u32 n, int nt) {
	static SHARED u32 as[2][WIDTH * GROUPS] __attribute__((aligned(16)));
	static SHARED u32 bs[2][WIDTH * GROUPS] __attribute__((aligned(16)));
	u32 row = block() * TILE, col = block_y() * TILE, half = 0;
	int aligned = (u64)q % 4 == 0, sum[4][4][2] = {};
	panels p = panels_of(z, parts(rows, GROUP), n);
	float acc[4][4][2] = {};
	word4 va[LOADS], vb[LOADS];
	fetch_turned(q, row, 0, rows, k, aligned, va);
	fetch(&p, col, 0, vb);
	for (u32 from = 0;;) {
		keep_turned(as[half], va);
		keep(bs[half], vb);
		barrier();
		from += GROUPS;
		if (from < p.groups) {
			fetch_turned(q, row, from, rows, k, aligned, va);
			fetch(&p, col, from, vb);
		}
		stage(as[half], bs[half], sum);
		if (half || from >= p.groups) { // the end of a block of 128 rows
			chain(scales, col, n, sum, acc);
			scales += n;
		}
		if (from >= p.groups)
			break;
		half = !half;
	}
	if (nt)
		write_nt(y, row, col, k, n, acc);
	else
		write_nn(y, row, col, k, n, acc);
}

#define GRADIENT(name, nt)                                                                                     \
	KERNEL name(const GLOBAL i8 *q, const GLOBAL i8 *z, const GLOBAL float *scales, GLOBAL float *y, u32 rows, \
	            u32 k, u32 n) {                                                                                 \
		weightgrad(q, z, scales, y, rows, k, n, nt);                                                             \
	}

GRADIENT(linear8weightgradtensor_nn, 0)
GRADIENT(linear8weightgradtensor_nt, 1)
