package format

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/tensor"
)

// marianParams makes parameters of a model from its arrays. Where the model leaves a parameter out,
// it gets the value with which the sums stay what they are: 0 for a bias, and the identity for a
// projection.
func marianParams(m marianModel, arrays map[string]array) (*tensor.Set, error) {
	stored := uint64(0)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		if arrays[name].f == nil {
			return nil, fmt.Errorf("array %.200q is not of F32", name)
		}
		stored += uint64(len(arrays[name].f))
	}
	// Layers may share parameters, and the narrower feed-forward sub-layers are filled up.
	if err := enough(m.Config, stored); err != nil {
		return nil, err
	}
	m.untie(arrays)
	if err := m.complete(arrays); err != nil {
		return nil, err
	}
	var items []tensor.Named
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		items = append(items, named(name, arrays[name].f, arrays[name].shape...))
	}
	set, err := tensor.NewSet(items)
	if err != nil {
		return nil, err
	}
	return gather(m.Config, set, m.param)
}

// untie gives each decoder layer arrays of its own.
func (m marianModel) untie(arrays map[string]array) {
	for i, from := range m.tied {
		if from == i+1 {
			continue
		}
		old, own := fmt.Sprintf("decoder_l%d_", from), fmt.Sprintf("decoder_l%d_", i+1)
		for _, name := range slices.Sorted(maps.Keys(arrays)) {
			if rest, ok := strings.CutPrefix(name, old); ok {
				if _, there := arrays[own+rest]; !there {
					arrays[own+rest] = arrays[name]
				}
			}
		}
	}
}

// complete adds what the model leaves out, and <pad>. An array of a wrong shape is left for
// gather, which names it.
func (m marianModel) complete(arrays map[string]array) error {
	zeros := func(shape ...int) array { return array{shape: shape, f: make([]float32, shape[0]*shape[1])} }
	// Marian names the output projection by which of its sides comes first.
	if m.OwnOutput {
		if a, ok := arrays[marianOutputWide]; ok && len(a.shape) == 2 && arrays[marianOutput].f == nil {
			arrays[marianOutput] = array{shape: []int{a.shape[1], a.shape[0]}, f: turned(a.f, a.shape[0], a.shape[1])}
			delete(arrays, marianOutputWide)
		}
	}
	if _, ok := arrays[marianBias]; !ok {
		arrays[marianBias] = zeros(1, m.Vocab-1)
	}
	for _, s := range m.Shapes() {
		name := m.param(s).name
		a, there := arrays[name]
		last := s.Dims[len(s.Dims)-1]
		switch stack, _, sub, part, kind := splitName(s.Name); {
		case s.Name == "embedding.weight" || s.Name == "unembedding.weight" || s.Name == "output.bias":
			// <pad> has an embedding of zero and no probability.
			want, more := []int{m.Vocab - 1, m.Dim}, make([]float32, m.Dim)
			if s.Name == "output.bias" {
				want, more = []int{1, m.Vocab - 1}, []float32{impossible}
			}
			if !slices.Equal(a.shape, want) {
				return fmt.Errorf("array %.200q has shape %v, want %v", name, a.shape, want)
			}
			a.f, a.shape = append(slices.Clip(a.f), more...), slices.Clone(want)
			if a.shape[len(want)-1]++; s.Name != "output.bias" {
				a.shape = []int{m.Vocab, m.Dim}
			}
			arrays[name] = a
		case part == "x" && kind == "bias" && !there:
			arrays[name] = zeros(1, last)
		case part == "out" && m.noProjection && !there:
			rows := 1
			if kind == "weight" {
				rows = last
			}
			a := zeros(rows, last)
			for i := 0; i < rows && rows > 1; i++ {
				a.f[i*last+i] = 1
			}
			arrays[name] = a
		case sub == "ffn" && part != "norm":
			arrays[name] = m.widen(a, stack, part, kind)
		}
	}
	return nil
}

// widen fills an array of a narrower feed-forward sub-layer up with zeros, which both activations
// keep.
func (m marianModel) widen(a array, stack, part, kind string) array {
	narrow := m.encoderFFN
	if stack == "decoder" {
		narrow = m.decoderFFN
	}
	want := map[string][]int{"up.weight": {m.Dim, narrow}, "up.bias": {1, narrow}, "down.weight": {narrow, m.Dim}}[part+"."+kind]
	if narrow == m.FFN || !slices.Equal(a.shape, want) {
		return a
	}
	if part == "down" {
		return array{shape: []int{m.FFN, m.Dim}, f: append(slices.Clone(a.f), make([]float32, (m.FFN-narrow)*m.Dim)...)}
	}
	wide := array{shape: []int{want[0], m.FFN}, f: make([]float32, want[0]*m.FFN)}
	for i := range want[0] {
		copy(wide.f[i*m.FFN:], a.f[i*narrow:(i+1)*narrow])
	}
	return wide
}

// splitName is split for the embeddings too, which have no part.
func splitName(name string) (stack string, layer int, sub, part, kind string) {
	if strings.Count(name, ".") < 3 {
		return "", -1, "", "", ""
	}
	return split(name)
}
