package kernel

import "math"

// source makes the inputs of conformance cases and of the same-bits tests. It uses the
// counter-based generator [Philox], so they are the same on every machine: NUMERICS.md,
// section 10.
type source struct {
	key     [2]uint32
	counter uint32
	words   [4]uint32
	left    int
}

// word returns the next random word. The four words of a counter are used from the first
// to the last.
func (s *source) word() uint32 {
	if s.left == 0 { // a counter gives four words
		s.words = Philox([4]uint32{s.counter}, s.key)
		s.counter++
		s.left = 4
	}
	s.left--
	return s.words[3-s.left]
}

// below returns an integer in [0,n).
func (s *source) below(n int) int { return int(uint64(s.word()) * uint64(n) >> 32) }

// uniform returns a multiple of 2^-22 in [-2,2).
func (s *source) uniform() float32 { return float32(int32(s.word())>>8) / (1 << 22) }

// rough returns mostly uniform numbers, and between them zeros of both signs, subnormal
// numbers, numbers whose products are subnormal, large numbers, and the negative of last.
func (s *source) rough(last float32) float32 {
	switch s.below(24) {
	case 0:
		return 0
	case 1:
		return math.Float32frombits(0x80000000)
	case 2:
		return math.Float32frombits(s.word() & 0x807fffff)
	case 3:
		return s.uniform() * pow2(-70)
	case 4:
		return s.uniform() * pow2(20)
	case 5:
		return -last
	}
	return s.uniform()
}

// floats returns a tensor of rough numbers.
func (s *source) floats(shape ...int) Tensor {
	t := New(F32, shape...)
	last := float32(1)
	for i := range t.F {
		last = s.rough(last)
		t.F[i] = last
	}
	return t
}

// smooth returns a tensor of uniform numbers.
func (s *source) smooth(shape ...int) Tensor {
	t := New(F32, shape...)
	for i := range t.F {
		t.F[i] = s.uniform()
	}
	return t
}

// few returns a tensor that holds only five different numbers, so that many elements are
// equal. Zeros of both signs are among them.
func (s *source) few(shape ...int) Tensor {
	t := New(F32, shape...)
	numbers := [5]uint32{0, 0x80000000, 0x3f800000, 0xbf800000, 0x80000001}
	for i := range t.F {
		t.F[i] = math.Float32frombits(numbers[s.below(len(numbers))])
	}
	return t
}

// positive returns a tensor of uniform numbers in [1/4, 9/4].
func (s *source) positive(shape ...int) Tensor {
	t := s.smooth(shape...)
	for i, v := range t.F {
		t.F[i] = max(v, -v) + 0.25
	}
	return t
}

// indexes returns n numbers in [0,limit), the last of them limit-1.
func (s *source) indexes(n, limit int) Tensor {
	t := New(I32, n)
	for i := range t.I {
		t.I[i] = int32(s.below(limit))
	}
	t.I[n-1] = int32(limit - 1)
	return t
}

// distinct returns n different numbers in [0,limit), in any order.
func (s *source) distinct(n, limit int) Tensor {
	t := New(I32, limit)
	for i := range t.I {
		j := s.below(i + 1)
		t.I[i], t.I[j] = t.I[j], int32(i)
	}
	t.Shape, t.I = []int{n}, t.I[:n]
	return t
}

// segs returns a table of n adjacent segments of at most limit queries and keys, with a gap
// after the first segment, and the total numbers of queries and keys.
func (s *source) segs(n, limit int) (seg Tensor, tq, tk int) {
	seg = New(I32, n, 4)
	for i := range n {
		nq, nk := 1+s.below(limit), 1+s.below(limit)
		copy(seg.I[4*i:], []int32{int32(tq), int32(nq), int32(tk), int32(nk)})
		tq, tk = tq+nq, tk+nk
		if i == 0 { // rows that no segment has
			tq, tk = tq+1, tk+2
		}
	}
	return seg, tq, tk
}

// calls returns the conformance calls of op, with outputs of zeros.
func calls(op Op) []Call {
	cs := Ops[op].cases(&source{key: [2]uint32{uint32(op), uint32(Ops[op].Version)}})
	for i := range cs {
		cs[i].Op = op
		allocate(&cs[i])
	}
	return cs
}

