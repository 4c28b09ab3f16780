package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// reductions emits the reductions of a row to one number.
func (m *machine) reductions() {
	m.reduce("laneSum", "", "is the lane sum of x.", m.zero, add, nil)
	m.laneSumSquares()
	inf := func() VecVirtual { return m.constant(cNegInf) }
	m.reduce("laneMax", "", "is the lane maximum of x.", inf, maximum, nil)
	m.reduce("largest", "", "is the largest of x, never a NaN, -Inf if there is none.", inf, largest, nil)
	magnitude := func() func(x VecVirtual) VecVirtual {
		return func(x VecVirtual) VecVirtual {
			m.and(m.c(cAbs), x, x)
			return x
		}
	}
	m.reduce("absMax", "", "is the largest magnitude of x, a NaN if there is one.", m.zero, largestBits, magnitude)
	m.laneSumExp()
}

// laneSumExp emits kernel.RowSumExp for one row.
func (m *machine) laneSumExp() {
	m.text("laneSumExp", "(x *float32, top float32, n int) float32", "is the lane sum of exp(x-top).")
	x, n, top := arg("x"), arg("n"), m.spread("top")
	m.hold()
	acc := m.accumulators(m.zero)
	m.blocks("block", n, func() {
		m.pairs(func(i, j int) {
			v, w := m.load(x, i), m.load(x, j)
			VSUBPS(top, v, v)
			VSUBPS(top, w, w)
			m.exp(v, w)
			m.accumulate(acc, i, add, v)
			m.accumulate(acc, j, add, w)
		})
	})
	Store(m.fold(acc, add).AsX(), ReturnIndex(0))
	m.end()
}

func (m *machine) and(a, b, dst Op) {
	if m.wide {
		VPANDD(a, b, dst)
	} else {
		VPAND(a, b, dst)
	}
}

// reduce emits a reduction by op, from start. each, if it is not nil, returns a function of the elements.
func (m *machine) reduce(
	name, params, doc string, start func() VecVirtual, op func(x, acc, dst Op),
	each func() func(VecVirtual) VecVirtual,
) {
	m.text(name, "(x *float32, "+params+"n int) float32", doc)
	x, n := arg("x"), arg("n")
	f := func(x VecVirtual) VecVirtual { return x }
	if each != nil {
		f = each()
	}
	acc := m.accumulators(start)
	m.blocks("block", n, func() {
		for i := range acc {
			m.accumulate(acc, i, op, f(m.load(x, i)))
		}
	})
	Store(m.fold(acc, op).AsX(), ReturnIndex(0))
	m.end()
}

// laneSumSquares emits kernel.RowSumSquares for one row.
func (m *machine) laneSumSquares() {
	m.text("laneSumSquares", "(x *float32, n int) float32", "is the lane fma sum of x*x.")
	x, n := arg("x"), arg("n")
	acc := m.accumulators(m.zero)
	m.blocks("block", n, func() {
		for i := range acc {
			v := m.load(x, i)
			m.accumulateFma(acc, i, v, v)
		}
	})
	Store(m.fold(acc, add).AsX(), ReturnIndex(0))
	m.end()
}

// layerNorm emits kernel.LayerNorm for one row.
func (m *machine) layerNorm() {
	m.text("layerNorm", "(y, x, gamma, beta, stats *float32, count, eps float32, n int)",
		"is a row of LayerNorm; count is n.")
	y, x, n := arg("y"), arg("x"), arg("n")
	count := scalar("count")
	// The mean.
	acc := m.accumulators(m.zero)
	m.blocks("sum", n, func() {
		for i := range acc {
			m.accumulate(acc, i, add, m.load(x, i))
		}
	})
	mean := m.fold(acc, add)
	VDIVSS(count, mean.AsX(), mean.AsX())
	stats := arg("stats")
	VMOVSS(mean.AsX(), Mem{Base: stats})
	// The mean square of deviations, and the inverse root.
	mean = m.spreadLane(mean)
	acc = m.accumulators(m.zero)
	m.blocks("square", n, func() {
		for i := range acc {
			d := m.load(x, i)
			VSUBPS(mean, d, d)
			m.accumulateFma(acc, i, d, d)
		}
	})
	r := m.fold(acc, add)
	VDIVSS(count, r.AsX(), r.AsX())
	eps := scalar("eps")
	VADDSS(eps, r.AsX(), r.AsX())
	VSQRTSS(r.AsX(), r.AsX(), r.AsX())
	one := XMM()
	VMOVSS(m.table.Offset(4*m.width*int(cOne)), one)
	VDIVSS(r.AsX(), one, r.AsX())
	VMOVSS(r.AsX(), Mem{Base: stats, Disp: 4})
	// The normalised row, with gain and bias.
	r = m.spreadLane(r)
	gamma, beta := arg("gamma"), arg("beta")
	m.blocks("scale", n, func() {
		for i := range m.vecs {
			d := m.load(x, i)
			VSUBPS(mean, d, d)
			VMULPS(r, d, d)
			VFMADD213PS(m.load(beta, i), m.load(gamma, i), d)
			m.store(d, y, i)
		}
	})
	m.end()
}

