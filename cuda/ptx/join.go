package ptx

// joins finds for every branch the instruction where its threads converge again: its immediate
// post-dominator, which is the first instruction that all paths from the branch to the end of the
// kernel have in common. The algorithm is that of Cooper, Harvey and Kennedy, "A simple, fast
// dominance algorithm", 2001, on the reversed graph, whose root is the end.
func joins(code []instr) {
	// The edges of the reversed graph.
	end := len(code)
	before := make([][]int, end+1)
	for i := range code {
		for _, to := range successors(code, i) {
			before[to] = append(before[to], i)
		}
	}
	order, rank := postorder(before, end)
	// join[i] is the immediate post-dominator found so far, -1 for none. Repeat, from the end
	// to the start, until nothing changes.
	join := make([]int, end+1)
	for i := range join {
		join[i] = -1
	}
	join[end] = end
	for changed := true; changed; {
		changed = false
		for at := len(order) - 2; at >= 0; at-- { // without the root
			i, best := order[at], -1
			for _, to := range successors(code, i) {
				switch {
				case join[to] < 0:
				case best < 0:
					best = to
				default:
					best = meet(join, rank, best, to)
				}
			}
			if best != join[i] {
				join[i], changed = best, true
			}
		}
	}
	for i := range code {
		if code[i].join = join[i]; join[i] < 0 { // no path leads to the end
			code[i].join = end
		}
	}
}

// successors returns the instructions that may follow instruction i; len(code) means the end.
func successors(code []instr, i int) []int {
	in := &code[i]
	to := i + 1
	switch in.kind {
	case branch:
		to = in.target
	case leave:
		to = len(code)
	}
	if in.guard >= 0 && to != i+1 {
		return []int{i + 1, to}
	}
	return []int{to}
}

// postorder returns the nodes that root reaches in postorder, root last, and by node its rank.
func postorder(edges [][]int, root int) (order, rank []int) {
	rank = make([]int, len(edges))
	next := make([]int, len(edges)) // by node: the number of edges followed, plus one; 0 if not visited
	stack := []int{root}
	next[root] = 1
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		if n := next[i] - 1; n < len(edges[i]) {
			next[i]++
			if to := edges[i][n]; next[to] == 0 {
				next[to] = 1
				stack = append(stack, to)
			}
			continue
		}
		rank[i] = len(order)
		order = append(order, i)
		stack = stack[:len(stack)-1]
	}
	return order, rank
}

// meet returns the nearest common ancestor of a and b in the tree of parents.
func meet(parent, rank []int, a, b int) int {
	for a != b {
		if rank[a] < rank[b] {
			a = parent[a]
		} else {
			b = parent[b]
		}
	}
	return a
}
