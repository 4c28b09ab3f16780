// MatMul by tiles of 64 x 64, for products too small for larger ones.
#define TILE 64
#define WORK 8
#include "matmul.h"

PRODUCT(matmul64_nn, 1, 0)
PRODUCT(matmul64_nt, 1, 1)
PRODUCT(matmul64_tn, 0, 0)
