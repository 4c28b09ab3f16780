// Linear8 by tensor cores, tiles of 64 x 64, for products too small for larger ones.
#define TILE 64
#include "linear8tensor.h"

LINEAR8(linear8tensor64)