// allocate gives c its outputs. It panics when c breaks its operation's shape rule.
func allocate(c *Call) {
	out, err := Infer(c.Op, c.Attr, c.In)
	if err != nil {
		panic(err)
	}
	c.Out = make([]Tensor, len(out))
	for i, t := range out {
		c.Out[i] = New(t.Type, t.Shape...)
	}
}

func call(a Attr, in ...Tensor) Call { return Call{Attr: a, In: in} }

func casesMatMul(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{1, 1, 1}, {1, 70, 33}, {13, 37, 5}, {29, 67, 19}, {5, 33, 530}, {48, 64, 32}} {
		m, n, k := d[0], d[1], d[2]
		cs = append(cs,
			call(Attr{Trans: NN}, s.floats(m, k), s.floats(k, n)),
			call(Attr{Trans: NT}, s.floats(m, k), s.floats(n, k)),
			call(Attr{Trans: TN}, s.floats(k, m), s.floats(k, n)))
	}
	return cs
}

func casesSingle(s *source) []Call {
	a := Attr{Scale: 0.3}
	return []Call{call(a, s.floats(1)), call(a, s.floats(67)), call(a, s.floats(7, 149))}
}

func casesPair(s *source) []Call {
	return []Call{call(Attr{}, s.floats(1), s.floats(1)), call(Attr{}, s.floats(9, 117), s.floats(9, 117))}
}

func casesMatrix(s *source) []Call {
	return []Call{call(Attr{}, s.floats(3, 1)), call(Attr{}, s.floats(7, 45)), call(Attr{}, s.floats(5, 261))}
}

func casesAddBias(s *source) []Call {
	return []Call{call(Attr{}, s.floats(3, 5), s.floats(5)), call(Attr{}, s.floats(11, 83), s.floats(83))}
}

// normInputs returns X, stats, gamma and dY of a layer norm of t rows of d elements.
func normInputs(s *source, t, d int) (x, stats, gamma, dy Tensor) {
	stats = s.positive(t, 2)
	return s.floats(t, d), stats, s.smooth(d), s.floats(t, d)
}

func casesLayerNorm(s *source) []Call {
	a := Attr{Eps: 1e-5}
	flat := New(F32, 2, 40) // zeros: the variance is 0, and only Eps is under the root
	return []Call{
		call(a, s.smooth(4, 7), s.smooth(7), s.smooth(7)),
		call(a, s.floats(9, 101), s.floats(101), s.floats(101)),
		call(a, flat, s.smooth(40), s.smooth(40)),
	}
}

func casesLayerNormGrad(s *source) []Call {
	var cs []Call
	for _, d := range []int{3, 64, 119} {
		x, stats, gamma, dy := normInputs(s, 5, d)
		cs = append(cs, call(Attr{}, x, stats, gamma, dy))
	}
	return cs
}

func casesGainGrad(s *source) []Call {
	var cs []Call
	for _, d := range []int{3, 64, 119} {
		x, stats, _, dy := normInputs(s, 5, d)
		cs = append(cs, call(Attr{}, x, stats, dy))
	}
	return cs
}

func casesEmbed(s *source) []Call {
	a := Attr{Scale: 11.3125}
	return []Call{
		call(a, s.floats(13, 37), s.indexes(8, 13), s.indexes(8, 6), s.floats(6, 37)),
		call(a, s.smooth(3, 64), s.indexes(5, 3), s.indexes(5, 9), s.smooth(9, 64)),
	}
}

func casesGather(s *source) []Call {
	return []Call{call(Attr{}, s.floats(13, 37), s.indexes(8, 13))}
}

func casesScatterAdd(s *source) []Call {
	a := Attr{Scale: 11.3125}
	return []Call{
		call(a, s.floats(6, 37), s.indexes(20, 6), s.floats(20, 37)),
		call(a, s.smooth(3, 64), s.indexes(9, 3), s.smooth(9, 64)),
	}
}

func casesScatter(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{13, 37, 8}, {300, 1, 41}, {9, 70, 9}, {5, 64, 1}} {
		r, width, n := d[0], d[1], d[2]
		cs = append(cs, call(Attr{}, s.floats(r, width), s.distinct(n, r), s.floats(n, width)))
	}
	return cs
}

