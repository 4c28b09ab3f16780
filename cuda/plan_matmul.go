package cuda

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// manyTiles is how many tiles of 128 x 128 a product must have for a device to
// be busy with them: an H200 has 132 multiprocessors.
const manyTiles = 132

func planMatMul(c *kernel.Call) []Launch {
	m, n, k := rows(&c.Out[0]), cols(&c.Out[0]), cols(&c.In[0])
	if c.Attr.Trans == kernel.TN {
		k = rows(&c.In[0])
	}
	module, tile, threads := "matmul64", 64, 64
	if up(m, 128)*up(n, 128) >= manyTiles {
		module, tile, threads = "matmul128", 128, 256
	}
	l := launch(module, up(m, tile), threads, in(0), in(1), out(0), u32(m), u32(n), u32(k))
	l.Kernel = module + [...]string{kernel.NN: "_nn", kernel.NT: "_nt", kernel.TN: "_tn"}[c.Attr.Trans]
	l.Grid[1] = uint32(min(up(n, tile), math.MaxUint32))
	return one(l)
}
