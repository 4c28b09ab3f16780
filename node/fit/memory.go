package fit

import "github.com/alia-network/alia/work/nmt"

// TrainingMemory estimates the bytes of memory that a process needs to compute
// gradients of batches, and to combine them. tokens is the size of a batch, and
// the mean length of its sentences is given in tokens too.
//
// For each token the estimate counts these binary32 numbers: the logits; in
// each layer, the activations that the backward pass reads again (around each
// attention two norms, queries, keys, values, the mix and two residual sums;
// the inner layer; the attention weights, one for each head and token of the
// sentence); in a decoder layer, a second attention; and a few rows in flight.
// It adds twelve sets of the parameters, for gradients, both moments, and what
// a combine and its log hold. The garbage collector lets the heap grow to twice
// what lives, and the program with a corpus takes 128 MiB. On Multi30k the peak
// was 78 to 84 per cent of the estimate: preset tiny with batches of 1,024 and
// of 8,192 tokens took 427 and 1,493 MiB, preset small with 4,096 tokens 1,565.
// Products of 8-bit codes keep codes of some activations in place of the numbers, and codes of
// the weights: `alia bench train` then took 0 to 11 per cent less, which the estimate leaves out.
func TrainingMemory(c nmt.Config, tokens, sentence int) uint64 {
	attention := c.Heads * sentence
	encoder := 10*c.Dim + c.FFN + attention
	decoder := 17*c.Dim + c.FFN + 2*attention
	token := c.Vocab + c.Encoder*encoder + c.Decoder*decoder + 4*(c.Dim+c.FFN)
	const sets, program = 12, 128 << 20
	return 2*4*(uint64(tokens)*uint64(token)+sets*uint64(parameters(c))) + program
}

// parameters is the number of a model's parameters.
func parameters(c nmt.Config) int {
	sum := 0
	for _, s := range c.Shapes() {
		n := 1
		for _, d := range s.Dims {
			n *= d
		}
		sum += n
	}
	return sum
}
