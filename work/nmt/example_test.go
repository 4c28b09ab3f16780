package nmt_test

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
)

// tiny is the size of a model small enough for an example.
var tiny = nmt.Config{Vocab: 16, Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1}

// A model of one layer learns by gradient descent to copy a sentence, and greedy search then
// writes it.
func ExampleEngine() {
	dev, err := kernel.Open("", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, e := nmt.Init(tiny, 1), nmt.NewEngine(dev, tiny)
	sentences := [][]int32{{5, 9, 7}}
	batches := []nmt.Batch{{Source: sentences, Target: sentences}}
	for step := range uint32(60) {
		g, err := e.Gradient(p, batches, nmt.DropoutKey{Seed: 1, Step: step})
		if err != nil {
			fmt.Println(err)
			return
		}
		if step == 0 {
			fmt.Printf("loss before: %.2f nats per token\n", g.NLL/float32(g.Tokens))
		}
		descend(p, g.Grads, 0.1)
	}
	s, err := e.Loss(p, batches[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("loss after: %.2f nats per token\n", s.NLL/float32(s.Tokens))
	out, _, err := e.Greedy(p, sentences, nmt.TwicePlusTen)
	fmt.Println(out, err)
	// Output:
	// loss before: 2.77 nats per token
	// loss after: 0.05 nats per token
	// [[5 9 7]] <nil>
}

// descend takes a step of gradient descent. Products and sums are rounded one by one, so that
// the bits are the same everywhere.
func descend(p, grads *tensor.Set, rate float32) {
	for i := range p.Len() {
		for j, g := range grads.At(i).F {
			p.At(i).F[j] -= float32(rate * g)
		}
	}
}

// The parameters of a model, and how many numbers they have.
func ExampleConfig_Shapes() {
	shapes := tiny.Shapes()
	fmt.Println(len(shapes), "tensors,", nmt.Init(tiny, 1).Elements(), "numbers")
	for _, s := range shapes[:3] {
		fmt.Println(s.Name, s.Type, s.Dims)
	}
	// Output:
	// 47 tensors, 5888 numbers
	// decoder.0.cross.k.bias F32 [16]
	// decoder.0.cross.k.weight F32 [16 16]
	// decoder.0.cross.norm.bias F32 [16]
}

// Greedy search takes the likeliest token at each position. Beam search finds a translation
// that is likelier as a whole, here of an untrained model.
func ExampleEngine_Beam() {
	dev, err := kernel.Open("", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, e := nmt.Init(tiny, 0), nmt.NewEngine(dev, tiny)
	sources := [][]int32{{5, 9, 7, 3, 4, 8}}
	limit := func(source int) int { return source }
	greedy, _, err := e.Greedy(p, sources, limit)
	fmt.Println("greedy:", greedy, err)
	beam, _, err := e.Beam(p, sources, limit, 4, 0.6)
	fmt.Println("beam of 4:", beam, err)
	// Output:
	// greedy: [[7 7 7 7 7 7]] <nil>
	// beam of 4: [[8 8]] <nil>
}
