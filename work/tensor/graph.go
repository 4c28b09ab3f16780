package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// LeafKind says which data a leaf has. It is part of the leaf's hashed name.
type LeafKind uint8

const (
	Param LeafKind = iota + 1 // a tensor that training changes
	Input                     // a tensor of the batch: tokens, segment tables, random keys
	Const                     // a tensor that the model fixes: position tables
)

// String returns the kind in a word: parameter, input or constant.
func (k LeafKind) String() string {
	return [...]string{"operation", "parameter", "input", "constant"}[k]
}

// Value is one output of one node of a graph. The zero Value means none.
type Value struct {
	node int // index in the graph, plus one
	out  int
}

// Out returns output i of v's node. [Graph.Do] returns output 0.
func (v Value) Out(i int) Value { return Value{v.node, i} }

// Name is the hashed name of an operation or a leaf: NUMERICS.md in package kernel,
// section 9. It is SHA-256 of the operation's name and version, its attributes and its
// inputs' names, or of a leaf's kind and name. It does not depend on the data. Two
// machines that run the same graph can therefore compare it operation by operation.
type Name [32]byte

// String returns n in hexadecimal.
func (n Name) String() string { return fmt.Sprintf("%x", n[:]) }

// node is a leaf, when op is zero, or an operation.
type node struct {
	op   kernel.Op
	attr kernel.Attr
	in   []Value
	out  []kernel.Tensor // a leaf's tensor; an operation's output types and shapes

	kind  LeafKind    // of a leaf
	parts []Partition // of a leaf: see Graph.Leaf
	name  string      // of a leaf; of an operation its module, which is no part of its identity
	back  bool        // the operation belongs to a gradient
}

// Graph is a list of leaves and operations, in which an operation comes after its inputs.
// Make one with [NewGraph].
type Graph struct {
	nodes      []node
	partitions [][]int32 // the row splits of each
	module     string    // of the next operations
	back       bool      // the next operations belong to a gradient
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{} }

// Leaf appends a leaf with a name and a tensor. The graph keeps t's storage, and the next
// run sees later changes of its elements. A segment table is different: its elements fix
// the shapes of operations, so it changes only by [Graph.Set] and [Program.Prepare].
//
// A leaf whose rows belong to the items of a batch names the partition that divides them.
// A segment table with one row for each item names two partitions, that of the queries
// and that of the keys. Other leaves name none.
func (g *Graph) Leaf(kind LeafKind, name string, t kernel.Tensor, parts ...Partition) Value {
	g.nodes = append(g.nodes, node{kind: kind, name: name, out: []kernel.Tensor{t}, parts: parts})
	return Value{node: len(g.nodes)}
}

// Set gives a leaf another tensor, which the next [Program.Prepare] reads. The dimensions
// that depend on the size of the batch may differ from before.
func (g *Graph) Set(v Value, t kernel.Tensor) { g.node(v).out[0] = t }

// Module names the part of a model that the next operations belong to, such as
// "encoder.0.ffn". Profiles and reports of defects show it; it is no part of an
// operation's hashed name. Operations of a gradient get the module of the operation that
// they are the gradient of.
func (g *Graph) Module(name string) { g.module = name }

// Do appends an operation and returns its output 0. It panics when the inputs break the
// operation's shape rule, because our own code builds graphs and peers never do.
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

// live reports, by node, whether an output needs the node. Inputs come before their
// operations, so one pass from the end finds all.
func (g *Graph) live(outputs []Value) []bool {
	live := make([]bool, len(g.nodes))
	for _, v := range outputs {
		live[v.node-1] = true
	}
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if live[i] {
			for _, v := range g.nodes[i].in {
				live[v.node-1] = true
			}
		}
	}
	return live
}

// reshape infers the shape of every operation's outputs from the tensors that
// the leaves have now. It panics when the leaves do not fit. room is storage for
// one operation's inputs, which reshape returns grown.
func (g *Graph) reshape(room []kernel.Tensor) []kernel.Tensor {
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.op == 0 {
			continue
		}
		room = g.inputs(n, room)
		if err := kernel.Reshape(n.op, &n.attr, room, n.out); err != nil {
			panic(fmt.Sprintf("tensor: %v", err))
		}
	}
	return room
}

// inputs gives the types and shapes of n's inputs, in room.
func (g *Graph) inputs(n *node, room []kernel.Tensor) []kernel.Tensor {
	room = room[:0]
	for _, v := range n.in {
		room = append(room, g.tensor(v))
	}
	return room
}

// Cost returns the integer cost of a [Program] that computes outputs from the leaves' present tensors. It computes
// no tensors, so leaves need no storage, except segment tables, from which the shapes of scores follow.
func (g *Graph) Cost(outputs ...Value) uint64 {
	room := g.reshape(nil)
	live, sum := g.live(outputs), uint64(0)
	for i := range g.nodes {
		if n := &g.nodes[i]; live[i] && n.op != 0 {
			room = g.inputs(n, room)
			sum += kernel.Cost(&kernel.Call{Op: n.op, Attr: n.attr, In: room, Out: n.out})
		}
	}
	return sum
}

func (g *Graph) node(v Value) *node           { return &g.nodes[v.node-1] }
func (g *Graph) tensor(v Value) kernel.Tensor { return g.node(v).out[v.out] }

// label is the operation's module and direction for a profile, such as
// "backward/encoder.0.ffn".
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

// appendIdentity appends the bytes whose hash is a node's name.
//
// For a leaf: its kind (1 byte) and its name. For an operation: a zero byte, the row's
// version (2 bytes), the length of the row's name (1 byte), the row's name, the attributes
// as [kernel.Attr.AppendBinary] encodes them, and for each input the hashed name of its
// node and the output's index (1 byte).
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
