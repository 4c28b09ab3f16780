package main

// reductions emits the reductions of a row to one number.
func (m *machine) reductions() {
	m.returnOne("laneSum", "", "is the lane sum of x.", 0, m.sum, nil)
	m.laneSumSquares()
	m.returnOne("laneMax", "", "is the lane maximum of x.", negativeInf, m.maximum, nil)
	m.returnOne("largest", "", "is the largest of x, never a NaN, -Inf if there is none.", negativeInf, m.largest, nil)
	magnitude := func() func(vec) { return func(x vec) { m.op2("FABS", x, x) } }
	m.returnOne("absMax", "", "is the largest magnitude of x; a NaN is larger than infinity.", 0, m.larger, magnitude)
	m.returnOne("laneSumExp", "top float32, ", "is the lane sum of exp(x-top).", 0, m.sum, func() func(vec) {
		m.spread("top", factor)
		m.hold()
		return func(x vec) {
			m.sub(x, factor, x)
			m.exp(x)
		}
	})
}

// returnOne emits a reduction by op, from start. each, if it is not nil, returns a function of the elements.
func (m *machine) returnOne(
	name, params, doc string, start uint32, op func(x, acc vec), each func() func(vec),
) {
	m.function(name, "(x *float32, "+params+"n int) float32", doc, lanesSize)
	x, n := m.arg("x"), m.arg("n")
	f := func(vec) {}
	if each != nil {
		f = each()
	}
	m.fill(start, sums)
	m.reduce(n, []gp{x}, []vec{sums}, func(i int) {
		v := m.load(x, i, temp)
		f(v)
		op(v, sums+vec(i))
	})
	m.fold(sums, op)
	m.emit("FMOVS %s, ret+%d(FP)", sums.f(), m.offset["ret"])
	m.end()
}

// laneSumSquares emits kernel.RowSumSquares for one row.
func (m *machine) laneSumSquares() {
	m.function("laneSumSquares", "(x *float32, n int) float32", "is the lane fma sum of x*x.", lanesSize)
	x, n := m.arg("x"), m.arg("n")
	m.fill(0, sums)
	m.reduce(n, []gp{x}, []vec{sums}, func(i int) {
		v := m.load(x, i, temp)
		m.fma(v, v, sums+vec(i))
	})
	m.emit("FMOVS %s, ret+%d(FP)", m.fold(sums, m.sum).f(), m.offset["ret"])
	m.end()
}

// layerNorm emits kernel.LayerNorm for one row.
func (m *machine) layerNorm() {
	m.function("layerNorm", "(y, x, gamma, beta, stats *float32, count, eps float32, n int)",
		"is a row of LayerNorm; count is n.", lanesSize)
	r := m.args("y", "x", "gamma", "beta", "stats", "n")
	y, x, gamma, beta, stats, n := r[0], r[1], r[2], r[3], r[4], r[5]
	const mean, inv, count, eps = factor, factor2, vec(16), vec(17)
	m.scalar("count", count)
	m.scalar("eps", eps)
	// The mean.
	m.fill(0, sums)
	m.reduce(n, []gp{x}, []vec{sums}, func(i int) { m.sum(m.load(x, i, temp), sums+vec(i)) })
	m.emit("FDIVS %s, %s, %s", count.f(), m.fold(sums, m.sum).f(), mean.f())
	m.emit("FMOVS %s, (%v)", mean.f(), stats)
	// The mean square of deviations, and the inverse root.
	m.spreadLane(mean)
	m.fill(0, sums)
	m.reduce(n, []gp{x}, []vec{sums}, func(i int) {
		d := m.load(x, i, temp)
		m.sub(d, mean, d)
		m.fma(d, d, sums+vec(i))
	})
	v := m.fold(sums, m.sum).f()
	m.emit("FDIVS %s, %s, %s", count.f(), v, v)
	m.emit("FADDS %s, %s, %s", eps.f(), v, v)
	m.emit("FSQRTS %s, %s", v, v)
	m.inverse(sums, inv)
	m.emit("FMOVS %s, 4(%v)", inv.f(), stats)
	// The normalised row, with gain and bias.
	m.blocks(n, []gp{y, x, gamma, beta}, func(i int) {
		d, b := m.load(x, i, temp), m.load(beta, i, temp+1)
		m.sub(d, mean, d)
		m.mul(d, inv, d)
		m.fma(d, m.load(gamma, i, temp+2), b)
		m.store(b, y, i)
	})
	m.end()
}

// inverse fills dst with 1 divided by element 0 of v.
func (m *machine) inverse(v, dst vec) {
	m.constant(one, dst)
	m.emit("FDIVS %s, %s, %s", v.f(), dst.f(), dst.f())
	m.spreadLane(dst)
}

