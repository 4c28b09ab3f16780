package kernel

// InPlace lists the operations whose outputs may use the storage of inputs: those that
// compute an element from the same element, and those that change rows of a base. Each
// entry lists ways to do so. A way has one input for each output: {1} says that output 0
// may use the storage of input 1. Programs, the tests of every device and the selftest
// of a GPU take the ways from here.
//
// Both tensors begin at the same element and have the same shape.
var InPlace = map[Op][][]int{
	AddBias:          {{0}},
	Add:              {{0}, {1}},
	Relu:             {{0}},
	ReluGrad:         {{1}, {0}},
	ScatterAdd:       {{0}},
	Dropout:          {{0}},
	AttnSoftmax:      {{0}},
	AttnSoftmaxGrad:  {{1}, {0}},
	CrossEntropyGrad: {{0}},
	AddQuantized:     {{0}},
	Scale:            {{0}},
	Adam:             {{0, 1, 2}, {1, 2, 0}, {2, 0, 1}},
	AddQuantized4:    {{0}},
	AddQuantized2:    {{0}},
	Swish:            {{0}},
	SwishGrad:        {{1}, {0}},
	Scatter:          {{0}},
}
