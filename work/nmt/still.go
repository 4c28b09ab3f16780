package nmt

import (
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// What training does with the token that begins the targets of Marian's models: Config.Still.

// leastBias is the least bias of BOS in a gradient. Its token then has a probability below 1e-27
// of the likeliest one's, as with any lesser bias.
const leastBias = -64

// soften returns parameters with a bias of BOS of leastBias at least. A model of Marian has -1e9,
// to give BOS no probability. Label smoothing spreads a share of each target over all tokens, so
// with -1e9 the loss would be that token's alone, and a binary32 would have no place for the rest.
func (e *Engine) soften(p *tensor.Set) *tensor.Set {
	const name = "output.bias"
	x, ok := p.Get(name)
	bos := e.config.Tokens().BOS
	if !ok || x.Type != kernel.F32 || int(bos) >= x.Len() {
		return p // a model without such a bias, or pack names what is wrong
	}
	f := slices.Clone(kernel.Local(x).F)
	f[bos] = max(f[bos], leastBias)
	bias := set([]tensor.Named{{Name: name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: x.Shape, F: f}}})
	if x.Home != nil {
		bias = bias.On(e.dev)
	}
	items := make([]tensor.Named, p.Len())
	for i := range items {
		if items[i] = p.At(i); items[i].Name == name {
			items[i].Tensor = bias.At(0).Tensor
		}
	}
	return set(items)
}

// hold sets the gradient of BOS's embedding to zero.
func (e *Engine) hold(grads *tensor.Set) {
	x, _ := grads.Get("embedding.weight")
	dim, bos := e.config.Dim, int(e.config.Tokens().BOS)
	kernel.Copy(x.Part(bos*dim, (bos+1)*dim, dim), kernel.New(kernel.F32, dim))
}
