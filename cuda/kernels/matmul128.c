// MatMul by tiles of 128 x 128, for products that fill a device with them. Two
// blocks share a multiprocessor, so that one multiplies while the other waits:
// bounds: .maxntid 256, 1, 1 .minnctapersm 2
#define TILE 128
#define WORK 8
#include "matmul.h"

PRODUCT(matmul128_nn, 1, 0)
PRODUCT(matmul128_nt, 1, 1)
PRODUCT(matmul128_tn, 0, 0)
