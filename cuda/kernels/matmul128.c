// MatMul by tiles of 128 x 128, for products that fill a device with them.
#define TILE 128
#define WORK 8
#include "matmul.h"

PRODUCT(matmul128_nn, 1, 0)
PRODUCT(matmul128_nt, 1, 1)
PRODUCT(matmul128_tn, 0, 0)
