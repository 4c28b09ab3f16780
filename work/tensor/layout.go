package tensor

import (
	"cmp"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// layout decides which results share storage, and where in the arena each
// storage lies. Lifetimes are in positions of the order of execution.
type layout struct {
	g       *Graph
	order   []int    // the nodes that some output needs, operations only
	lastUse [][]int  // by node and output: the last position that reads it
	buffer  [][]int  // by node and output: its index in buffers
	buffers []buffer // in order of first
	size    [3]int   // by element type, in elements: the arena
}

// buffer is the storage of one result, or of several of which each overwrites
// the one before in place.
type buffer struct {
	typ         kernel.Type
	elements    int
	first, last int // positions of the operation that writes it and the last that reads it
	offset      int // in the arena's array of the type
}

// align is the granularity of placement, in elements: a cache line of float32.
const align = 16

// forever is the last use of an output of the plan.
const forever = math.MaxInt

// overwrites lists, for the rows that allow it, the outputs that may take an
// input's storage: pairs of output and input. See kernel.Call.
var overwrites = map[kernel.Op][][2]int{
	kernel.AddBias:          {{0, 0}},
	kernel.Add:              {{0, 0}, {0, 1}},
	kernel.Relu:             {{0, 0}},
	kernel.ReluGrad:         {{0, 1}, {0, 0}},
	kernel.ScatterAdd:       {{0, 0}},
	kernel.Dropout:          {{0, 0}},
	kernel.AttnSoftmax:      {{0, 0}},
	kernel.AttnSoftmaxGrad:  {{0, 1}, {0, 0}},
	kernel.CrossEntropyGrad: {{0, 0}},
	kernel.AddQuantized:     {{0, 0}},
	kernel.Scale:            {{0, 0}},
	kernel.Adam:             {{0, 0}, {1, 1}, {2, 2}},
}

// newLayout finds what outputs need, and every result's last use.
func newLayout(g *Graph, outputs []Value) *layout {
	l := &layout{g: g, lastUse: make([][]int, len(g.nodes)), buffer: make([][]int, len(g.nodes))}
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
	for i, n := range g.nodes {
		if !live[i] || n.op == 0 {
			continue
		}
		at := len(l.order)
		l.order = append(l.order, i)
		l.lastUse[i] = slices.Repeat([]int{at}, len(n.out))
		for _, v := range n.in {
			if g.node(v).op != 0 {
				l.lastUse[v.node-1][v.out] = at
			}
		}
	}
	for _, v := range outputs {
		if g.node(v).op != 0 {
			l.lastUse[v.node-1][v.out] = forever
		}
	}
	return l
}

// share gives every result a buffer: the one of an input that it may overwrite
// and that nothing reads later, or a new one.
func (l *layout) share() {
	for at, i := range l.order {
		n := &l.g.nodes[i]
		l.buffer[i] = make([]int, len(n.out))
		for o, t := range n.out {
			id, ok := l.overwritten(at, n, o)
			if !ok {
				id = len(l.buffers)
				l.buffers = append(l.buffers, buffer{typ: t.Type, elements: t.Len(), first: at})
			}
			l.buffer[i][o] = id
			l.buffers[id].last = l.lastUse[i][o]
		}
	}
}

// overwritten returns the buffer that output o of n, the operation at position
// at, takes over from an input.
func (l *layout) overwritten(at int, n *node, o int) (id int, ok bool) {
	for _, pair := range overwrites[n.op] {
		v := n.in[pair[1]]
		if pair[0] != o || l.g.node(v).op == 0 || l.lastUse[v.node-1][v.out] != at {
			continue
		}
		if t := l.g.tensor(v); t.Type == n.out[o].Type && slices.Equal(t.Shape, n.out[o].Shape) {
			return l.buffer[v.node-1][v.out], true
		}
	}
	return 0, false
}

// span is a free part of an arena's array.
type span struct{ offset, size int }

// place lays the buffers into the arena, in the order they are written, each
// into the smallest free span that holds it.
func (l *layout) place() {
	ends := make([][]int, len(l.order)) // by position: the buffers last read there
	for id, b := range l.buffers {
		if b.last != forever {
			ends[b.last] = append(ends[b.last], id)
		}
	}
	var free [3][]span
	next := 0
	for at := range l.order {
		for ; next < len(l.buffers) && l.buffers[next].first == at; next++ {
			b := &l.buffers[next]
			t := b.typ - kernel.F32
			b.offset = take(&free[t], roundUp(b.elements), &l.size[t])
		}
		for _, id := range ends[at] {
			b := l.buffers[id]
			t := b.typ - kernel.F32
			free[t] = release(free[t], span{b.offset, roundUp(b.elements)})
		}
	}
}

// take removes size elements from the smallest span that has them, or extends
// the array, whose length end is. It returns their offset.
func take(free *[]span, size int, end *int) int {
	best := -1
	for i, s := range *free {
		if s.size >= size && (best < 0 || s.size < (*free)[best].size) {
			best = i
		}
	}
	if best >= 0 {
		s := &(*free)[best]
		offset := s.offset
		s.offset += size
		s.size -= size
		if s.size == 0 {
			*free = slices.Delete(*free, best, best+1)
		}
		return offset
	}
	offset := *end
	if n := len(*free); n > 0 && (*free)[n-1].offset+(*free)[n-1].size == offset {
		offset = (*free)[n-1].offset
		*free = (*free)[:n-1]
	}
	*end = offset + size
	return offset
}

// release puts s back, joined with the free spans beside it. free is in order
// of offsets.
func release(free []span, s span) []span {
	i, _ := slices.BinarySearchFunc(free, s.offset, func(f span, offset int) int {
		return cmp.Compare(f.offset, offset)
	})
	if i < len(free) && s.offset+s.size == free[i].offset {
		s.size += free[i].size
		free = slices.Delete(free, i, i+1)
	}
	if i > 0 && free[i-1].offset+free[i-1].size == s.offset {
		free[i-1].size += s.size
		return free
	}
	return slices.Insert(free, i, s)
}

// bind grows the arena and returns every live node's outputs with storage.
func (l *layout) bind(a *Arena) [][]kernel.Tensor {
	if len(a.f) < l.size[0] {
		a.f = make([]float32, l.size[0])
	}
	if len(a.i) < l.size[1] {
		a.i = make([]int32, l.size[1])
	}
	if len(a.b) < l.size[2] {
		a.b = make([]int8, l.size[2])
	}
	storage := make([]kernel.Tensor, len(l.buffers))
	for id, b := range l.buffers {
		from, to := b.offset, b.offset+b.elements
		switch b.typ {
		case kernel.F32:
			storage[id].F = a.f[from:to:to]
		case kernel.I32:
			storage[id].I = a.i[from:to:to]
		case kernel.I8:
			storage[id].B = a.b[from:to:to]
		}
	}
	places := make([][]kernel.Tensor, len(l.g.nodes))
	for i := range l.g.nodes {
		n := &l.g.nodes[i]
		if n.op == 0 {
			places[i] = n.out
			continue
		}
		if l.buffer[i] == nil {
			continue
		}
		places[i] = make([]kernel.Tensor, len(n.out))
		for o, t := range n.out {
			s := storage[l.buffer[i][o]]
			places[i][o] = kernel.Tensor{Type: t.Type, Shape: t.Shape, F: s.F, I: s.I, B: s.B}
		}
	}
	return places
}

func roundUp(n int) int { return (n + align - 1) / align * align }
