package tensor

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

// matrix is the slow obvious form of what TestGradients8 computes: element [i][j].
type matrix [][]float32

func matrixOf(t kernel.Tensor, transposed bool) matrix {
	m := make(matrix, t.Shape[0])
	for i := range m {
		m[i] = t.F[i*t.Shape[1] : (i+1)*t.Shape[1]]
	}
	if transposed {
		return m.turned()
	}
	return m
}

func (m matrix) turned() matrix {
	y := make(matrix, len(m[0]))
	for j := range y {
		for i := range m {
			y[j] = append(y[j], m[i][j])
		}
	}
	return y
}

// codesOf quantises a row: NUMERICS.md in package kernel, section 7.8.
func codesOf(x []float32) (q []int64, s float32) {
	var most float32
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	s = most / 127
	inv := 1 / s
	for _, v := range x {
		q = append(q, int64(math.RoundToEven(float64(max(-127, min(127, float32(v*inv)))))))
	}
	return q, s
}

// codes quantises each row.
func (m matrix) codes() (q [][]int64, s []float32) {
	for _, x := range m {
		qx, sx := codesOf(x)
		q, s = append(q, qx), append(s, sx)
	}
	return q, s
}

// scaled is m with a factor for each column.
func (m matrix) scaled(f []float32) matrix {
	y := make(matrix, len(m))
	for i := range m {
		for j, x := range m[i] {
			y[i] = append(y[i], float32(x*f[j]))
		}
	}
	return y
}

