package kernel

// Locals says which operations compute each item of a batch from the same item alone, if
// their inputs are divided by items. An operation that is missing mixes items.
//
// Its value has one letter for each input and, after ">", one for each output:
//
//	w  whole: not divided, such as a parameter
//	r  divided by rows, all by the same partition
//	t  a segment table, whose queries belong to partition q and keys to partition k
//	q  divided by the rows of partition q
//	k  divided by the rows of partition k
//	s  the scores of table t
//
// A call whose letters are r and w alone can also be computed in any pieces of its rows,
// except Dropout, which numbers its random words by the element of the whole tensor.
var Locals = map[Op]string{
	MatMul:           "rw>r", // unless A is transposed: its sums are over rows
	AddBias:          "rw>r",
	Add:              "rr>r",
	Relu:             "r>r",
	ReluGrad:         "rr>r",
	Swish:            "r>r",
	SwishGrad:        "rr>r",
	LayerNorm:        "rww>rr",
	LayerNormGrad:    "rrwr>r",
	Embed:            "wrrw>r",
	Gather:           "wr>r",
	Dropout:          "rw>r", // if a row's length is a multiple of 4: see [Philox]
	Scale:            "r>r",
	AttnScores:       "qkt>s",
	AttnSoftmax:      "st>s",
	AttnSoftmaxGrad:  "sst>s",
	AttnMix:          "skt>q",
	AttnMixT:         "sqt>k",
	RowMax:           "r>r",
	RowSum:           "r>r",
	RowSumExp:        "rr>r",
	CrossEntropy:     "rrrrr>rr",
	CrossEntropyGrad: "rrrrw>r",
	ArgMax:           "r>r",
	TopK:             "r>rr",
	QuantizeRows:     "r>rr",
	Linear8:          "rrwww>r",

	QuantizeScaledRows: "rw>rr",

	RowSumSquares: "r>r",
	Adam:          "rrrw>rrr",
}
