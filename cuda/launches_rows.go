package cuda

import "github.com/alia-network/alia/work/kernel"

// lanes is the number of threads in a warp.
const lanes = 32

// elementwise starts a thread for each of n elements. n is the last argument.
func elementwise(name string, n int, args ...Arg) []Launch {
	return one(launch(name, up(n, blockThreads), blockThreads, append(args, u64(n))...))
}

// warps starts a warp for each of n items.
func warps(name string, n int, args ...Arg) []Launch {
	return one(launch(name, up(n, blockThreads/lanes), blockThreads, args...))
}

// rowBlocks starts a block for each of n rows of d elements.
func rowBlocks(name string, n, d int, args ...Arg) []Launch {
	return one(launch(name, n, min(up(d, lanes)*lanes, blockThreads), args...))
}

// launchElements starts a thread for each element of the first output. The number of elements is
// the last argument.
func launchElements(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		return elementwise(name, c.Out[0].Len(), args[:len(args):len(args)]...)
	}
}

// launchRows starts a block for each row of the first output. The width is the last argument.
func launchRows(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		d := cols(&c.Out[0])
		return rowBlocks(name, rows(&c.Out[0]), d, append(args[:len(args):len(args)], u32(d))...)
	}
}

// launchWarps starts a warp for each row of the first input. The number of rows and their width are
// the last arguments.
func launchWarps(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		n, d := rows(&c.In[0]), cols(&c.In[0])
		return warps(name, n, append(args[:len(args):len(args)], u32(n), u32(d))...)
	}
}

// launchColumns starts a block of eight warps for every 32 columns of the first input.
func launchColumns(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		n, d := rows(&c.In[0]), cols(&c.In[0])
		return one(launch(name, up(d, lanes), blockThreads, append(args[:len(args):len(args)], u32(n), u32(d))...))
	}
}

func launchScale(c *kernel.Call) []Launch {
	return elementwise("scale", c.Out[0].Len(), in(0), out(0), f32(c.Attr.Scale))
}

func launchAdam(c *kernel.Call) []Launch {
	a := &c.Attr
	return elementwise("adam", c.Out[0].Len(), in(0), in(1), in(2), in(3), out(0), out(1), out(2),
		f32(a.Beta1), f32(1-a.Beta1), f32(a.Beta2), f32(1-a.Beta2), f32(a.Eps))
}

// launchDropout starts a thread for every four elements, which take one counter of the generator.
func launchDropout(c *kernel.Call) []Launch {
	n := c.Out[0].Len()
	// Random words below this drop their element. The product is exact in binary64.
	drop := uint32(float64(c.Attr.Rate) * (1 << 32))
	return one(launch("dropout", up(up(n, 4), blockThreads), blockThreads,
		in(0), in(1), out(0), word(c.Attr.Site), word(drop), f32(c.Attr.Scale), u64(n)))
}

func launchLayerNorm(c *kernel.Call) []Launch {
	n, d := rows(&c.In[0]), cols(&c.In[0])
	return warps("layernorm", n, in(0), in(1), in(2), out(0), out(1), f32(c.Attr.Eps), u32(n), u32(d))
}

func launchEmbed(c *kernel.Call) []Launch {
	d := cols(&c.Out[0])
	return rowBlocks("embed", rows(&c.Out[0]), d, in(0), in(1), in(2), in(3), out(0), f32(c.Attr.Scale), u32(d))
}

// launchScatterAdd starts a block for each row of the table. Each thread computes four columns at a
// time.
func launchScatterAdd(c *kernel.Call) []Launch {
	d := cols(&c.Out[0])
	return rowBlocks("scatteradd", rows(&c.Out[0]), up(d, 4),
		in(0), in(1), in(2), out(0), f32(c.Attr.Scale), u32(rows(&c.In[1])), u32(d))
}

// launchScatter copies the base, and then writes one row in each block. In the first launch each
// thread copies four elements, or more of a large base. Where base and output are the same memory
// the copy does nothing; Launches cannot know that.
func launchScatter(c *kernel.Call) []Launch {
	const mostBlocks = 1024
	n, d := c.Out[0].Len(), cols(&c.Out[0])
	base := launch("scatter", min(up(n, 4*blockThreads), mostBlocks), blockThreads, in(0), out(0), u64(n))
	base.Kernel = "scatter_base"
	return append(one(base), rowBlocks("scatter", rows(&c.In[2]), d, in(1), in(2), out(0), u32(d))...)
}

