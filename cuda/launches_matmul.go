package cuda

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// busy is the number of tiles that keep a device busy: an H200 has 132 multiprocessors.
const busy = 132

// few is the largest number of rows for which tiles of 8 rows are faster. A larger tile would be
// mostly empty.
const few = 16

// launchMatMul uses the largest tiles of which there are enough.
func launchMatMul(c *kernel.Call) []Launch {
	m, n := rows(&c.Out[0]), cols(&c.Out[0])
	switch {
	case m <= few: // tiles of 8 rows, below
	case min(m, n) > 64 && up(m, 128)*up(n, 128) >= busy:
		return one(product("matmul128", 128, 128, 256, c))
	case up(m, 64)*up(n, 64) >= busy, min(m, n) > 128 && up(m, 64)*up(n, 64) >= busy/4:
		// A quarter is enough for a nearly square product, such as the gradient of a
		// weight: several of these run at the same time.
		return one(product("matmul64", 64, 64, 64, c))
	}
	return one(product("matmul8", 8, 64, 64, c))
}

// product is a module's kernel for the transposition of c, with tiles of down x across outputs.
// Grids may be longest along x. There large tiles have C's rows, and flat tiles its columns.
func product(module string, down, across, threads int, c *kernel.Call) Launch {
	m, n, k := rows(&c.Out[0]), cols(&c.Out[0]), cols(&c.In[0])
	if c.Attr.Trans == kernel.TN {
		k = rows(&c.In[0])
	}
	x, y := up(m, down), up(n, across)
	if down < across {
		x, y = y, x
	}
	l := launch(module, x, threads, in(0), in(1), out(0), u32(m), u32(n), u32(k))
	l.Kernel += transposed[c.Attr.Trans]
	l.Grid[1] = uint32(min(y, math.MaxUint32))
	return l
}

// launchLinear8 uses tensor cores if rows of codes are whole vectors of 16.
func launchLinear8(c *kernel.Call) []Launch {
	m, n, k := rows(&c.Out[0]), cols(&c.Out[0]), cols(&c.In[0])
	args := []Arg{in(0), in(1), in(2), in(3), in(4), out(0), u32(m), u32(n), u32(k)}
	switch {
	case m <= few || k%16 != 0:
		return flat("linear8", m, n, args...)
	case min(m, n) > 64 && up(m, 128)*up(n, 128) >= busy:
		return square("linear8tensor128", 128, m, n, args...)
	}
	return square("linear8tensor64", 64, m, n, args...)
}

// launchWeightGrad uses tensor cores if rows of codes are whole vectors, and there are some columns.
func launchWeightGrad(c *kernel.Call) []Launch {
	t, k, n := rows(&c.In[0]), cols(&c.In[0]), cols(&c.In[2])
	args := []Arg{in(0), in(1), in(2), out(0), u32(t), u32(k), u32(n)}
	ls := flat("linear8weightgrad", k, n, args...)
	if k%16 == 0 && n > few {
		ls = square("linear8weightgradtensor", 64, k, n, args...)
	}
	ls[0].Kernel += transposed[c.Attr.Trans]
	return ls
}

// square is a kernel on tiles of side x side outputs of m x n, by twice as many threads as a side.
func square(name string, side, m, n int, args ...Arg) []Launch {
	l := launch(name, up(m, side), 2*side, args...)
	l.Grid[1] = uint32(min(up(n, side), math.MaxUint32))
	return one(l)
}

// flat is a kernel on tiles of 8 x 64 outputs of m x n.
func flat(name string, m, n int, args ...Arg) []Launch {
	l := launch(name, up(n, 64), 64, args...)
	l.Grid[1] = uint32(min(up(m, 8), math.MaxUint32))
	return one(l)
}

// transposed is how the names of kernels end.
var transposed = [...]string{kernel.NN: "_nn", kernel.NT: "_nt", kernel.TN: "_tn"}
