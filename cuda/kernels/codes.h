// Codes of 8 bits, as products of codes read them: in panels of 16 columns. Each group of
// four rows of a panel is a word for each column.
#pragma once
#include "alia.h"

enum { PANEL = 16, GROUP = 4 };

// parts is n divided by d, rounded up.
INLINE u32 parts(u32 n, u32 d) { return (n + d - 1) / d; }

// place is the offset of the word of a group and a column, in panels of some groups.
INLINE u64 place(u32 group, u32 col, u32 groups) {
	return (((u64)(col / PANEL) * groups + group) * PANEL + col % PANEL) * GROUP;
}

// pack makes a word of the low bytes of four numbers.
INLINE u32 pack(u32 a, u32 b, u32 c, u32 d) {
	return __nvvm_prmt(__nvvm_prmt(a, b, 0x40), __nvvm_prmt(c, d, 0x40), 0x5410);
}

// word loads four codes, of which count exist, the others as zeros. They may
// lie at any address.
INLINE u32 word(const GLOBAL i8 *at, u32 count, int aligned) {
	if (aligned && count >= GROUP)
		return *(const GLOBAL u32 *)at;
	u32 v[GROUP];
	UNROLL
	for (u32 j = 0; j < GROUP; j++)
		v[j] = j < count ? (u32)at[j] : 0;
	return pack(v[0], v[1], v[2], v[3]);
}

// put stores four codes, at any address.
INLINE void put(GLOBAL i8 *at, u32 v, int aligned) {
	if (aligned) {
		*(GLOBAL u32 *)at = v;
		return;
	}
	UNROLL
	for (u32 j = 0; j < GROUP; j++)
		at[j] = (i8)(v >> 8 * j);
}