// launchTopK starts a block for each row. Each thread reads eight elements at a time.
func launchTopK(c *kernel.Call) []Launch {
	d := cols(&c.In[0])
	return rowBlocks("topk", rows(&c.In[0]), up(d, 8), in(0), out(0), out(1), u32(d), u32(c.Attr.Rows))
}

func launchRowSum(c *kernel.Call) []Launch {
	n := rows(&c.In[0])
	return warps("rowsum", n, in(0), out(0), u32(n), u64(cols(&c.In[0])))
}

// launchSum is launchRowSum of one row with all elements.
func launchSum(c *kernel.Call) []Launch {
	return one(launch("rowsum", 1, lanes, in(0), out(0), u32(1), u64(c.In[0].Len())))
}

func launchCrossEntropy(c *kernel.Call) []Launch {
	return elementwise("crossentropy", rows(&c.In[0]), in(0), in(1), in(2), in(3), in(4), out(0), out(1),
		f32(c.Attr.Eps), f32(1-c.Attr.Eps), u32(cols(&c.In[0])))
}

func launchCrossEntropyGrad(c *kernel.Call) []Launch {
	v := cols(&c.In[0])
	return rowBlocks("crossentropygrad", rows(&c.In[0]), v, in(0), in(1), in(2), in(3), in(4), out(0),
		f32(c.Attr.Eps/float32(v)), f32(1-c.Attr.Eps), u32(v))
}

func launchQuantize(c *kernel.Call) []Launch {
	return warps("quantize", rows(&c.Out[1]), in(0), out(0), out(1), u64(c.In[0].Len()))
}

// launchQuantize4 starts a thread for each word of codes.
func launchQuantize4(c *kernel.Call) []Launch {
	return one(launch("quantize4", up(rows(&c.Out[0]), blockThreads), blockThreads,
		in(0), out(0), out(1), u64(c.In[0].Len())))
}

func launchQuantize2(c *kernel.Call) []Launch {
	n := rows(&c.Out[1])
	return warps("quantize2", n, in(0), out(0), out(1), u32(cols(&c.In[0])), u64(n))
}

// launchSigned starts a thread for each element. Attr.Scale, +1 or -1, is the last argument but one.
func launchSigned(name string) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		return elementwise(name, c.Out[0].Len(), in(0), in(1), in(2), out(0), f32(c.Attr.Scale))
	}
}

func launchAddQuantized2(c *kernel.Call) []Launch {
	n := rows(&c.In[2])
	return warps("addquantized2", n, in(0), in(1), in(2), out(0), f32(c.Attr.Scale), u32(cols(&c.In[0])), u64(n))
}

// launchScaledColumns starts a block for every 32 columns of each 128 rows.
func launchScaledColumns(c *kernel.Call) []Launch {
	n, d := rows(&c.In[0]), cols(&c.In[0])
	return one(launch("quantizescaledcolumns", rows(&c.Out[1])*up(d, lanes), blockThreads,
		in(0), in(1), out(0), out(1), u32(n), u32(d)))
}

// launchQuantizeWeight computes the scales, by a block of 32 columns or by a warp a column, and then
// the codes, by a block for every 32 x 32.
func launchQuantizeWeight(c *kernel.Call) []Launch {
	n, blocks := rows(&c.Out[1]), up(rows(&c.Out[1]), lanes)
	k := rows(&c.In[0])
	if c.Attr.Trans == kernel.NT {
		k, blocks = cols(&c.In[0]), up(n, blockThreads/lanes)
	}
	scales := launch("quantizeweight", blocks, blockThreads, in(0), out(1), u32(k), u32(n))
	codes := launch("quantizeweight", up(k, lanes)*up(n, lanes), blockThreads,
		in(0), out(1), out(0), out(2), u32(k), u32(n))
	scales.Kernel += "_scales" + transposed[c.Attr.Trans]
	codes.Kernel += transposed[c.Attr.Trans]
	return []Launch{scales, codes}
}
