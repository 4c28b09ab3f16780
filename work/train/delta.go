package train

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Delta is a quantised set: for each tensor codes and scales under its name, as the
// operations of a codec give them. The form of the codes tells the codec: I8 for 8
// bits, I32 with one dimension for 4 bits, I32 with two dimensions for 2 bits.
type Delta struct {
	Q, Scales *tensor.Set
}

// codec is the operations that make codes of a number of bits, and add them.
type codec struct {
	bits          uint32
	quantize, add kernel.Op
}

var codecs = []codec{
	{8, kernel.Quantize, kernel.AddQuantized},
	{4, kernel.Quantize4, kernel.AddQuantized4},
	{2, kernel.Quantize2, kernel.AddQuantized2},
}

// codes reports whether there is a codec with this number of bits.
func codes(bits uint32) bool {
	return slices.ContainsFunc(codecs, func(c codec) bool { return c.bits == bits })
}

// codecOf is the codec with this number of bits.
func codecOf(bits uint32) codec {
	return codecs[slices.IndexFunc(codecs, func(c codec) bool { return c.bits == bits })]
}

// codec is the codec that made d, told by the form of its codes.
func (d Delta) codec() codec {
	bits := uint32(8)
	if d.Q.Len() > 0 && d.Q.At(0).Type == kernel.I32 {
		bits = 4
		if len(d.Q.At(0).Shape) == 2 {
			bits = 2
		}
	}
	return codecOf(bits)
}

// Quantize gives the delta nearest to s, with 8, 4 or 2 bits for each element.
func Quantize(dev kernel.Device, s *tensor.Set, bits uint32) Delta {
	return fold{dev}.quantize(s, bits)
}

// DeltaForm is the names, types and shapes of a delta for parameters of the form of
// params, with a number of bits for each element. No tensor has storage.
func DeltaForm(params *tensor.Set, bits uint32) Delta {
	q, scales := make([]tensor.Named, params.Len()), make([]tensor.Named, params.Len())
	for i := range params.Len() {
		t := params.At(i)
		out := infer(codecOf(bits).quantize, kernel.Attr{}, t.Tensor)
		q[i], scales[i] = tensor.Named{Name: t.Name, Tensor: out[0]}, tensor.Named{Name: t.Name, Tensor: out[1]}
	}
	return Delta{Q: set(q), Scales: set(scales)}
}

// fits says how d differs from a delta of the form of s, if it does.
func (d Delta) fits(s *tensor.Set) error {
	if d.Q.Len() != s.Len() || d.Scales.Len() != s.Len() {
		return fmt.Errorf("%d tensors with %d scales, want %d", d.Q.Len(), d.Scales.Len(), s.Len())
	}
	row := d.codec().add
	for i := range s.Len() {
		t, q, sc := s.At(i), d.Q.At(i), d.Scales.At(i)
		if q.Name != t.Name || sc.Name != t.Name {
			return fmt.Errorf("tensor %s: codes named %s and scales named %s", t.Name, q.Name, sc.Name)
		}
		if _, err := kernel.Infer(row, kernel.Attr{Scale: 1}, []kernel.Tensor{t.Tensor, q.Tensor, sc.Tensor}); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return nil
}
