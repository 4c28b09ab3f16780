package main

// each emits a function of rows of n elements. setup loads the arguments and returns the code for vector i of a
// block.
func (m *machine) each(name, signature, doc string, pointers []string, setup func(p []gp) func(i int)) {
	m.function(name, signature, doc, 0)
	p, n := m.args(pointers...), m.arg("n")
	body := setup(p)
	m.blocks(n, p, body)
	m.end()
}

// elementwise emits the operations on elements.
func (m *machine) elementwise() {
	// Sums, products and activations.
	m.each("add", "(dst, x, y *float32, n int)",
		"sets dst = x+y.", []string{"dst", "x", "y"}, func(p []gp) func(int) {
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.add(v, m.load(p[2], i, temp+1), v)
				m.store(v, p[0], i)
			}
		})
	m.each("multiply", "(dst, x, y *float32, n int)",
		"sets dst = x*y.", []string{"dst", "x", "y"}, func(p []gp) func(int) {
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.mul(v, m.load(p[2], i, temp+1), v)
				m.store(v, p[0], i)
			}
		})
	m.each("scale", "(dst, x *float32, factor float32, n int)",
		"sets dst = x*factor.", []string{"dst", "x"}, func(p []gp) func(int) {
			m.spread("factor", factor)
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.mul(v, factor, v)
				m.store(v, p[0], i)
			}
		})
	m.each("relu", "(dst, x *float32, n int)",
		"sets dst = x>0 ? x : +0.", []string{"dst", "x"}, func(p []gp) func(int) {
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.op2("FCMGT #0", v, scratch)
				m.and(v, scratch, v)
				m.store(v, p[0], i)
			}
		})
	m.each("reluGrad", "(dst, y, dy *float32, n int)",
		"sets dst = y>0 ? dy : +0.", []string{"dst", "y", "dy"}, func(p []gp) func(int) {
			return func(i int) {
				m.op2("FCMGT #0", m.load(p[1], i, temp), scratch)
				v := m.load(p[2], i, temp)
				m.and(v, scratch, v)
				m.store(v, p[0], i)
			}
		})
	m.fusedProducts()
	// Operations with exponentials, and the optimiser.
	m.entropy()
	m.swish()
	m.adam()
}

// fusedProducts emits operations with a fused product.
func (m *machine) fusedProducts() {
	m.each("scaleAdd", "(dst, x, z *float32, factor float32, n int)",
		"sets dst = fma(x, factor, z).", []string{"dst", "x", "z"}, func(p []gp) func(int) {
			m.spread("factor", factor)
			return func(i int) {
				v := m.load(p[2], i, temp)
				m.fma(m.load(p[1], i, temp+1), factor, v)
				m.store(v, p[0], i)
			}
		})
	m.each("gainGrad", "(sum, dy, x *float32, mean, r float32, n int)",
		"adds a row to LayerNormGainGrad.", []string{"sum", "dy", "x"}, func(p []gp) func(int) {
			mean, r := m.spread("mean", factor), m.spread("r", factor2)
			return func(i int) {
				v, sum := m.load(p[2], i, temp), m.load(p[0], i, temp+1)
				m.sub(v, mean, v)
				m.mul(v, r, v)
				m.fma(m.load(p[1], i, temp+2), v, sum)
				m.store(sum, p[0], i)
			}
		})
}

// entropy emits kernel.CrossEntropyGrad for one row, without the label's part.
func (m *machine) entropy() {
	m.each("crossEntropyGrad", "(dx, x *float32, top, inv, eps, scale float32, n int)",
		"sets dx = (exp(x-top)*inv-eps)*scale.", []string{"dx", "x"}, func(p []gp) func(int) {
			top, inv, eps, scale := m.spread("top", 0), m.spread("inv", 1), m.spread("eps", 2), m.spread("scale", 3)
			m.hold()
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.sub(v, top, v)
				m.exp(v)
				m.mul(v, inv, v)
				m.sub(v, eps, v)
				m.mul(v, scale, v)
				m.store(v, p[0], i)
			}
		})
}

// swish emits kernel.Swish.
func (m *machine) swish() {
	m.each("swish", "(dst, x *float32, n int)",
		"sets dst = x/(1+exp(-x)).", []string{"dst", "x"}, func(p []gp) func(int) {
			m.hold()
			zero, expOne := m.zero(factor), exponents+12
			return func(i int) {
				v := m.load(p[1], i, temp)
				m.sub(zero, v, v)
				m.exp(v)
				m.add(v, expOne, v)
				x := m.load(p[1], i, temp+1)
				m.op3("FDIV", x, v, x)
				m.store(x, p[0], i)
			}
		})
}

// adam emits kernel.Adam. Its eight factors stay in registers.
func (m *machine) adam() {
	rows := []string{"u", "m1", "v1", "grad", "m0", "v0"}
	const signature = "(u, m1, v1, grad, m0, v0 *float32, factors *[8]float32, n int)"
	m.each("adam", signature, "is Adam.", rows, func(p []gp) func(int) {
		f := m.arg("factors")
		for i := range vec(8) {
			m.emit("VLD1R.P 4(%v), [%s]", f, i.s4())
		}
		// The moments first, then the step from both.
		return func(i int) {
			d, a, b := m.load(p[3], i, temp), m.load(p[4], i, temp+1), m.load(p[5], i, temp+2)
			m.mul(a, 0, a)
			m.fma(d, 1, a)
			m.mul(b, 2, b)
			m.mul(d, d, d)
			m.fma(d, 3, b)
			m.store(a, p[1], i)
			m.store(b, p[2], i)
			m.mul(a, 4, a)
			m.mul(a, 5, a)
			m.mul(b, 6, b)
			m.op2("FSQRT", b, b)
			m.add(b, 7, b)
			m.op3("FDIV", a, b, a)
			m.store(a, p[0], i)
		}
	})
}