// layerNormGrad emits kernel.LayerNormGrad for one row.
func (m *machine) layerNormGrad() {
	m.function("layerNormGrad", "(dx, x, gamma, dy *float32, mean, r, count float32, n int)",
		"is a row of LayerNormGrad; count is n.", 2*lanesSize)
	regs := m.args("dx", "x", "gamma", "dy", "n")
	dx, x, gamma, dy, n := regs[0], regs[1], regs[2], regs[3], regs[4]
	mean, r := m.spread("mean", factor), m.spread("r", factor2)
	// load computes dy*gamma and the normalised input again, for both passes.
	load := func(i int) (u, xh vec) {
		u, xh = m.load(dy, i, temp), m.load(x, i, temp+1)
		m.mul(u, m.load(gamma, i, temp+2), u)
		m.sub(xh, mean, xh)
		m.mul(xh, r, xh)
		return u, xh
	}
	// The means of u and of u*xh.
	m.fill(0, sums)
	m.fill(0, sums2)
	m.reduce(n, []gp{x, gamma, dy}, []vec{sums, sums2}, func(i int) {
		u, xh := load(i)
		m.sum(u, sums+vec(i))
		m.fma(u, xh, sums2+vec(i))
	})
	count := m.scalar("count", 16)
	sum, dot := m.fold(sums, m.sum), m.fold(sums2, m.sum)
	for _, v := range []vec{sum, dot} {
		m.emit("FDIVS %s, %s, %s", count.f(), v.f(), v.f())
		m.spreadLane(v)
	}
	// dx = r*((u-sum) - xh*dot).
	m.blocks(n, []gp{dx, x, gamma, dy}, func(i int) {
		u, xh := load(i)
		m.sub(u, sum, u)
		m.mul(xh, dot, xh)
		m.sub(u, xh, u)
		m.mul(u, r, u)
		m.store(u, dx, i)
	})
	m.end()
}

const rowsDoc = " of rows of ld elements: the first n are seen in the first row, " +
	"step more in each further one. The others are left alone."

// rowsOf emits a loop over rows of ld elements. Of the first row n elements are seen, of each further row step
// more, but never more than ld.
func (m *machine) rowsOf(n gp, pointers []gp, body func()) {
	rows, ld, step := m.arg("rows"), m.arg("ld"), m.arg("step")
	m.label("rows")
	body()
	for _, p := range pointers {
		m.emit("ADD %v<<2, %v", ld, p)
	}
	m.emit("ADD %v, %v", step, n)
	m.emit("CMP %v, %v", ld, n)
	m.emit("CSEL GT, %v, %v, %v", ld, n, n)
	m.emit("SUB $1, %v", rows)
	m.emit("CBNZ %v, rows", rows)
	m.end()
}

// softmax emits kernel.AttnSoftmax for one block of scores.
func (m *machine) softmax() {
	m.function("softmax", "(y, x *float32, scale float32, n, step, ld, rows int)",
		"is the softmax of x*scale"+rowsDoc, lanesSize)
	y, x, n := m.arg("y"), m.arg("x"), m.arg("n")
	m.hold()
	scale := m.spread("scale", factor)
	const top = factor2
	m.rowsOf(n, []gp{y, x}, func() {
		// The maximum of a row, its exponentials and their sum, and the division.
		m.fill(negativeInf, sums)
		m.reduce(n, []gp{x}, []vec{sums}, func(i int) {
			z := m.load(x, i, temp)
			m.mul(z, scale, z)
			m.maximum(z, sums+vec(i))
		})
		m.copy(m.fold(sums, m.maximum), top)
		m.spreadLane(top)
		m.fill(0, sums)
		m.reduce(n, []gp{x, y}, []vec{sums}, func(i int) {
			z := m.load(x, i, temp)
			m.mul(z, scale, z)
			m.sub(z, top, z)
			m.exp(z)
			m.store(z, y, i)
			m.sum(z, sums+vec(i))
		})
		m.inverse(m.fold(sums, m.sum), top)
		m.blocks(n, []gp{y}, func(i int) {
			e := m.load(y, i, temp)
			m.mul(e, top, e)
			m.store(e, y, i)
		})
	})
}

// softmaxGrad emits kernel.AttnSoftmaxGrad for one block of scores.
func (m *machine) softmaxGrad() {
	m.function("softmaxGrad", "(ds, p, dp *float32, scale float32, n, step, ld, rows int)",
		"is the gradient of softmax"+rowsDoc, lanesSize)
	ds, p, dp, n := m.arg("ds"), m.arg("p"), m.arg("dp"), m.arg("n")
	scale := m.spread("scale", factor)
	m.rowsOf(n, []gp{ds, p, dp}, func() {
		m.fill(0, sums)
		m.reduce(n, []gp{p, dp}, []vec{sums}, func(i int) {
			m.fma(m.load(p, i, temp), m.load(dp, i, temp+1), sums+vec(i))
		})
		t := m.spreadLane(m.fold(sums, m.sum))
		m.blocks(n, []gp{ds, p, dp}, func(i int) {
			d := m.load(dp, i, temp)
			m.sub(d, t, d)
			m.mul(m.load(p, i, temp+1), d, d)
			m.mul(d, scale, d)
			m.store(d, ds, i)
		})
	})
}

// indexOf emits the search for a value, four elements at a time. The caller finds the place among the four, and
// searches behind the last whole vector.
func (m *machine) indexOf() {
	m.function("indexOf", "(x *float32, value float32, n int) int",
		"is the first multiple of 4 with value among the four elements of x from there, "+
			"or else the largest multiple of 4 up to n.", 0)
	x, n, value := m.arg("x"), m.arg("n"), m.spread("value", factor)
	index, found := m.reg(), m.reg()
	m.emit("MOVD $0, %v", index)
	m.emit("AND $~3, %v", n)
	m.label("vector")
	m.emit("CMP %v, %v", n, index)
	m.emit("BGE done")
	m.emit("FMOVQ.P 16(%v), %s", x, temp.f())
	m.op3("FCMEQ", temp, value, temp)
	m.op2("UMAXV", temp, temp)
	m.emit("VMOV V%d.S[0], %v", int(temp), found)
	m.emit("CBNZW %v, done", found)
	m.emit("ADD $4, %v", index)
	m.emit("B vector")
	m.label("done")
	m.emit("MOVD %v, ret+%d(FP)", index, m.offset["ret"])
	m.end()
}
