package kernel

// panels is the home of matrices that lie in the host's memory, but not row by row: as panels of
// width columns, in which the second operand of a product is read from one end to the other. A
// panel has the elements of its columns, row after row. The last one may have fewer columns, so
// the panels have as many elements as the matrix. Every processor's product reads panels of
// every width, and those of its own width fastest.
//
// As with a device's own memory, [Local] and [Copy] move elements, and the elements of the
// slices mean nothing by themselves.
type panels struct{ width int }

// Alloc returns a vector of zeros. A vector has no panels.
func (panels) Alloc(t DType, n int) (Tensor, bool) { return New(t, n), true }

// Copy copies a whole matrix, of which at least one side is in panels.
func (panels) Copy(to, from Tensor) {
	rows, cols := from.Shape[0], from.Shape[1]
	for j := 0; j < cols; {
		x, stepX, n := columnsAt(&from, j)
		y, stepY, room := columnsAt(&to, j)
		n = min(n, room)
		for i := range rows {
			copy(y[i*stepY:i*stepY+n], x[i*stepX:])
		}
		j += n
	}
}

// columnsAt returns the storage of a matrix from column j of row 0 on, the distance of its rows
// there, and how many columns from j on are adjacent in each row.
func columnsAt(t *Tensor, j int) (x []float32, step, adjacent int) {
	rows, cols := t.Shape[0], t.Shape[1]
	h, ok := t.Home.(panels)
	if !ok {
		return t.F[j:], cols, cols - j
	}
	at := j / h.width * h.width
	n := min(h.width, cols-at)
	return t.F[at*rows+j-at:], n, n - (j - at)
}

// Pack returns a matrix [K,N] in the layout in which dev reads it fastest as the second operand
// of a product. It copies the matrix from from, which is [K,N], or [N,K] where t is NT. The
// result has the storage of to, which has K*N elements. A nil dev stands for any: then rows stay rows.
//
// The result serves MatMul only, on any processor, and its products have the same bits.
// [Local] gives an ordinary copy of it.
func Pack(dev Device, to, from Tensor, t Trans) Tensor {
	k, n := from.Shape[0], from.Shape[1]
	if t == NT {
		k, n = n, k
	}
	to.Shape = []int{k, n}
	if d, ok := dev.(*device); ok && d.panel > 0 {
		to.Home = panels{d.panel}
	}
	if t != NT {
		panels{}.Copy(to, from)
		return to
	}
	// Some rows of from at a time, which become adjacent columns: as many as share a cache line.
	const block = 16
	for j := 0; j < n; {
		x, step, w := columnsAt(&to, j)
		w = min(w, block)
		for i := range k {
			for c := range w {
				x[i*step+c] = from.F[(j+c)*k+i]
			}
		}
		j += w
	}
	return to
}

// Rows returns t row by row: t itself, or an ordinary copy of a matrix that [Pack] packed. A tensor
// in the memory of an accelerator stays there.
func Rows(t Tensor) Tensor {
	if _, ok := t.Home.(panels); ok {
		return Local(t)
	}
	return t
}