// layerNormGrad emits kernel.LayerNormGrad for one row.
func (m *machine) layerNormGrad() {
	m.text("layerNormGrad", "(dx, x, gamma, dy *float32, mean, r, count float32, n int)",
		"is a row of LayerNormGrad; count is n.")
	dx, x, gamma, dy, n := arg("dx"), arg("x"), arg("gamma"), arg("dy"), arg("n")
	mean, r := m.spread("mean"), m.spread("r")
	// load computes dy*gamma and the normalised input again, for both passes.
	load := func(i int) (u, xh VecVirtual) {
		u, xh = m.load(dy, i), m.load(x, i)
		VMULPS(m.load(gamma, i), u, u)
		VSUBPS(mean, xh, xh)
		VMULPS(r, xh, xh)
		return u, xh
	}
	// The means of u and of u*xh.
	a, b := m.accumulators(m.zero), m.accumulators(m.zero)
	m.blocks("sum", n, func() {
		for i := range a {
			u, xh := load(i)
			m.accumulate(a, i, add, u)
			m.accumulateFma(b, i, u, xh)
		}
	})
	count := scalar("count")
	sum, dot := m.fold(a, add), m.fold(b, add)
	VDIVSS(count, sum.AsX(), sum.AsX())
	VDIVSS(count, dot.AsX(), dot.AsX())
	sum, dot = m.spreadLane(sum), m.spreadLane(dot)
	// dx = r*((u-sum) - xh*dot).
	m.blocks("scale", n, func() {
		for i := range m.vecs {
			u, xh := load(i)
			VSUBPS(sum, u, u)
			VMULPS(dot, xh, xh)
			VSUBPS(xh, u, u)
			VMULPS(r, u, u)
			m.store(u, dx, i)
		}
	})
	m.end()
}

// rowsOf emits a loop over rows of ld elements. Of the first row n elements are seen, of each further row step
// more, but never more than ld.
func rowsOf(n GPVirtual, pointers []GPVirtual, body func()) {
	rows, ld, step := arg("rows"), arg("ld"), arg("step")
	Label("rows")
	body()
	for _, p := range pointers {
		LEAQ(Mem{Base: p, Index: ld, Scale: 4}, p)
	}
	ADDQ(step, n)
	CMPQ(n, ld)
	CMOVQGT(ld, n)
	DECQ(rows)
	JNZ(LabelRef("rows"))
}

const rowsDoc = " of rows of ld elements: the first n are seen in the first row, " +
	"step more in each further one. The others are left alone."

// softmax emits kernel.AttnSoftmax for one block of scores.
func (m *machine) softmax() {
	m.text("softmax", "(y, x *float32, scale float32, n, step, ld, rows int)", "is the softmax of x*scale"+rowsDoc)
	y, x, n := arg("y"), arg("x"), arg("n")
	scale := m.spread("scale")
	m.hold()
	rowsOf(n, []GPVirtual{y, x}, func() {
		CMPQ(n, Imm(blockLen))
		JG(LabelRef("long"))
		m.softmaxShort(y, x, n, scale)
		JMP(LabelRef("next"))
		// A long row: its maximum, its exponentials and their sum, and the division.
		Label("long")
		acc := m.accumulators(func() VecVirtual { return m.constant(cNegInf) })
		m.blocks("max", n, func() {
			for i := range acc {
				z := m.load(x, i)
				VMULPS(scale, z, z)
				m.accumulate(acc, i, maximum, z)
			}
		})
		top := m.spreadLane(m.fold(acc, maximum))
		acc = m.accumulators(m.zero)
		m.blocks("exp", n, func() {
			m.pairs(func(i, j int) {
				z := []VecVirtual{m.load(x, i), m.load(x, j)}
				for _, v := range z {
					VMULPS(scale, v, v)
					VSUBPS(top, v, v)
				}
				m.exp(z...)
				for k, e := range z {
					m.store(e, y, i+k)
					m.accumulate(acc, i+k, add, e)
				}
			})
		})
		factor := m.inverse(m.fold(acc, add))
		m.blocks("scale", n, func() {
			for i := range m.vecs {
				e := m.load(y, i)
				VMULPS(factor, e, e)
				m.store(e, y, i)
			}
		})
		Label("next")
	})
	m.end()
}

