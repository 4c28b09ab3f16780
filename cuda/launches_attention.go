package cuda

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// The attention kernels run on a grid of (segment, head, share). They read the segment table, and
// find the offsets of scores, on the device. Launches only estimates from the shapes among how many
// blocks (shares) the tiles or rows of a head are divided.
const (
	segmentThreads = 128
	segmentTile    = 32 // rows and columns of a tile of outputs
	mostShares     = 64
)

// segmentLaunch is a launch with each shares for every head of every segment.
func segmentLaunch(name string, c *kernel.Call, each int, args ...Arg) []Launch {
	s := rows(&c.In[len(c.In)-1])
	scores := &c.In[0]
	if c.Op == kernel.AttnScores {
		scores = &c.Out[0]
	}
	// The kernels count scores, and words of the table, in 32 bits. A grid of 0 blocks is
	// an error.
	if scores.Len() > math.MaxUint32 || s > math.MaxInt32/4 {
		s = 0
	}
	l := launch(name, s, segmentThreads, args...)
	l.Grid[1] = uint32(c.Attr.Heads)
	l.Grid[2] = uint32(min(max(each, 1), mostShares))
	return one(l)
}

// launchScores divides a head's tiles by the mean number of scores of a head.
func launchScores(c *kernel.Call) []Launch {
	s, d := rows(&c.In[2]), cols(&c.In[0])
	tiles := up(c.Out[0].Len(), s*c.Attr.Heads*segmentTile*segmentTile)
	return segmentLaunch("attnscores", c, tiles,
		in(0), in(1), in(2), out(0), u32(c.Attr.Heads), u32(d), u32(d/c.Attr.Heads))
}

// launchSoftmax divides a head's rows of scores, one warp for each, as if there were as many rows as
// columns.
func launchSoftmax(name string, args ...Arg) func(*kernel.Call) []Launch {
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

// launchMix divides a head's tiles by the mean number of rows of a segment.
func launchMix(name string) func(*kernel.Call) []Launch {
	return func(c *kernel.Call) []Launch {
		s, n, d := rows(&c.In[2]), rows(&c.Out[0]), cols(&c.In[1])
		w := d / c.Attr.Heads
		tiles := up(n, s*segmentTile) * up(w, segmentTile)
		return segmentLaunch(name, c, tiles,
			in(0), in(1), in(2), out(0), u32(c.Attr.Heads), u32(d), u32(w), u32(n))
	}
}

// launchAttend divides a head's queries, one block for each.
func launchAttend(c *kernel.Call) []Launch {
	s, n, d := rows(&c.In[3]), rows(&c.Out[0]), cols(&c.In[0])
	return segmentLaunch("attend", c, up(n, s),
		in(0), in(1), in(2), in(3), out(0), u32(c.Attr.Heads), u32(d), u32(d/c.Attr.Heads), u32(n), f32(c.Attr.Scale))
}
