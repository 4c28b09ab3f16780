// Package nmt is the Transformer for translation: its forward pass, loss and gradient,
// greedy search and beam search.
//
// The model is the encoder-decoder of Vaswani et al., "Attention is all you need", 2017,
// with these choices: a norm before each sub-layer and after the last layer (Xiong et al.,
// "On layer normalization in the Transformer architecture", 2020); sinusoidal positions;
// one embedding matrix for source, target and output (Press and Wolf, 2017); ReLU; a bias
// on every projection; dropout on the embeddings and on the output of each sub-layer; and
// label smoothing. A [Form] describes models of other programs, which choose otherwise.
//
// A [Config] is the size of a model, [Init] makes the parameters that training starts
// with, and an [Engine] computes on one device. Sentences are packed end to end, without
// padding: a batch of T tokens is one matrix [T, Dim], and segment tables say where
// sentences begin. So a sentence's translation does not depend on the other sentences of
// the batch, and a loss only through the sums over the batch.
//
//	e := nmt.NewEngine(dev, config)
//	p := nmt.Init(config, seed)
//	g, err := e.Gradient(p, []nmt.Batch{{Source: src, Target: tgt}}, nmt.DropoutKey{Seed: seed, Step: 1})
//	if err != nil {
//		return err
//	}
//	fmt.Println(g.NLL / float32(g.Tokens)) // nats per target token
//	out, cost, err := e.Greedy(p, src, nmt.TwicePlusTen)
package nmt
