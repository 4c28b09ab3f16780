package tensor

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
)

// Most operations of a model are local to an item of the batch (a pair of sentences):
// they read only the item's own rows, and parameters. This file finds the local
// operations from the partitions that leaves declare, and divides a program into steps. A
// step is a stage of local operations, in the graph's sequence, and a group of free
// operations over all items (the gradients of parameters), which need nothing from one
// another or from the stage. A device takes a few items at a time through a whole stage,
// so that they stay in its cache, and waits for all items only between steps.

// Partition is one way in which the rows of tensors are divided among the items of a
// batch: as source sentences, say, or as target sentences. The zero Partition is of
// tensors that are not divided.
type Partition uint8

// Partition declares a partition: item i has rows splits[i] to splits[i+1]-1. All
// partitions of a graph have the same number of items.
func (g *Graph) Partition(splits []int32) Partition {
	g.partitions = append(g.partitions, splits)
	return Partition(len(g.partitions))
}

// SetPartition gives a partition the row splits of another batch, which the next
// [Program.Prepare] reads.
func (g *Graph) SetPartition(p Partition, splits []int32) { g.partitions[p-1] = splits }

// split says how the elements of a value belong to items: by its rows, or, for attention
// scores, by the rows of a segment table. The zero split is of a value that is not divided.
type split struct {
	part  Partition
	table int // the table's node, plus one
	heads int // of the scores
}

// locality finds how n's outputs are divided, given the splits of the nodes before n, and
// whether n is local and by which partition. Partition 0 means by segments. See
// [kernel.Locals] for the letters.
func (g *Graph) locality(n *node, splits [][]split) (out []split, part Partition, local bool) {
	out = make([]split, len(n.out))
	// The gradient of a weight (TN) sums over the rows of all items.
	rule := kernel.Locals[n.op]
	if rule == "" || n.op == kernel.MatMul && n.attr.Trans == kernel.TN {
		return out, 0, false
	}
	// First find the split that each letter stands for in this call.
	of := map[byte]split{'w': {}}
	for i, v := range n.in {
		switch leaf := g.node(v); rule[i] {
		case 't':
			if len(leaf.parts) != 2 { // not one segment for each item
				return out, 0, false
			}
			of['q'], of['k'] = split{part: leaf.parts[0]}, split{part: leaf.parts[1]}
			of['s'] = split{table: v.node, heads: n.attr.Heads}
		case 'r':
			if sp := splits[v.node-1][v.out]; part == 0 && sp.table == 0 {
				part, of['r'] = sp.part, sp
			}
		}
	}
	// Then every input must be divided as its letter says.
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
		local = shape[len(shape)-1]%4 == 0 // otherwise two items share a counter of the generator
		return out, part, local
	}
	return out, part, true
}

// step is a stage, calls from to free-1, and the free calls, free to until-1, which may run
// at any time during the stage: a group whose inputs the steps before computed.
type step struct{ from, free, until int }

// maxPostponed is the largest number of operations over all items that are postponed so
// that more local operations can join the same stage. The longer they wait, the less of
// their inputs is still in the cache.
const maxPostponed = 6

// schedule puts the live nodes in the sequence in which they run, and divides it into
// steps.
func (l *layout) schedule(live []bool) {
	g := l.g
	l.splits = make([][]split, len(g.nodes))
	s := scheduler{l: l, groupOf: make([]int, len(g.nodes))}
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.op == 0 {
			l.splits[i] = make([]split, 1)
			if len(n.parts) == 1 {
				l.splits[i][0].part = n.parts[0]
			}
			continue
		}
		out, part, local := g.locality(n, l.splits)
		l.splits[i] = out
		if !live[i] {
			continue
		}
		// A local operation joins the stage. Where it needs a postponed result, it ends the
		// postponement.
		if local {
			if s.group(n) > 0 {
				s.drain()
			}
			s.stage, l.partitions[i] = append(s.stage, i), uint8(part)
			continue
		}
		s.postpone(i, max(s.group(n), 1))
		if len(s.groups) > 1 && len(s.groups[1]) >= maxPostponed {
			s.flush()
		}
	}
	s.drain()
}

// scheduler holds the nodes that are in no step yet. The free operations of the next step are
// groups[0], whose inputs are all in steps before. The next group may read results of stage
// and of groups[0], and so on.
type scheduler struct {
	l       *layout
	stage   []int
	groups  [][]int
	groupOf []int // by node: the index of its group plus one, or 0 for a node in none
}

// group is the index in groups of the first group that n can be in, because n needs results of
// the group before. It is 0 when n needs no result of a group.
func (s *scheduler) group(n *node) int {
	at := 0
	for _, v := range n.in {
		at = max(at, s.groupOf[v.node-1])
	}
	return at
}

// postpone puts node i in the group of an index.
func (s *scheduler) postpone(i, group int) {
	for len(s.groups) <= group {
		s.groups = append(s.groups, nil)
	}
	s.groups[group], s.groupOf[i] = append(s.groups[group], i), group+1
}

// flush makes a step of the stage and the first group.
func (s *scheduler) flush() {
	l, from := s.l, len(s.l.order)
	var free []int
	if len(s.groups) > 0 {
		free, s.groups = s.groups[0], s.groups[1:]
	}
	l.order = append(append(l.order, s.stage...), free...)
	if len(l.order) > from {
		l.steps = append(l.steps, step{from, from + len(s.stage), len(l.order)})
	}
	for _, i := range free {
		s.groupOf[i] = 0
	}
	for _, group := range s.groups {
		for _, i := range group {
			s.groupOf[i]--
		}
	}
	s.stage = nil
}

// drain puts all nodes in steps.
func (s *scheduler) drain() {
	for s.flush(); len(s.groups) > 0; {
		s.flush()
	}
}

// checkPartitions panics when partitions do not fit one another or their leaves, because
// the batch was packed wrongly.
func (g *Graph) checkPartitions() {
	for _, s := range g.partitions {
		if len(s) != len(g.partitions[0]) || s[0] != 0 {
			panic("tensor: partitions with different numbers of items, or that do not begin at row 0")
		}
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		for j, part := range n.parts {
			splits := g.partitions[part-1]
			ok := n.out[0].Shape[0] == int(splits[len(splits)-1])
			if len(n.parts) == 2 { // a segment table: first the queries, then the keys
				ok = tableFits(n.out[0].I, 2*j, splits)
			}
			if !ok {
				panic(fmt.Sprintf("tensor: the rows of leaf %s are not those of its partition", n.name))
			}
		}
	}
}

// tableFits reports whether each row of a segment table has the first row of its item in
// column at, and the number of its rows in the next column.
func tableFits(table []int32, at int, splits []int32) bool {
	if len(table) != 4*(len(splits)-1) {
		return false
	}
	for i := range len(splits) - 1 {
		if table[4*i+at] != splits[i] || table[4*i+at+1] != splits[i+1]-splits[i] {
			return false
		}
	}
	return true
}
