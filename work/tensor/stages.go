package tensor

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// Most operations of a model are local to an item of the batch, a pair of
// sentences: they read the item's own rows and parameters. This file finds
// them, from what the leaves are declared to be, and orders the operations as
// steps: a stage, which is local operations in the graph's order, and a group,
// which is operations over all items (the gradients of parameters) that need
// nothing of one another and nothing of the stage. A device takes some items
// through a whole stage, a few at a time so that they stay in its cache, and
// waits for all only between steps.

// Partition is a way in which the items of a batch have rows: as source sentences,
// as target sentences. The zero Partition is of values that items do not divide.
type Partition uint8

// Partition declares a side: item i has rows starts[i] to starts[i+1]-1. All sides
// have the same items.
func (g *Graph) Partition(starts []int32) Partition {
	g.sides = append(g.sides, starts)
	return Partition(len(g.sides))
}

// SetPartition gives a side other items, for the next [Program.Prepare].
func (g *Graph) SetPartition(s Partition, starts []int32) { g.sides[s-1] = starts }

// split is how the elements of a value belong to items: by its rows, or, as
// scores, by the rows of a segment table, or not at all.
type split struct {
	side  Partition
	table int // the table's node, plus one
	heads int // of the scores
}

// locality finds how n's outputs are split, given the splits of the nodes
// before it, and whether n is local, by which side. Segments count as side 0.
func (g *Graph) locality(n *node, splits [][]split) (out []split, side Partition, local bool) {
	out = make([]split, len(n.out))
	rule := kernel.Locals[n.op]
	if rule == "" || n.op == kernel.MatMul && n.attr.Trans == kernel.TN {
		return out, 0, false
	}
	of := map[byte]split{'w': {}}
	for i, v := range n.in {
		switch leaf := g.node(v); rule[i] {
		case 't':
			if len(leaf.sides) != 2 {
				return out, 0, false
			}
			of['q'], of['k'], of['s'] = split{side: leaf.sides[0]}, split{side: leaf.sides[1]}, split{table: v.node, heads: n.attr.Heads}
		case 'r':
			if sp := splits[v.node-1][v.out]; side == 0 && sp.table == 0 {
				side, of['r'] = sp.side, sp
			}
		}
	}
	for i, v := range n.in {
		if rule[i] == 't' {
			continue
		}
		if is, known := of[rule[i]]; !known || splits[v.node-1][v.out] != is || rule[i] != 'w' && is == (split{}) {
			return out, 0, false
		}
	}
	for o := range out {
		out[o] = of[rule[len(n.in)+1+o]]
	}
	if n.op == kernel.Dropout {
		shape := n.out[0].Shape
		local = shape[len(shape)-1]%4 == 0 // otherwise two items share a counter
		return out, side, local
	}
	return out, side, true
}

// step is the calls of a stage, from from to free-1, and free calls, from free
// to until-1, which run meanwhile: a group that the stage before made ready.
type step struct{ from, free, until int }

// delayed is how many operations over all items are put off, at most, so that
// others of one stage can go before them. What they read leaves the cache
// meanwhile.
const delayed = 6

// schedule puts the nodes that are live in the order they run in, and cuts it
// into steps.
func (l *layout) schedule(live []bool) {
	g := l.g
	l.splits = make([][]split, len(g.nodes))
	s := scheduler{l: l, waiting: make([]bool, len(g.nodes))}
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.op == 0 {
			l.splits[i] = make([]split, 1)
			if len(n.sides) == 1 {
				l.splits[i][0].side = n.sides[0]
			}
			continue
		}
		out, side, local := g.locality(n, l.splits)
		l.splits[i] = out
		if !live[i] {
			continue
		}
		for _, v := range n.in {
			if s.waiting[v.node-1] {
				s.drain()
			}
		}
		if local {
			s.stage, l.sides[i] = append(s.stage, i), uint8(side)
			continue
		}
		s.group, s.waiting[i] = append(s.group, i), true
		if len(s.group) == delayed {
			s.flush()
		}
	}
	s.drain()
}

// scheduler is the nodes that no step has yet.
type scheduler struct {
	l       *layout
	stage   []int
	ready   []int  // a group of which all that it reads is computed by now
	group   []int  // one that reads what stage computes
	waiting []bool // by node: in ready or group
}

// flush makes a step of the stage, and of the group that was ready before it.
func (s *scheduler) flush() {
	l, from := s.l, len(s.l.order)
	l.order = append(append(l.order, s.stage...), s.ready...)
	if len(l.order) > from {
		l.steps = append(l.steps, step{from, from + len(s.stage), len(l.order)})
	}
	for _, i := range s.ready {
		s.waiting[i] = false
	}
	s.stage, s.ready, s.group = nil, s.group, nil
}

// drain leaves nothing waiting.
func (s *scheduler) drain() {
	s.flush()
	s.flush()
}

// checkSides panics when the sides or the leaves that are split by them do
// not fit: the batch was packed wrongly.
func (g *Graph) checkSides() {
	for _, s := range g.sides {
		if len(s) != len(g.sides[0]) || s[0] != 0 {
			panic("tensor: sides of different items")
		}
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		for j, side := range n.sides {
			starts := g.sides[side-1]
			ok := n.out[0].Shape[0] == int(starts[len(starts)-1])
			if len(n.sides) == 2 {
				ok = tableFits(n.out[0].I, 2*j, starts)
			}
			if !ok {
				panic(fmt.Sprintf("tensor: leaf %s does not fit its side", n.name))
			}
		}
	}
}

// tableFits reports whether each row of a segment table has, at column at,
// the first row of its item and the number of them.
func tableFits(table []int32, at int, starts []int32) bool {
	if len(table) != 4*(len(starts)-1) {
		return false
	}
	for i := range len(starts) - 1 {
		if table[4*i+at] != starts[i] || table[4*i+at+1] != starts[i+1]-starts[i] {
			return false
		}
	}
	return true
}
