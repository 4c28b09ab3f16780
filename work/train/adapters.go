package train

import (
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
)

// Adapters are small matrices that are added to a model's weights: see [nmt.Adapters]. A run
// with adapters trains them in the place of the parameters: the Params of a [ModelState] are
// the adapters. The model's parameters do not change. For each gradient, [Merge] first makes
// the parameters that the model computes with. Then [Project] makes the gradient of the
// adapters from the gradient of these parameters. The model's graph has no node for adapters,
// so every model can have them, whatever its form. A unit computes about as much as without adapters, and sends
// less. The adapters must be those of the parameters: see [nmt.Adapters.Check].

// adapterPair is the two adapters of a weight W [in, out], as indices in their set.
type adapterPair struct {
	weight string
	a, b   int // A [rank, in] and B [rank, out]
}

// adapterPairs lists the pairs of adapters in a set, which is ascending by name.
func adapterPairs(adapters *tensor.Set) []adapterPair {
	all := make([]adapterPair, adapters.Len()/2)
	for k := range all {
		all[k] = adapterPair{nmt.Adapted(adapters.At(2 * k).Name), 2 * k, 2*k + 1}
	}
	return all
}

// mergeAttr is the attribute of the product Aᵀ·B: the first factor is transposed.
var mergeAttr = kernel.Attr{Trans: kernel.TN}

// Merge returns the parameters that a model with adapters computes with: W + Aᵀ·B in the place
// of each W that has adapters, and the others as they are. It shares the others with params.
// into, unless nil, is what an earlier Merge of the same params returned and nobody reads any
// more: its storage is used again.
func Merge(dev kernel.Device, params, adapters, into *tensor.Set) *tensor.Set {
	var products, sums []kernel.Call
	merged := map[string]kernel.Tensor{}
	for _, p := range adapterPairs(adapters) {
		w, _ := params.Get(p.weight)
		var y kernel.Tensor
		if into != nil {
			y, _ = into.Get(p.weight)
		}
		if into == nil || y.Home != w.Home {
			y = w.Near(w.Len())
			y.Shape = w.Shape
		}
		merged[p.weight] = y
		products = append(products, kernel.Call{
			Op: kernel.MatMul, Attr: mergeAttr, In: []kernel.Tensor{adapters.At(p.a).Tensor, adapters.At(p.b).Tensor}, Out: []kernel.Tensor{y},
		})
		sums = append(sums, kernel.Call{Op: kernel.Add, In: []kernel.Tensor{y, w}, Out: []kernel.Tensor{y}})
	}
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
	dev.Group(products)
	dev.Group(sums)
	items := make([]tensor.Named, params.Len())
	for i := range items {
		items[i] = params.At(i)
		if y, ok := merged[items[i].Name]; ok {
			items[i].Tensor = y
		}
	}
	return set(items)
}

// Project returns the gradient of the adapters, from the gradient of the parameters that
// [Merge] makes with them. Where dW [in, out] is the gradient of a weight, dA = B·dWᵀ [rank, in]
// and dB = A·dW [rank, out].
func Project(dev kernel.Device, grads, adapters *tensor.Set) *tensor.Set {
	out := adapters.Zeros()
	var calls []kernel.Call
	for _, p := range adapterPairs(adapters) {
		dw, _ := grads.Get(p.weight)
		calls = append(calls, adapterGradients(dw, adapters, out, p)...)
	}
	kernel.BeginAsync(dev)
	defer kernel.EndAsync(dev)
	dev.Group(calls)
	return out
}

// adapterGradients is the calls that make the gradients of a pair.
func adapterGradients(dw kernel.Tensor, adapters, out *tensor.Set, p adapterPair) []kernel.Call {
	a, b := adapters.At(p.a).Tensor, adapters.At(p.b).Tensor
	return []kernel.Call{
		{Op: kernel.MatMul, Attr: kernel.Attr{Trans: kernel.NT}, In: []kernel.Tensor{b, dw}, Out: []kernel.Tensor{out.At(p.a).Tensor}},
		{Op: kernel.MatMul, In: []kernel.Tensor{a, dw}, Out: []kernel.Tensor{out.At(p.b).Tensor}},
	}
}

// MergeCost is the canonical cost, in FLOP, of [Merge]. The adapters need no storage.
func MergeCost(adapters *tensor.Set) uint64 {
	var sum uint64
	for _, p := range adapterPairs(adapters) {
		a, b := adapters.At(p.a).Tensor, adapters.At(p.b).Tensor
		w := infer(kernel.MatMul, mergeAttr, a, b)[0]
		sum += cost(kernel.MatMul, mergeAttr, a, b) + cost(kernel.Add, kernel.Attr{}, w, w)
	}
	return sum
}

// ProjectCost is the canonical cost, in FLOP, of [Project]. The adapters need no storage.
func ProjectCost(adapters *tensor.Set) uint64 {
	var sum uint64
	for _, p := range adapterPairs(adapters) {
		dw := infer(kernel.MatMul, mergeAttr, adapters.At(p.a).Tensor, adapters.At(p.b).Tensor)[0]
		for _, c := range adapterGradients(dw, adapters, adapters, p) {
			sum += kernel.Cost(&c)
		}
	}
	return sum
}