// softmaxShort emits softmax for a row of at most one block, which stays in registers.
func (m *machine) softmaxShort(y, x, n GPVirtual, scale VecVirtual) {
	// One masked block at offset 0.
	count := GP64()
	MOVQ(n, count)
	m.mask(count)
	m.masked = true
	m.index = GP64()
	XORQ(m.index, m.index)
	z := make([]VecVirtual, m.vecs)
	acc := m.accumulators(func() VecVirtual { return m.constant(cNegInf) })
	for i := range z {
		z[i] = m.load(x, i)
		VMULPS(scale, z[i], z[i])
		m.accumulate(acc, i, maximum, z[i])
	}
	// Exponentials of the differences from the maximum, their sum, and the division.
	top := m.spreadLane(m.fold(acc, maximum))
	acc = m.accumulators(m.zero)
	for i := range z {
		VSUBPS(top, z[i], z[i])
	}
	m.pairs(func(i, j int) { m.exp(z[i], z[j]) })
	for i := range z {
		m.accumulate(acc, i, add, z[i])
	}
	factor := m.inverse(m.fold(acc, add))
	for i := range z {
		VMULPS(factor, z[i], z[i])
		m.store(z[i], y, i)
	}
	m.masked = false
}

// inverse is a vector whose elements are all 1 divided by lane 0 of v.
func (m *machine) inverse(v VecVirtual) VecVirtual {
	inv, w := XMM(), m.vec()
	VMOVSS(m.table.Offset(4*m.width*int(cOne)), inv)
	VDIVSS(v.AsX(), inv, inv)
	VBROADCASTSS(inv, w)
	return w
}

// indexOf emits the search for a value, one vector at a time. The caller searches behind the last whole vector.
func (m *machine) indexOf() {
	m.text("indexOf", "(x *float32, value float32, n int) int",
		fmt.Sprintf("is where value is found first in x, or else the largest multiple of %d up to n.", m.width))
	x, n, value := arg("x"), arg("n"), m.spread("value")
	index, found := GP64(), GP32()
	XORQ(index, index)
	ANDQ(I32(-m.width), n)
	Label("vector")
	CMPQ(index, n)
	JGE(LabelRef("done"))
	// A bit for each element that is equal.
	at := Mem{Base: x, Index: index, Scale: 4}
	if m.wide {
		k := K()
		VCMPPS(Imm(0), at, value, k)
		KMOVW(k, found)
	} else {
		equal := YMM()
		VCMPPS(Imm(0), at, value, equal)
		VMOVMSKPS(equal, found)
	}
	TESTL(found, found)
	JNZ(LabelRef("found"))
	ADDQ(Imm(uint64(m.width)), index)
	JMP(LabelRef("vector"))
	// The lowest bit is the first element.
	Label("found")
	TZCNTL(found, found)
	ADDQ(found.As64(), index)
	Label("done")
	Store(index, ReturnIndex(0))
	m.end()
}

// softmaxGrad emits kernel.AttnSoftmaxGrad for one block of scores.
func (m *machine) softmaxGrad() {
	m.text("softmaxGrad", "(ds, p, dp *float32, scale float32, n, step, ld, rows int)",
		"is the gradient of softmax"+rowsDoc)
	ds, p, dp, n := arg("ds"), arg("p"), arg("dp"), arg("n")
	scale := m.spread("scale")
	rowsOf(n, []GPVirtual{ds, p, dp}, func() {
		acc := m.accumulators(m.zero)
		m.blocks("dot", n, func() {
			for i := range acc {
				m.accumulateFma(acc, i, m.load(p, i), m.load(dp, i))
			}
		})
		t := m.spreadLane(m.fold(acc, add))
		m.blocks("scale", n, func() {
			for i := range m.vecs {
				d := m.load(dp, i)
				VSUBPS(t, d, d)
				VMULPS(m.load(p, i), d, d)
				VMULPS(scale, d, d)
				m.store(d, ds, i)
			}
		})
	})
	m.end()
}
