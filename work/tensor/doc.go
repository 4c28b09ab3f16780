// Package tensor builds graphs of operations on tensors, their gradients, and the
// programs that compute them.
//
// A [Graph] is a list of nodes: leaves, which hold data, and operations, which are rows
// of the table of package kernel. An operation comes after its inputs, and its outputs'
// shapes are inferred at once. [Graph.Grad] appends the operations of a gradient (reverse
// mode), which are rows of the same table. [Graph.Compile] makes a [Program]: it drops
// the operations that no output needs, puts the others in sequence, lets results share
// storage and makes the list of kernel calls. A program computes the same bits on every
// device, wherever the results lie and in whatever sequence the operations run.
//
// Batches have different sizes but the same operations, so a graph and its program are
// made once. [Graph.Set] gives a leaf the tensor of the next batch, and
// [Program.Prepare] infers the shapes anew and places the results in the same memory.
//
//	g := tensor.NewGraph()
//	x := g.Leaf(tensor.Input, "x", xs)       // [3,2]
//	w := g.Leaf(tensor.Param, "w", weights)  // [2,4]
//	y := g.Do(kernel.Sum, kernel.Attr{}, g.Do(kernel.MatMul, kernel.Attr{}, x, w))
//	var arena tensor.Arena
//	p := g.Compile(&arena, y)
//	p.Run(dev)
//	fmt.Println(p.Result(y).F[0])
package tensor
