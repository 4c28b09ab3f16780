package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// each emits a function of rows of n elements. setup loads the arguments and returns the code for vector i of a
// block.
func (m *machine) each(name, signature, doc string, setup func() func(i int)) {
	m.text(name, signature, doc)
	n := arg("n")
	body := setup()
	m.blocks("block", n, func() {
		for i := range m.vecs {
			body(i)
		}
	})
	m.end()
}

// elementwise emits the operations on elements.
func (m *machine) elementwise() {
	// Sums, products and activations.
	m.each("add", "(dst, x, y *float32, n int)", "sets dst = x+y.", func() func(int) {
		dst, x, y := arg("dst"), arg("x"), arg("y")
		return func(i int) {
			v := m.load(x, i)
			VADDPS(m.load(y, i), v, v)
			m.store(v, dst, i)
		}
	})
	if !m.wide {
		m.each("multiply", "(dst, x, y *float32, n int)", "sets dst = x*y.", func() func(int) {
			dst, x, y := arg("dst"), arg("x"), arg("y")
			return func(i int) {
				v := m.load(x, i)
				VMULPS(m.load(y, i), v, v)
				m.store(v, dst, i)
			}
		})
	}
	m.each("scale", "(dst, x *float32, factor float32, n int)", "sets dst = x*factor.", func() func(int) {
		dst, x, factor := arg("dst"), arg("x"), m.spread("factor")
		return func(i int) {
			v := m.load(x, i)
			VMULPS(factor, v, v)
			m.store(v, dst, i)
		}
	})
	m.each("relu", "(dst, x *float32, n int)", "sets dst = x>0 ? x : +0.", func() func(int) {
		dst, x, zero := arg("dst"), arg("x"), m.zero()
		return func(i int) {
			v := m.load(x, i)
			VMAXPS(zero, v, v)
			m.store(v, dst, i)
		}
	})
	m.each("reluGrad", "(dst, y, dy *float32, n int)", "sets dst = y>0 ? dy : +0.", func() func(int) {
		dst, y, dy, zero := arg("dst"), arg("y"), arg("dy"), m.zero()
		return func(i int) {
			v := m.load(dy, i)
			m.selectGreater(m.load(y, i), zero, v)
			m.store(v, dst, i)
		}
	})
	m.fusedProducts()
	// Operations with exponentials, and the optimiser.
	m.crossEntropyGrad()
	m.swish()
	m.adam()
}

// fusedProducts emits operations with a fused product.
func (m *machine) fusedProducts() {
	m.each("scaleAdd", "(dst, x, z *float32, factor float32, n int)",
		"sets dst = fma(x, factor, z).", func() func(int) {
			dst, x, z, factor := arg("dst"), arg("x"), arg("z"), m.spread("factor")
			return func(i int) {
				v := m.load(x, i)
				VFMADD213PS(m.load(z, i), factor, v)
				m.store(v, dst, i)
			}
		})
	m.each("gainGrad", "(sum, dy, x *float32, mean, r float32, n int)",
		"adds a row to LayerNormGainGrad.", func() func(int) {
			sum, dy, x := arg("sum"), arg("dy"), arg("x")
			mean, r := m.spread("mean"), m.spread("r")
			return func(i int) {
				v := m.load(x, i)
				VSUBPS(mean, v, v)
				VMULPS(r, v, v)
				VFMADD213PS(m.load(sum, i), m.load(dy, i), v)
				m.store(v, sum, i)
			}
		})
}

// crossEntropyGrad emits kernel.CrossEntropyGrad for one row, without the label's part.
func (m *machine) crossEntropyGrad() {
	m.text("crossEntropyGrad", "(dx, x *float32, top, inv, eps, scale float32, n int)",
		"sets dx = (exp(x-top)*inv-eps)*scale.")
	dx, x, n := arg("dx"), arg("x"), arg("n")
	top, inv, eps, scale := m.spread("top"), m.spread("inv"), m.spread("eps"), m.spread("scale")
	m.hold()
	m.blocks("block", n, func() {
		m.pairs(func(i, j int) {
			v, w := m.load(x, i), m.load(x, j)
			VSUBPS(top, v, v)
			VSUBPS(top, w, w)
			m.exp(v, w)
			for k, e := range []VecVirtual{v, w} {
				VMULPS(inv, e, e)
				VSUBPS(eps, e, e)
				VMULPS(scale, e, e)
				m.store(e, dx, i+k)
			}
		})
	})
	m.end()
}

// swish emits kernel.Swish.
func (m *machine) swish() {
	m.text("swish", "(dst, x *float32, n int)", "sets dst = x/(1+exp(-x)).")
	dst, x, n, zero := arg("dst"), arg("x"), arg("n"), m.zero()
	m.hold()
	m.blocks("block", n, func() {
		m.pairs(func(i, j int) {
			v, w := m.load(x, i), m.load(x, j)
			VSUBPS(v, zero, v)
			VSUBPS(w, zero, w)
			m.exp(v, w)
			for k, e := range []VecVirtual{v, w} {
				VADDPS(m.c(cOne), e, e)
				q := m.load(x, i+k) // again: exp has overwritten the vector
				VDIVPS(e, q, q)
				m.store(q, dst, i+k)
			}
		})
	})
	m.end()
}

// selectGreater sets v to +0 where x > y does not hold.
func (m *machine) selectGreater(x, y, v VecVirtual) {
	const greater = 0x1e // ordered, quiet
	if m.wide {
		k := K()
		VCMPPS(Imm(greater), y, x, k)
		VMOVAPS_Z(v, k, v)
		return
	}
	t := YMM()
	VCMPPS(Imm(greater), y, x, t)
	VANDPS(t, v, v)
}

// adam emits kernel.Adam. Its eight factors are operands in memory, in the sequence of doAdam in package kernel.
func (m *machine) adam() {
	m.each("adam", "(u, m1, v1, grad, m0, v0 *float32, factors *[8]float32, n int)", "is Adam.", func() func(int) {
		u, m1, v1, grad, m0, v0, f := arg("u"), arg("m1"), arg("v1"), arg("grad"), arg("m0"), arg("v0"), arg("factors")
		factor := func(i int) VecVirtual {
			v := m.vec()
			VBROADCASTSS(Mem{Base: f, Disp: 4 * i}, v)
			return v
		}
		// The moments first, then the step from both.
		return func(i int) {
			d, a, b := m.load(grad, i), m.load(m0, i), m.load(v0, i)
			VMULPS(factor(0), a, a)
			VFMADD231PS(factor(1), d, a)
			VMULPS(factor(2), b, b)
			VMULPS(d, d, d)
			VFMADD231PS(factor(3), d, b)
			m.store(a, m1, i)
			m.store(b, v1, i)
			VMULPS(factor(4), a, a)
			VMULPS(factor(5), a, a)
			VMULPS(factor(6), b, b)
			VSQRTPS(b, b)
			VADDPS(factor(7), b, b)
			VDIVPS(b, a, a)
			m.store(a, u, i)
		}
	})
}
