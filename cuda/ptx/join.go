package ptx

// joins finds, for every guarded branch, where the threads that it parts come
// together again: the nearest instruction that all ways from it to the end of
// the kernel pass, its immediate post-dominator. Dominators are found by the
// algorithm of Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm",
// 2001, on the reversed graph, whose root is the end.
func joins(code []instr) {
	end := len(code)
	before := make([][]int, end+1)
	for i := range code {
		for _, to := range successors(code, i) {
			before[to] = append(before[to], i)
		}
	}
	order, rank := postorder(before, end)
	join := make([]int, end+1)
	for i := range join {
		join[i] = -1
	}
	join[end] = end
	for changed := true; changed; {
		changed = false
		for at := len(order) - 2; at >= 0; at-- { // but the root
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
		if code[i].join = join[i]; join[i] < 0 { // no way to the end
			code[i].join = end
		}
	}
}

// successors are the instructions that may follow, len(code) for the end.
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

// postorder numbers what the root reaches, itself last.
func postorder(edges [][]int, root int) (order, rank []int) {
	rank = make([]int, len(edges))
	next := make([]int, len(edges)) // how many edges were followed, plus one
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

// meet is the nearest common ancestor of a and b.
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
