// Linear8 by tensor cores, tiles of 128 x 128. Two blocks share a multiprocessor, so that one
// multiplies while the other waits:
// bounds: .maxntid 256, 1, 1 .minnctapersm 2
#define TILE 128
#include "linear8tensor.h"

LINEAR8(linear8tensor128)
