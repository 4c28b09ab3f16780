package nmt

import (
	"math"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// initStep stands in for a training step in the generator's counter, so that no dropout mask
// of the run uses the same random words as the initial weights.
const initStep = math.MaxUint32

// Init returns the parameters that training starts with. They depend on c and seed only, and
// have the same bits on every machine.
//
// The weight of a projection is uniform within the bounds of Glorot and Bengio, 2010, where
// query, key and value of an attention count as one matrix, as in PyTorch. The embedding is
// normal with standard deviation Dim^-0.5, and zero for Pad. Gains are 1 and biases 0.
func Init(c Config, seed uint64) *tensor.Set {
	shapes := c.Shapes()
	items := make([]tensor.Named, len(shapes))
	for i, s := range shapes {
		// Each tensor has random words of its own, by its index among the names.
		t := kernel.New(kernel.F32, s.Dims...)
		w := words{key: [2]uint32{uint32(seed), uint32(seed >> 32)}, tensor: uint32(i)}
		switch {
		case s.Name == "embedding.weight":
			// Row 0 is left out, because it is Pad's. If another token is Pad, row 0 gets
			// that token's numbers.
			w.fillNormal(t.F[c.Dim:], float32(1/math.Sqrt(float64(c.Dim))))
			pad := t.F[int(c.Tokens().Pad)*c.Dim:][:c.Dim]
			copy(t.F[:c.Dim], pad)
			clear(pad)
		case s.Name == sourceEmbedding:
			w.fillNormal(t.F, float32(1/math.Sqrt(float64(c.Dim))))
		case len(s.Dims) == 2:
			in, out := s.Dims[0], s.Dims[1]
			switch name := strings.TrimSuffix(s.Name, ".weight"); name[strings.LastIndexByte(name, '.')+1:] {
			case "q", "k", "v": // one matrix of three
				out = 3 * out
			}
			w.fillUniform(t.F, float32(math.Sqrt(6/float64(in+out))))
		case strings.HasSuffix(s.Name, "norm.weight"):
			for j := range t.F {
				t.F[j] = 1
			}
		}
		items[i] = tensor.Named{Name: s.Name, Tensor: t}
	}
	p, err := tensor.NewSet(items)
	if err != nil {
		panic(err) // Shapes names no parameter twice
	}
	return p
}

// words is the random words for one tensor.
type words struct {
	key    [2]uint32
	tensor uint32
}

// block returns the n-th four words.
func (w words) block(n uint64) [4]uint32 {
	return kernel.Philox([4]uint32{uint32(n), uint32(n >> 32), w.tensor, initStep}, w.key)
}

// fillUniform sets each element to one of the 2^24 odd multiples of bound/2^24 between -bound
// and bound. Element e takes the high 24 bits of word e.
func (w words) fillUniform(x []float32, bound float32) {
	var b [4]uint32
	for e := range x {
		if e%4 == 0 {
			b = w.block(uint64(e / 4))
		}
		odd := 2*int32(b[e%4]>>8) + 1 - 1<<24
		x[e] = float32(odd) / (1 << 24) * bound
	}
}

// fillNormal sets each element to the sum of twelve uniform numbers minus six, times
// deviation. This distribution (Irwin and Hall) has variance 1, ends at six standard
// deviations and needs only additions. Element e takes words 12e to 12e+11. The words are
// summed as integers, so the sum is exact and is rounded once.
func (w words) fillNormal(x []float32, deviation float32) {
	for e := range x {
		sum := int64(-6) << 32
		for i := range uint64(3) {
			for _, word := range w.block(3*uint64(e) + i) {
				sum += int64(word)
			}
		}
		x[e] = float32(sum) / (1 << 32) * deviation
	}
}