func dot(a, b []int64) (sum int64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// projection8 is the forward product and the gradients of X [T,K], W [K,N] and b [N], as
// section 8.6 of NUMERICS.md says, where dy is the gradient of the product. The gradient of an
// output projection's input has no codes.
func projection8(x, w matrix, bias []float32, dy matrix, output bool) (y, dx, dw matrix, db []float32) {
	qx, sx := x.codes()
	qw, sw := w.turned().codes() // by column of W
	qy, sy := dy.scaled(sw).codes()
	y, dx, dw = make(matrix, len(x)), make(matrix, len(x)), make(matrix, len(w))
	for t := range x {
		for j := range qw {
			y[t] = append(y[t], float32(float32(dot(qx[t], qw[j]))*float32(sx[t]*sw[j]))+bias[j])
		}
		for i := range w {
			if output {
				acc := float32(0)
				for j := range qw {
					acc = kernel.Fma(dy[t][j], w[i][j], acc)
				}
				dx[t] = append(dx[t], acc)
				continue
			}
			sum := int64(0)
			for j := range qw {
				sum += qy[t][j] * qw[j][i]
			}
			dx[t] = append(dx[t], float32(float32(sum)*sy[t])+0)
		}
	}
	// The gradient of W is a chain over blocks of 128 tokens, in which each column of dY has
	// its scale.
	for i := range w {
		for j := range qw {
			acc := float32(0)
			for from := 0; from < len(x); from += 128 {
				var q []int64
				var z []float32
				for t := from; t < min(from+128, len(x)); t++ {
					q, z = append(q, qx[t][i]), append(z, float32(dy[t][j]*sx[t]))
				}
				qz, sz := codesOf(z)
				acc = kernel.Fma(float32(dot(q, qz)), sz, acc)
			}
			dw[i] = append(dw[i], acc)
		}
	}
	for j := range bias {
		sum := float32(0)
		for t := range dy {
			sum += dy[t][j]
		}
		db = append(db, sum)
	}
	return y, dx, dw, db
}

// TestGradients8 compares the gradients of products of codes with the specification, bit by
// bit. Two projections read the codes of one X, and one of them is used twice.
func TestGradients8(t *testing.T) {
	for _, rows := range []int{1, 5, 128, 300} {
		for _, trans := range []kernel.Trans{kernel.NN, kernel.NT} {
			t.Run(fmt.Sprintf("%d rows, layout %d", rows, trans), func(t *testing.T) { gradients8(t, rows, trans) })
		}
	}
}

func gradients8(t *testing.T, rows int, trans kernel.Trans) {
	const k, n = 19, 21
	shape := []int{k, n}
	if trans == kernel.NT {
		shape = []int{n, k}
	}
	ts := []kernel.Tensor{random(1, rows, k), random(2, shape...), random(3, n), random(4, shape...), random(5, n)}
	g := NewGraph()
	var p []Value
	for i, x := range ts {
		p = append(p, g.Leaf(Param, string(rune('a'+i)), x))
	}
	q := g.Do(kernel.QuantizeRows, kernel.Attr{}, p[0])
	project := func(w, b Value) Value { return g.Do(kernel.Linear8, kernel.Attr{}, q, q.Out(1), w, w.Out(1), b) }
	code := func(w Value) Value { return g.Do(kernel.QuantizeWeight, kernel.Attr{Trans: trans}, w) }
	v, u := code(p[1]), code(p[3])
	y := []Value{project(v, p[2]), project(u, p[4]), project(v, p[2])}
	sum := g.Do(kernel.Add, kernel.Attr{}, g.Do(kernel.Add, kernel.Attr{}, y[0], g.Do(kernel.Scale, kernel.Attr{Scale: 0.5}, y[1])), y[2])
	seed := random(6, rows, n)
	grads := g.Grad(sum, g.Leaf(Input, "seed", seed), p...)
	plan := g.Compile(&Arena{}, append(grads, y...)...)
	plan.Run(portable(t))

	x, dy := matrixOf(ts[0], false), matrixOf(seed, false)
	half := make([]float32, n)
	for i := range half {
		half[i] = 0.5
	}
	y0, dx0, dw0, db0 := projection8(x, matrixOf(ts[1], trans == kernel.NT), ts[2].F, dy, trans == kernel.NT)
	y1, dx1, dw1, db1 := projection8(x, matrixOf(ts[3], trans == kernel.NT), ts[4].F, dy.scaled(half), trans == kernel.NT)
	add := func(x, y matrix) matrix {
		z := make(matrix, len(x))
		for i := range x {
			for j := range x[i] {
				z[i] = append(z[i], x[i][j]+y[i][j])
			}
		}
		return z
	}
	if trans == kernel.NT {
		dw0, dw1 = dw0.turned(), dw1.turned()
	}
	// The gradients of the last use are added first.
	for i, want := range []matrix{
		add(add(dx0, dx1), dx0), add(dw0, dw0), add(matrix{db0}, matrix{db0}), dw1, {db1}, y0, y1, y0,
	} {
		got := plan.Result(append(grads, y...)[i]).F
		for at, w := range flat(want) {
			if math.Float32bits(got[at]) != math.Float32bits(w) {
				t.Fatalf("value %d, element %d: %v, want %v", i, at, got[at], w)
			}
		}
	}
}

func flat(m matrix) (all []float32) {
	for _, x := range m {
		all = append(all, x...)
	}
	return all
}

// TestGradientOfCodes: a weight that is codes from the beginning has no gradient, and neither
// has what it is multiplied with.
func TestGradientOfCodes(t *testing.T) {
	g := NewGraph()
	x := g.Leaf(Param, "x", random(1, 3, 8))
	packed, scales := kernel.Codes(nil, random(2, 8, 4), kernel.NN)
	q := g.Do(kernel.QuantizeRows, kernel.Attr{}, x)
	y := g.Do(kernel.Linear8, kernel.Attr{}, q, q.Out(1),
		g.Leaf(Param, "w", packed), g.Leaf(Param, "scales", scales), g.Leaf(Param, "b", random(3, 4)))
	defer func() {
		if err, ok := recover().(string); !ok || !strings.Contains(err, "Linear8 has no gradient") {
			t.Errorf("the gradient ends with %v", err)
		}
	}()
	g.Grad(y, g.Leaf(Input, "seed", random(4, 3, 4)), x)
}

// chain is the gradient of layers, each a norm and a projection of codes or of numbers, on a
// batch of some items.
func chain(coded bool, layers int) (*Graph, []Value) {
	const dim, rows = 32, 64
	g := NewGraph()
	part := g.Partition([]int32{0, 20, rows})
	x := g.Leaf(Param, "x", random(1, rows, dim), part)
	gain, shift, bias := g.Leaf(Param, "gain", random(2, dim)), g.Leaf(Param, "shift", random(3, dim)), g.Leaf(Param, "bias", random(4, dim))
	var params, codes []Value
	for i := range layers {
		params = append(params, g.Leaf(Param, fmt.Sprint("w", i), random(uint32(5+i), dim, dim)))
		if coded {
			codes = append(codes, g.Do(kernel.QuantizeWeight, kernel.Attr{}, params[i]))
		}
	}
	y := x
	for i, w := range params {
		y = g.Do(kernel.LayerNorm, kernel.Attr{Eps: 1e-5}, y, gain, shift)
		if coded {
			q, w := g.Do(kernel.QuantizeRows, kernel.Attr{}, y), codes[i]
			y = g.Do(kernel.Linear8, kernel.Attr{}, q, q.Out(1), w, w.Out(1), bias)
		} else {
			y = g.Do(kernel.AddBias, kernel.Attr{}, g.Do(kernel.MatMul, kernel.Attr{}, y, w), bias)
		}
	}
	return g, g.Grad(y, g.Leaf(Input, "seed", random(99, rows, dim), part), append(params, gain, bias)...)
}

// TestCodesReplaceNumbers: the backward pass reads the codes of an input, so the input's own
// memory is free after the forward product.
func TestCodesReplaceNumbers(t *testing.T) {
	size := func(coded bool) [3]int {
		g, outputs := chain(coded, 12)
		return g.Compile(&Arena{}, outputs...).place()
	}
	const input = 64 * 32
	plain, coded := size(false), size(true)
	if least := plain[0] - 12*input + 4*input; coded[0] > least {
		t.Errorf("with codes %d numbers lie in memory at most, without codes %d; want at most %d", coded[0], plain[0], least)
	}
}

// TestGroupsWait: the gradient of a weight waits for its codes without ending the stage. So
// there are about as many steps with codes as without.
func TestGroupsWait(t *testing.T) {
	steps := func(coded bool) int {
		g, outputs := chain(coded, 12)
		return len(g.Compile(&Arena{}, outputs...).layout.steps)
	}
	plain, coded := steps(false), steps(true)
	if coded > plain+6 { // two for the codes of the weights, and some for what waits at the end
		t.Errorf("%d steps with codes, %d without", coded, plain)
	}
}
