package nmt

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Adapters is the low-rank adapters of a model (LoRA: Hu et al. 2021, arXiv:2106.09685). A
// projection is a layer y = x·W + b, in attention and in feed-forward layers alike (Dettmers et
// al. 2023, section 4). The weight W [in, out] of each projection has two adapters: A [Rank, in] and B [Rank, out]. The model
// computes with W + Aᵀ·B. Embeddings, norms and biases have none. Both adapters have long rows
// (in or out elements) and not short ones (Rank elements), because a delta of 2 bits, in which a
// unit sends its result, rounds each row up to 128 elements.
//
// The paper's factor alpha/Rank is 1 here. With Adam, another factor has the same effect as
// another learning rate and another scale of A.
type Adapters struct {
	Model Config
	Rank  int
}

// The suffixes of adapters in the place of the suffix of a weight.
const (
	weightSuffix = ".weight"
	suffixA      = ".lora_a"
	suffixB      = ".lora_b"
)

// Shapes lists the adapters, ascending by name: the A and the B of one weight, and then those
// of the next.
func (a Adapters) Shapes() []ParamShape {
	var all []ParamShape
	for _, s := range a.Model.Shapes() {
		if name, ok := projection(s.Name, s.Dims); ok {
			all = append(all,
				ParamShape{Name: name + suffixA, Dims: []int{a.Rank, s.Dims[0]}, Type: kernel.F32},
				ParamShape{Name: name + suffixB, Dims: []int{a.Rank, s.Dims[1]}, Type: kernel.F32})
		}
	}
	slices.SortFunc(all, func(x, y ParamShape) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// Adapted returns the name of the weight that has the adapter called name.
func Adapted(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, suffixA), suffixB) + weightSuffix
}

// Skeleton returns the adapters without storage.
func (a Adapters) Skeleton() *tensor.Set { return skeleton(a.Shapes()) }

// Elements returns the number of elements of all adapters together.
func (a Adapters) Elements() uint64 { return elements(a.Shapes()) }

// Check returns an error unless s has the names, shapes and types that [Adapters.Shapes] lists.
func (a Adapters) Check(s *tensor.Set) error {
	if err := checkShapes(a.Shapes(), s); err != nil {
		return fmt.Errorf("adapters of rank %d: %w", a.Rank, err)
	}
	return nil
}

// firstAdapter is added to the index of an adapter in the counter of the random generator. So a run whose
// seed is that of the model's own training draws other random words for the adapters.
const firstAdapter = 1 << 31

// Init returns the adapters that training starts with. Each A is uniform between -1/sqrt(in)
// and 1/sqrt(in), as in the paper's program, and each B is zero. So the model first computes
// what it computes without adapters.
func (a Adapters) Init(seed uint64) *tensor.Set {
	s := set(zeros(a.Shapes()))
	for i := range s.Len() {
		t := s.At(i)
		if strings.HasSuffix(t.Name, suffixA) {
			w := words{key: [2]uint32{uint32(seed), uint32(seed >> 32)}, tensor: firstAdapter + uint32(i)}
			w.fillUniform(t.F, float32(1/math.Sqrt(float64(t.Shape[1]))))
		}
	}
	return s
}

// zeros returns a tensor of +0 for each of the shapes.
func zeros(shapes []ParamShape) []tensor.Named {
	items := make([]tensor.Named, len(shapes))
	for i, s := range shapes {
		items[i] = tensor.Named{Name: s.Name, Tensor: kernel.New(s.Type, s.Dims...)}
	}
	return items
}