func casesTopK(s *source) []Call {
	// Ascending, so that each element goes to the front of the list, and descending.
	steps := New(F32, 2, 70)
	for i := range 70 {
		steps.F[i], steps.F[70+i] = float32(i), -float32(i)
	}
	return []Call{
		call(Attr{Rows: 1}, s.floats(3, 1)), call(Attr{Rows: 9}, s.floats(7, 45)),
		call(Attr{Rows: 20}, s.floats(5, 261)),
		call(Attr{Rows: 7}, s.few(9, 7)), call(Attr{Rows: 24}, s.few(5, 300)), call(Attr{Rows: 65}, s.few(3, 67)),
		call(Attr{Rows: 33}, steps),
	}
}

func casesDropout(s *source) []Call {
	key := New(I32, 4)
	for i := range key.I {
		key.I[i] = int32(s.word())
	}
	return []Call{
		call(Attr{Rate: 0.1, Scale: 1 / 0.9, Site: 3}, s.floats(1), key),
		call(Attr{Rate: 0.3, Scale: 1 / 0.7, Site: 0xfffffffe}, s.floats(7, 93), key),
		call(Attr{Rate: 0, Scale: 1}, s.floats(70), key),
	}
}

// scores returns a score tensor that fits seg.
func (s *source) scores(heads int, seg Tensor) Tensor {
	return s.floats(scoresBefore(&seg, heads, rows(&seg)))
}

func casesScores(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{2, 21, 14}, {4, 64, 40}} {
		seg, tq, tk := s.segs(3, d[2])
		cs = append(cs, call(Attr{Heads: d[0]}, s.floats(tq, d[1]/d[0]*d[0]), s.floats(tk, d[1]/d[0]*d[0]), seg))
	}
	return cs
}

func casesSoftmax(s *source) []Call {
	var cs []Call
	for _, causal := range []bool{false, true} {
		seg, _, _ := s.segs(3, 37)
		a := Attr{Heads: 2, Causal: causal, Scale: 0.25}
		cs = append(cs, call(a, s.scores(2, seg), seg))
	}
	return cs
}

func casesSoftmaxGrad(s *source) []Call {
	var cs []Call
	for _, causal := range []bool{false, true} {
		seg, _, _ := s.segs(3, 37)
		a := Attr{Heads: 2, Causal: causal, Scale: 0.25}
		cs = append(cs, call(a, s.scores(2, seg), s.scores(2, seg), seg))
	}
	return cs
}

func casesMix(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{2, 22, 14}, {4, 64, 40}} {
		seg, tq, tk := s.segs(3, d[2])
		cs = append(cs, call(Attr{Heads: d[0], Rows: tq + 1}, s.scores(d[0], seg), s.floats(tk, d[1]), seg))
	}
	return cs
}

func casesAttend(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{2, 22, 14}, {4, 64, 40}} {
		seg, tq, tk := s.segs(3, d[2])
		q, k, v := s.floats(tq, d[1]), s.floats(tk, d[1]), s.floats(tk, d[1])
		cs = append(cs, call(Attr{Heads: d[0], Scale: 0.3}, q, k, v, seg))
	}
	return append(cs, s.queries(4, 64, 21))
}

// queries is a call of Attend as a decoder makes it: three segments of one query each, for
// keys or keys+1 keys.
func (s *source) queries(heads, d, keys int) Call {
	const n = 3
	seg := New(I32, n, 4)
	for i := range n {
		copy(seg.I[4*i:], []int32{int32(i), 1, int32(i * (keys + 1)), int32(keys + i%2)})
	}
	tk := n * (keys + 1)
	return call(Attr{Heads: heads, Scale: 0.2}, s.smooth(n, d), s.smooth(tk, d), s.smooth(tk, d), seg)
}

func casesMixT(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{2, 22, 14}, {4, 64, 40}} {
		seg, tq, tk := s.segs(3, d[2])
		cs = append(cs, call(Attr{Heads: d[0], Rows: tk + 1}, s.scores(d[0], seg), s.floats(tq, d[1]), seg))
	}
	return cs
}

// logits returns X [t,v] with its row maxima m and sums of exponentials sum, whose rows have
// different sizes of numbers.
func (s *source) logits(t, v int) (x, m, sum Tensor) {
	x, m, sum = s.smooth(t, v), New(F32, t), New(F32, t)
	for i := range x.F {
		x.F[i] *= float32(1 + s.below(40)) // some exponentials underflow
	}
	refRowMax(&Call{In: []Tensor{x}, Out: []Tensor{m}}, 0, t)
	refRowSumExp(&Call{In: []Tensor{x, m}, Out: []Tensor{sum}}, 0, t)
	return x, m, sum
}

