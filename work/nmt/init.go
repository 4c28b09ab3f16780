package nmt

import (
	"math"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// initStep takes the place of a step in the generator's counter, so that no
// dropout mask of the run repeats the words that the weights came from.
const initStep = math.MaxUint32

// Init returns the parameters a run begins with, the same bits everywhere for
// a configuration and a seed. A projection's weight is uniform in the bounds
// of Glorot and Bengio, 2010, where the query, key and value of an attention
// count as one matrix, as in PyTorch; the embedding is normal with deviation
// Dim^-0.5, and zero for Pad; gains are 1 and biases 0.
func Init(c Config, seed uint64) *tensor.Set {
	shapes := c.Shapes()
	items := make([]tensor.Named, len(shapes))
	for i, s := range shapes {
		t := kernel.New(kernel.F32, s.Dims...)
		w := words{key: [2]uint32{uint32(seed), uint32(seed >> 32)}, tensor: uint32(i)}
		switch {
		case s.Name == "embedding.weight":
			w.fillNormal(t.F[c.Dim:], float32(1/math.Sqrt(float64(c.Dim))))
			pad := t.F[int(c.Tokens().Pad)*c.Dim:][:c.Dim]
			copy(t.F[:c.Dim], pad) // the row that was left out is another's
			clear(pad)
		case len(s.Dims) == 2:
			in, out := s.Dims[0], s.Dims[1]
			if strings.HasSuffix(s.Name, ".q.weight") || strings.HasSuffix(s.Name, ".k.weight") || strings.HasSuffix(s.Name, ".v.weight") {
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

// words is the generator's words for one tensor.
type words struct {
	key    [2]uint32
	tensor uint32
}

// block returns the n-th four words.
func (w words) block(n uint64) [4]uint32 {
	return kernel.Philox([4]uint32{uint32(n), uint32(n >> 32), w.tensor, initStep}, w.key)
}

// fillUniform draws each element from the 2^24 odd multiples of bound/2^24
// between -bound and bound: element e from the high 24 bits of word e.
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

// fillNormal draws each element from the sum of twelve uniform numbers, less
// six, times deviation: the distribution of Irwin and Hall, which has variance
// 1, ends at six deviations and needs only additions. Element e takes words
// 12e to 12e+11. The sum is of integers, so it is exact, and is rounded once.
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
