package cuda

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// The attention rows are blocks of (segment, head, share). The kernels read
// the segment table and add up where scores begin; what a plan guesses from the
// shapes is only among how many blocks the tiles or rows of a head are shared.
const (
	segmentThreads = 128
	segmentTile    = 32 // side of a tile of outputs
	mostShares     = 64
)

func segmentLaunch(name string, c *kernel.Call, each int, args ...Arg) []Launch {
	s := rows(&c.In[len(c.In)-1])
	scores := &c.In[0]
	if c.Op == kernel.AttnScores {
		scores = &c.Out[0]
	}
	if scores.Len() > math.MaxUint32 || s > math.MaxInt32/4 {
		s = 0 // the kernels count scores, and words of the table, in 32 bits: refused, as a grid too large
	}
	l := launch(name, s, segmentThreads, args...)
	l.Grid[1] = uint32(c.Attr.Heads)
	l.Grid[2] = uint32(min(max(each, 1), mostShares))
	return one(l)
}

// planScores shares a head's tiles by the mean number of scores.
func planScores(c *kernel.Call) []Launch {
	s, d := rows(&c.In[2]), cols(&c.In[0])
	tiles := up(c.Out[0].Len(), s*c.Attr.Heads*segmentTile*segmentTile)
	return segmentLaunch("attnscores", c, tiles,
		in(0), in(1), in(2), out(0), u32(c.Attr.Heads), u32(d), u32(d/c.Attr.Heads))
}

// planSoftmax shares a head's rows of scores, a warp each, as if they were as
// long as they are many.
func planSoftmax(name string, args ...Arg) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		scores := up(c.Out[0].Len(), rows(&c.In[len(c.In)-1])*c.Attr.Heads)
		side := 1
		for side*side < scores {
			side++
		}
		causal := 0
		if c.Attr.Causal {
			causal = 1
		}
		return segmentLaunch(name, c, up(side, segmentThreads/lanes),
			append(args[:len(args):len(args)], u32(c.Attr.Heads), f32(c.Attr.Scale), u32(causal))...)
	}
}

// planMix shares a head's tiles by the mean number of rows of a segment.
func planMix(name string) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		s, n, d := rows(&c.In[2]), rows(&c.Out[0]), cols(&c.In[1])
		w := d / c.Attr.Heads
		tiles := up(n, s*segmentTile) * up(w, segmentTile)
		return segmentLaunch(name, c, tiles,
			in(0), in(1), in(2), out(0), u32(c.Attr.Heads), u32(d), u32(w), u32(n))
	}
}

// planAttend shares a head's queries, a block each.
func planAttend(c *kernel.Call) []Launch {
	s, n, d := rows(&c.In[3]), rows(&c.Out[0]), cols(&c.In[0])
	return segmentLaunch("attend", c, up(n, s),
		in(0), in(1), in(2), in(3), out(0), u32(c.Attr.Heads), u32(d), u32(d/c.Attr.Heads), u32(n), f32(c.Attr.Scale))
}
