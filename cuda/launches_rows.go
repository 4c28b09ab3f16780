package cuda

import "github.com/alia-network/alia/work/kernel"

const lanes = 32

// elementwise is a thread for each of n elements, whose number is the last
// argument.
func elementwise(name string, n int, args ...Arg) []Launch {
	return one(launch(name, up(n, blockThreads), blockThreads, append(args, u64(n))...))
}

// warps is a warp for each of n items.
func warps(name string, n int, args ...Arg) []Launch {
	return one(launch(name, up(n, blockThreads/lanes), blockThreads, args...))
}

// rowBlocks is a block for each of n rows of d elements.
func rowBlocks(name string, n, d int, args ...Arg) []Launch {
	return one(launch(name, n, min(up(d, lanes)*lanes, blockThreads), args...))
}

// planElements is a thread an element of the first output, whose number is the
// last argument.
func planElements(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		return elementwise(name, c.Out[0].Len(), args[:len(args):len(args)]...)
	}
}

// planRows is a block a row of the first output, whose width is the last
// argument.
func planRows(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		d := cols(&c.Out[0])
		return rowBlocks(name, rows(&c.Out[0]), d, append(args[:len(args):len(args)], u32(d))...)
	}
}

// planWarps is a warp a row of the first input; the number of rows and their
// width are the last arguments.
func planWarps(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		n, d := rows(&c.In[0]), cols(&c.In[0])
		return warps(name, n, append(args[:len(args):len(args)], u32(n), u32(d))...)
	}
}

// planColumns is a block of eight warps for 32 columns of the first input.
func planColumns(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		n, d := rows(&c.In[0]), cols(&c.In[0])
		return one(launch(name, up(d, lanes), blockThreads, append(args[:len(args):len(args)], u32(n), u32(d))...))
	}
}

func planScale(c *kernel.Call) []Launch {
	return elementwise("scale", c.Out[0].Len(), in(0), out(0), f32(c.Attr.Scale))
}

func planAdam(c *kernel.Call) []Launch {
	a := &c.Attr
	return elementwise("adam", c.Out[0].Len(), in(0), in(1), in(2), in(3), out(0), out(1), out(2),
		f32(a.Beta1), f32(1-a.Beta1), f32(a.Beta2), f32(1-a.Beta2), f32(a.Eps))
}

// planDropout is a thread four elements, which are one draw.
func planDropout(c *kernel.Call) []Launch {
	n := c.Out[0].Len()
	// A draw below this drops; the product is exact in binary64.
	drop := uint32(float64(c.Attr.Rate) * (1 << 32))
	return one(launch("dropout", up(up(n, 4), blockThreads), blockThreads,
		in(0), in(1), out(0), word(c.Attr.Site), word(drop), f32(c.Attr.Scale), u64(n)))
}

func planLayerNorm(c *kernel.Call) []Launch {
	n, d := rows(&c.In[0]), cols(&c.In[0])
	return warps("layernorm", n, in(0), in(1), in(2), out(0), out(1), f32(c.Attr.Eps), u32(n), u32(d))
}

func planEmbed(c *kernel.Call) []Launch {
	d := cols(&c.Out[0])
	return rowBlocks("embed", rows(&c.Out[0]), d, in(0), in(1), in(2), in(3), out(0), f32(c.Attr.Scale), u32(d))
}

// planScatterAdd is a block a row of the table, of a quarter of its columns'
// number of threads: each thread has four of a pass.
func planScatterAdd(c *kernel.Call) []Launch {
	d := cols(&c.Out[0])
	return rowBlocks("scatteradd", rows(&c.Out[0]), up(d, 4),
		in(0), in(1), in(2), out(0), f32(c.Attr.Scale), u32(rows(&c.In[1])), u32(d))
}

// planScatter copies the base and then writes a row a block. The first launch
// has four elements a thread, more where the base is large: where that is the
// output there is nothing to copy, which a plan cannot know.
func planScatter(c *kernel.Call) []Launch {
	const mostBlocks = 1024
	n, d := c.Out[0].Len(), cols(&c.Out[0])
	base := launch("scatter", min(up(n, 4*blockThreads), mostBlocks), blockThreads, in(0), out(0), u64(n))
	base.Kernel = "scatter_base"
	return append(one(base), rowBlocks("scatter", rows(&c.In[2]), d, in(1), in(2), out(0), u32(d))...)
}

// planTopK is a block a row, of an eighth of its elements' number of threads:
// each thread has eight of a pass.
func planTopK(c *kernel.Call) []Launch {
	d := cols(&c.In[0])
	return rowBlocks("topk", rows(&c.In[0]), up(d, 8), in(0), out(0), out(1), u32(d), u32(c.Attr.Rows))
}

func planRowSum(c *kernel.Call) []Launch {
	n := rows(&c.In[0])
	return warps("rowsum", n, in(0), out(0), u32(n), u64(cols(&c.In[0])))
}

// planSum is one row of all elements.
func planSum(c *kernel.Call) []Launch {
	return one(launch("rowsum", 1, lanes, in(0), out(0), u32(1), u64(c.In[0].Len())))
}

func planCrossEntropy(c *kernel.Call) []Launch {
	return elementwise("crossentropy", rows(&c.In[0]), in(0), in(1), in(2), in(3), in(4), out(0), out(1),
		f32(c.Attr.Eps), f32(1-c.Attr.Eps), u32(cols(&c.In[0])))
}

func planCrossEntropyGrad(c *kernel.Call) []Launch {
	v := cols(&c.In[0])
	return rowBlocks("crossentropygrad", rows(&c.In[0]), v, in(0), in(1), in(2), in(3), in(4), out(0),
		f32(c.Attr.Eps/float32(v)), f32(1-c.Attr.Eps), u32(v))
}

func planQuantize(c *kernel.Call) []Launch {
	return warps("quantize", rows(&c.Out[1]), in(0), out(0), out(1), u64(c.In[0].Len()))
}

// planQuantize4 is a thread a word of codes.
func planQuantize4(c *kernel.Call) []Launch {
	return one(launch("quantize4", up(rows(&c.Out[0]), blockThreads), blockThreads,
		in(0), out(0), out(1), u64(c.In[0].Len())))
}

func planQuantize2(c *kernel.Call) []Launch {
	n := rows(&c.Out[1])
	return warps("quantize2", n, in(0), out(0), out(1), u32(cols(&c.In[0])), u64(n))
}

// planSigned is a thread an element, with Scale as a sign.
func planSigned(name string) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		return elementwise(name, c.Out[0].Len(), in(0), in(1), in(2), out(0), f32(c.Attr.Scale))
	}
}

func planAddQuantized2(c *kernel.Call) []Launch {
	n := rows(&c.In[2])
	return warps("addquantized2", n, in(0), in(1), in(2), out(0), f32(c.Attr.Scale), u32(cols(&c.In[0])), u64(n))
}
