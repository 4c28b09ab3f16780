package kernel

// The integer cost and the number of pieces of each operation: NUMERICS.md, section 6.

// perElement is a cost of k for every element of the first input.
func perElement(k uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return k * uint64(c.In[0].Len()) }
}

// perOutput is a cost of k for every element of the first output.
func perOutput(k uint64) func(*Call) uint64 {
	return func(c *Call) uint64 { return k * uint64(c.Out[0].Len()) }
}

func flopMatMul(c *Call) uint64 {
	m, n, k, _ := productDims(c.Attr.Trans, &c.In[0], &c.In[1])
	return 2 * uint64(m) * uint64(n) * uint64(k)
}

func flopScatterAdd(c *Call) uint64 { return 2 * uint64(c.In[2].Len()) }

func flopScatter(c *Call) uint64 { return uint64(c.In[2].Len()) }

func flopScores(c *Call) uint64 {
	heads := uint64(c.Attr.Heads) // 2 operations for each score and column of a head
	return 2 * uint64(scoresBefore(&c.In[2], 1, rows(&c.In[2]))) * heads * (uint64(cols(&c.In[0])) / heads)
}

func flopMix(c *Call) uint64 {
	return 2 * uint64(c.In[0].Len()) * (uint64(cols(&c.In[1])) / uint64(c.Attr.Heads))
}

// flopAttend is the cost of AttnScores, AttnSoftmax and AttnMix together.
func flopAttend(c *Call) uint64 {
	scores := uint64(scoresBefore(&c.In[3], c.Attr.Heads, rows(&c.In[3])))
	return scores * (4*uint64(cols(&c.In[0])/c.Attr.Heads) + 12)
}

func one(*Call) int        { return 1 }
func elements(c *Call) int { return c.In[0].Len() }
func firstDim(c *Call) int { return rows(&c.In[0]) }
func lastDim(c *Call) int  { return cols(&c.In[0]) }
func outRows(c *Call) int  { return rows(&c.Out[0]) }
func chunks(c *Call) int   { return quanta(&c.In[0]) }
func chunks4(c *Call) int  { return quanta4(&c.In[0]) }
func chunks2(c *Call) int  { return quanta2(&c.In[0]) }
func segments(c *Call) int { return rows(&c.In[len(c.In)-1]) }
func quads(c *Call) int    { return (c.In[0].Len() + 3) / 4 }

// partsMatMul divides a product by its rows, or by its columns when it has more columns.
func partsMatMul(c *Call) int { return max(rows(&c.Out[0]), cols(&c.Out[0])) }
