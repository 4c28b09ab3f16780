package kernel

// Locals has, for the rows that are local to an item of a batch when their
// operands are, what each input must be and, after the arrow, what each output
// is: w whole, r split by rows, all by those of one side; t a segment table, from
// side q to side k, s its scores, and q and k split by the rows of its sides. A
// call whose letters are r and w alone is computed by rows in any pieces, but
// for Dropout, whose draws go by an element's place in the whole.
var Locals = map[Op]string{
	MatMul:           "rw>r", // unless A is transposed
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
	Dropout:          "rw>r", // where a row is whole counters
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
	RowSumSquares:    "r>r",
	Adam:             "rrrw>rrr",
}
