// Package tensor is tensors, the graph of operations that made them, and
// their gradients.
//
// A [Graph] is a list of nodes: leaves, which hold data, and operations,
// which are rows of the table of work/kernel. An operation comes after those it
// needs; its outputs' shapes are inferred at once. [Graph.Grad] appends the
// operations of a gradient, which are rows of the same table. [Graph.Compile] drops
// what no output needs, orders the rest, lets results share storage and makes
// the list of kernel calls. A plan computes the same bits whatever the placement,
// the order and the device.
//
// Batches are of different sizes, but what is computed of each is the same, so
// a graph and its plan are made once: [Graph.Set] gives a leaf the tensor of the
// next batch, and [Program.Prepare] infers the shapes and places the results anew,
// in memory that it has.
//
//	g := tensor.NewGraph()
//	x := g.Leaf(tensor.Input, "x", xs)
//	w := g.Leaf(tensor.Param, "w", weights)
//	y := g.Do(kernel.Sum, kernel.Attr{}, g.Do(kernel.MatMul, kernel.Attr{}, x, w))
//	p := g.Compile(&arena, y)
//	p.Run(dev)
//	fmt.Println(p.Result(y).F[0])
package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// LeafKind is what a leaf is.
type LeafKind uint8

const (
	Param LeafKind = iota + 1 // a tensor that is learnt
	Input                     // a tensor of the batch: tokens, segment tables, keys
	Const                     // a tensor fixed by the model: position encodings
)

// String is what people call such a leaf.
func (k LeafKind) String() string {
	return [...]string{"operation", "parameter", "input", "constant"}[k]
}

// Value is one output of one node of a graph. The zero Value is no value.
type Value struct {
	node int // index in the graph, plus one
	out  int
}

// Out returns output i of v's node; a call returns output 0.
func (v Value) Out(i int) Value { return Value{v.node, i} }

// Name is the hashed name of an operation or a leaf: which operation of which
// graph it is, whatever the data. It is SHA-256 of the operation's name and
// version, its attributes and its inputs' names, or of a leaf's kind and name.
type Name [32]byte

// String returns n in hexadecimal.
func (n Name) String() string { return fmt.Sprintf("%x", n[:]) }

// node is a leaf, when op is zero, or an operation.
type node struct {
	op   kernel.Op
	attr kernel.Attr
	in   []Value
	out  []kernel.Tensor // a leaf's tensor; an operation's output types and shapes

	kind  LeafKind    // leaf
	sides []Partition // leaf: what splits its rows, or of a segment table the queries' and the keys'
	name  string      // leaf; of an operation the module, which its identity leaves out
	back  bool        // the operation is of a gradient
}

// Graph is a list of leaves and operations; an operation comes after its
// inputs. Build one with NewGraph.
type Graph struct {
	nodes  []node
	sides  [][]int32
	module string // of operations to come
	back   bool   // operations to come are of a gradient
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{} }

// Leaf appends t under a name. The graph refers to t's storage: a later change
// of its elements is seen by the next run, except in a segment table, whose
// elements fix the shapes of the operations that take it. A leaf that has rows
// for the items of a batch says of which side; a segment table that has one
// row for each item says the queries' side and the keys'.
func (g *Graph) Leaf(kind LeafKind, name string, t kernel.Tensor, sides ...Partition) Value {
	g.nodes = append(g.nodes, node{kind: kind, name: name, out: []kernel.Tensor{t}, sides: sides})
	return Value{node: len(g.nodes)}
}

// Set gives a leaf another tensor, for the next [Program.Prepare]. Its shape may
// differ where that is a matter of the batch's size.
func (g *Graph) Set(v Value, t kernel.Tensor) { g.node(v).out[0] = t }

// Module names the part of a model that the operations to come belong to. It
// is for people who look for a fault or for time spent, and no part of any
// operation's identity. Operations of a gradient belong where the operation
// does that they are the gradient of.
func (g *Graph) Module(name string) { g.module = name }

// Do appends an operation and returns its output 0. It panics when the inputs
// break the row's shape rule: graphs are built by us, not by peers.
func (g *Graph) Do(op kernel.Op, attr kernel.Attr, in ...Value) Value {
	ts := make([]kernel.Tensor, len(in))
	for i, v := range in {
		ts[i] = g.tensor(v)
	}
	out, err := kernel.Infer(op, attr, ts)
	if err != nil {
		panic(fmt.Sprintf("tensor: %v", err))
	}
	g.nodes = append(g.nodes, node{op: op, attr: attr, in: in, out: out, name: g.module, back: g.back})
	return Value{node: len(g.nodes)}
}

// Shape returns v's shape.
func (g *Graph) Shape(v Value) []int { return g.tensor(v).Shape }

func (g *Graph) node(v Value) *node           { return &g.nodes[v.node-1] }
func (g *Graph) tensor(v Value) kernel.Tensor { return g.node(v).out[v.out] }

// label says what an operation is for, in a form that sorts and splits by "/".
func (n *node) label() string {
	if n.back {
		return "backward/" + n.name
	}
	return "forward/" + n.name
}

// names returns the hashed names of all nodes.
func (g *Graph) names() []Name {
	names := make([]Name, len(g.nodes))
	var b []byte
	for i := range g.nodes {
		b = g.nodes[i].appendIdentity(b[:0], names)
		names[i] = sha256.Sum256(b)
	}
	return names
}

// appendIdentity appends what a node's hashed name is the hash of. Of a leaf:
// a byte that is its kind, and its name. Of an operation: a zero byte, the
// row's version (2 bytes), the length of the row's name (1 byte), the row's
// name, the attributes as kernel.Attr encodes them, and for each input its
// node's hashed name and the output's index (1 byte).
func (n *node) appendIdentity(b []byte, names []Name) []byte {
	b = append(b, byte(n.kind))
	if n.op == 0 {
		return append(b, n.name...)
	}
	row := &kernel.Ops[n.op]
	b = binary.BigEndian.AppendUint16(b, row.Version)
	b = append(b, byte(len(row.Name)))
	b = append(b, row.Name...)
	b, _ = n.attr.AppendBinary(b) // the error is always nil
	for _, v := range n.in {
		b = append(b, names[v.node-1][:]...)
		b = append(b, byte(v.out))
	}
	return b
}
