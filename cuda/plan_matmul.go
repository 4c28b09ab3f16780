package cuda

import "github.com/alia-network/alia/work/kernel"

// busy is how many tiles keep a device busy: an H200 has 132 multiprocessors.
const busy = 132

// planMatMul takes the largest tiles of which there are enough.
func planMatMul(c *kernel.Call) []Launch {
	m, n, k := rows(&c.Out[0]), cols(&c.Out[0]), cols(&c.In[0])
	if c.Attr.Trans == kernel.TN {
		k = rows(&c.In[0])
	}
	var l Launch
	args := []Arg{in(0), in(1), out(0), u32(m), u32(n), u32(k)}
	switch {
	case up(m, 128)*up(n, 128) >= busy:
		l = launch("matmul128", up(m, 128), 256, args...)
		l.Grid[1] = uint32(up(n, 128))
	case up(m, 64)*up(n, 64) >= busy:
		l = launch("matmul64", up(m, 64), 64, args...)
		l.Grid[1] = uint32(up(n, 64))
	default:
		l = launch("matmul8", up(n, 64), 64, args...)
		l.Grid[1] = uint32(up(m, 8))
	}
	l.Kernel += [...]string{kernel.NN: "_nn", kernel.NT: "_nt", kernel.TN: "_tn"}[c.Attr.Trans]
	return one(l)
}

func planLinear8(c *kernel.Call) []Launch {
	m, n, k := rows(&c.Out[0]), cols(&c.Out[0]), cols(&c.In[0])
	l := launch("linear8", up(n, 64), 64, in(0), in(1), in(2), in(3), in(4), out(0), u32(m), u32(n), u32(k))
	l.Grid[1] = uint32(up(m, 8))
	return one(l)
}
