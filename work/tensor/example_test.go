package tensor_test

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// matrix returns a matrix of the given shape.
func matrix(rows, cols int, elements ...float32) kernel.Tensor {
	return kernel.Tensor{Type: kernel.F32, Shape: []int{rows, cols}, F: elements}
}

// The sum of a product, and the gradient of the sum with respect to one factor.
func ExampleGraph_Grad() {
	dev, err := kernel.Open("", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	g := tensor.NewGraph()
	x := g.Leaf(tensor.Input, "x", matrix(1, 2, 3, 4))
	w := g.Leaf(tensor.Param, "w", matrix(2, 1, 10, 100))
	y := g.Do(kernel.MatMul, kernel.Attr{}, x, w)
	seed := g.Leaf(tensor.Const, "seed", matrix(1, 1, 1))
	dw := g.Grad(y, seed, w)[0]

	var arena tensor.Arena
	p := g.Compile(&arena, y, dw)
	p.Run(dev)
	fmt.Println("y =", p.Result(y).F, "dy/dw =", p.Result(dw).F)

	// The next batch: another tensor of the same leaf, the same program.
	g.Set(x, matrix(1, 2, 5, 6))
	p.Prepare()
	p.Run(dev)
	fmt.Println("y =", p.Result(y).F, "dy/dw =", p.Result(dw).F)
	// Output:
	// y = [430] dy/dw = [3 4]
	// y = [650] dy/dw = [5 6]
}

// The place where a value first stopped being finite.
func ExampleProgram_FirstNonFinite() {
	dev, err := kernel.Open("", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	g := tensor.NewGraph()
	x := g.Leaf(tensor.Input, "x", matrix(1, 2, 1e30, 1))
	g.Module("encoder.0")
	y := g.Do(kernel.Scale, kernel.Attr{Scale: 1e30}, x)
	g.Module("encoder.1")
	z := g.Do(kernel.Relu, kernel.Attr{}, y)

	var arena tensor.Arena
	at, found := g.Compile(&arena, z).FirstNonFinite(dev)
	fmt.Println(found, at.Op, at.Tensor)
	// Output: true Scale encoder.0
}

// Two sets of parameters that differ in one tensor.
func ExampleSet_Difference() {
	s, err := tensor.NewSet([]tensor.Named{
		{Name: "bias", Tensor: matrix(1, 2, 0, 1)},
		{Name: "weight", Tensor: matrix(1, 1, 7)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	t := s.Clone()
	weight, _ := t.Get("weight")
	weight.F[0] = 8
	fmt.Println(s.Difference(t))
	// Output: weight true
}