func casesRowSumExp(s *source) []Call {
	var cs []Call
	for _, v := range []int{1, 45, 261} {
		x, m, _ := s.logits(5, v)
		cs = append(cs, call(Attr{}, x, m))
	}
	return cs
}

func casesCrossEntropy(s *source) []Call {
	x, m, sum := s.logits(7, 45)
	return []Call{call(Attr{Eps: 0.1}, x, m, sum, s.smooth(7), s.indexes(7, 45))}
}

func casesCrossEntropyGrad(s *source) []Call {
	var cs []Call
	for _, v := range []int{3, 45, 261} {
		x, m, sum := s.logits(5, v)
		cs = append(cs, call(Attr{Eps: 0.1}, x, m, sum, s.indexes(5, v), s.positive(1)))
	}
	return cs
}

func casesQuantize(s *source) []Call {
	zero := New(F32, 40)
	tiny := New(F32, 40)
	for i := range tiny.F {
		tiny.F[i] = math.Float32frombits(uint32(i) * 0x01000193 & 0x807fffff)
	}
	return []Call{
		call(Attr{}, s.floats(3)), call(Attr{}, s.smooth(41, 53)), call(Attr{}, s.floats(1030)),
		call(Attr{}, zero), call(Attr{}, tiny),
	}
}

func casesAddQuantized(s *source) []Call {
	var cs []Call
	for _, scale := range []float32{1, -1} {
		q := New(I8, 41, 53)
		for i := range q.B {
			q.B[i] = int8(s.below(255) - 127)
		}
		cs = append(cs, call(Attr{Scale: scale}, s.floats(41, 53), q, s.positive(3)))
	}
	return cs
}

func casesQuantize4(s *source) []Call {
	tiny := New(F32, 100)
	for i := range tiny.F {
		tiny.F[i] = math.Float32frombits(uint32(i) * 0x01000193 & 0x807fffff)
	}
	return []Call{
		call(Attr{}, s.floats(3)), call(Attr{}, s.smooth(41, 53)), call(Attr{}, s.floats(1030)),
		call(Attr{}, New(F32, 70)), call(Attr{}, tiny),
	}
}

func casesAddQuantized4(s *source) []Call {
	var cs []Call
	for _, scale := range []float32{1, -1} {
		x := s.floats(41, 53)
		cs = append(cs, call(Attr{Scale: scale}, x, s.codes4(&x), s.positive(quanta4(&x))))
	}
	return cs
}

// codes4 returns random codes in the form of Quantize4, for the elements of x.
func (s *source) codes4(x *Tensor) Tensor {
	q := New(I32, quanta4(x)*quantum4/8)
	for i := range x.Len() {
		q.I[i/8] |= int32(uint32(s.below(15)-7) & 15 << (4 * (i % 8)))
	}
	return q
}

func casesQuantize2(s *source) []Call {
	tiny := New(F32, 4, 70)
	for i := range tiny.F {
		tiny.F[i] = math.Float32frombits(uint32(i) * 0x01000193 & 0x807fffff)
	}
	return []Call{
		call(Attr{}, s.floats(3)), call(Attr{}, s.smooth(41, 53)), call(Attr{}, s.smooth(3, 300)),
		call(Attr{}, s.floats(1030)), call(Attr{}, New(F32, 70)), call(Attr{}, tiny),
	}
}

func casesAddQuantized2(s *source) []Call {
	var cs []Call
	for _, scale := range []float32{1, -1} {
		x := s.floats(5, 200)
		cs = append(cs, call(Attr{Scale: scale}, x, s.codes2(&x), s.positive(quanta2(&x))))
	}
	return cs
}

// codes2 returns random codes in the form of Quantize2, for the elements of x.
func (s *source) codes2(x *Tensor) Tensor {
	q := New(I32, quanta2(x), quantum2/16)
	for i := range q.I {
		q.I[i] = int32(s.below(1<<16) | s.below(1<<16)<<16)
	}
	return q
}

func casesAdam(s *source) []Call {
	hyper := New(F32, 3)
	copy(hyper.F, []float32{-0.001, 10, 500})
	a := Attr{Beta1: 0.9, Beta2: 0.998, Eps: 1e-9}
	var cs []Call
	for _, n := range []int{1, 67, 530} {
		v := s.floats(n)
		for i, x := range v.F {
			v.F[i] = max(x, -x)
		}
		cs = append(cs, call(a, s.floats(n), s.floats(n), v, hyper))
	}
	return cs
}
