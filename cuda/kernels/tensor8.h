// Products of codes by tensor cores: tiles of TILE x TILE outputs, of which a warp has WORK x 32,
// two warps along the rows and TILE/32 along the columns. Sums of products of codes are exact, so
// the sequence in which the cores add is free.
//
// A block keeps 64 steps of both operands in shared memory, twice: while its warps multiply one
// half, its threads load the next from global memory. Both are words of four steps, a group. The
// instruction multiplies 8 rows by 8 columns over four groups, one for each lane of a quad. It does
// not matter which rows, columns and groups these are, if both operands and the result agree. So
// they are the ones that a lane can load as vectors of four:
//
//   the columns of one instruction are four apart, and a lane loads the words of four columns
//   together, which belong to four instructions;
//   lane q of a quad has groups 4q to 4q+3. Panels lie as [group in its four][four][column].
#pragma once
#include "codes.h"

enum {
	WORK = TILE / 2,          // rows of a warp
	DOWN = WORK / 8,          // products along the rows of a warp
	THREADS = TILE * 2,
	GROUPS = 16,              // groups of a stage
	STEPS = GROUPS * GROUP,
	WIDTH = TILE + 8,         // a line of a panel, padded against bank conflicts
	LOADS = TILE * 4 / THREADS, // vectors of each operand that a thread loads
};

typedef u32 word4 __attribute__((ext_vector_type(4)));

// multiply adds a product of 8 x 8 over 16 steps to c: PTX ISA, "Matrix Fragments for mma.m8n8k16".
// Lane l has four steps, from 4(l%4), of row l/4 of a and of column l/4 of b, and columns
// 2(l%4) and 2(l%4)+1 of row l/4 of c. All lanes must reach it together. clang does not know that
// of assembly, so it is the committed text of which cuda/ptx checks it.
INLINE void multiply(int *c, u32 a, u32 b) {
	__asm__ volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};"
	                 : "+r"(c[0]), "+r"(c[1])
	                 : "r"(a), "r"(b));
}

INLINE u32 quad(void) { return lane() / 4; }
INLINE u32 member(void) { return lane() % 4; }

// corner is where this warp's outputs begin in the tile.
INLINE u32 corner_row(void) { return thread() / LANES % 2 * WORK; }
INLINE u32 corner_col(void) { return thread() / LANES / 2 * LANES; }

// line is where a group lies in a stage of a panel.
INLINE u32 line(u32 group) { return group % 4 * 4 + group / 4; }

// four loads 16 codes at any address.
INLINE word4 four(const GLOBAL i8 *at, int aligned) {
	if (aligned)
		return *(const GLOBAL word4 *)at;
	return (word4){word(at, 4, 0), word(at + 4, 4, 0), word(at + 8, 4, 0), word(at + 12, 4, 0)};
}

// panels is an operand in panels of 16 columns, of which a tile begins at column col.
typedef struct {
	const GLOBAL i8 *at;
	u32 groups, last; // groups of a panel, and the last panel
	int aligned;
} panels;

INLINE panels panels_of(const GLOBAL i8 *at, u32 groups, u32 n) {
	return (panels){at, groups, (n - 1) / PANEL, (u64)at % 16 == 0};
}

// share_group and share_col are the group, and the first of four columns, of a vector of a panel's stage that
// a thread loads. Eight threads store 32 neighbouring words, so that no two of them use the same bank.
INLINE u32 share_group(u32 i) { return (i * THREADS + thread()) / 8 % GROUPS; }
INLINE u32 share_col(u32 i) { return (i * THREADS + thread()) / (8 * GROUPS) * 32 + thread() % 8 * 4; }

// fetch loads this thread's share of a stage: words of four columns. Groups and panels beyond the
// last are the last again. The other operand's codes are zeros in such groups.
INLINE void fetch(const panels *p, u32 col, u32 from, word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++) {
		u32 panel = least((col + share_col(i)) / PANEL, p->last), group = least(from + share_group(i), p->groups - 1);
		v[i] = four(p->at + place(group, panel * PANEL + share_col(i) % PANEL, p->groups), p->aligned);
	}
}

// keep stores it.
INLINE void keep(SHARED u32 *tile, const word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++)
		*(SHARED word4 *)(tile + line(share_group(i)) * WIDTH + share_col(i)) = v[i];
}

// columns loads the words of this lane's four columns, or rows, of a group from a panel's stage.
INLINE word4 columns(const SHARED u32 *tile, u32 corner, u32 step) {
	return *(const SHARED word4 *)(tile + (step * 4 + member()) * WIDTH + corner + quad() * 4);
}

// first_col is the first of four columns that this lane has together in the result, for i of 0 and 1.
INLINE u32 first_col(u32 i) { return corner_col() + member() * 8 + i * 4; }

// store writes four neighbours, of which count exist.
INLINE void store(GLOBAL float *to, const float *v, u32 count, int vector) {
	if (vector && count >= 4) {
		*(GLOBAL float4 *)to = *(const float4 *)v;
		return;
	}
	UNROLL
	for (u32 j = 0; j < 4; j++)
		if (j < count)
			to[j] = v[j];
}
