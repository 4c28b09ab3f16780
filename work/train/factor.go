package train

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// A factored matrix is two vectors under its name with these suffixes.
const (
	rowSuffix = "#row"
	colSuffix = "#col"
)

// Factor is the set v with each matrix [n,m] replaced by the means of its rows [n]
// and of its columns [m] (Shazeer and Stern 2018, "Adafactor", algorithm 2).
// Vectors stay as they are.
func Factor(dev kernel.Device, v *tensor.Set) *tensor.Set {
	var items []tensor.Named
	for i := range v.Len() {
		t := v.At(i)
		if len(t.Shape) != 2 {
			items = append(items, t)
			continue
		}
		row := results(dev, kernel.RowSum, kernel.Attr{}, t.Tensor)[0]
		col := results(dev, kernel.ColSum, kernel.Attr{}, t.Tensor)[0]
		items = append(items,
			tensor.Named{Name: t.Name + rowSuffix, Tensor: results(dev, kernel.Scale, kernel.Attr{Scale: 1 / float32(t.Shape[1])}, row)[0]},
			tensor.Named{Name: t.Name + colSuffix, Tensor: results(dev, kernel.Scale, kernel.Attr{Scale: 1 / float32(t.Shape[0])}, col)[0]})
	}
	return set(items)
}

// Expand is the set of the form of params that the factors v stand for: element i, j
// of a matrix is row[i]/mean(row) * col[j]. It fails when v has another form.
func Expand(dev kernel.Device, params, v *tensor.Set) (*tensor.Set, error) {
	if err := FactorsFit(params, v); err != nil {
		return nil, err
	}
	full := params.Zeros()
	for i := range full.Len() {
		t := full.At(i)
		if len(t.Shape) != 2 {
			have, _ := v.Get(t.Name)
			kernel.Copy(t.Tensor, have)
			continue
		}
		row, _ := v.Get(t.Name + rowSuffix)
		col, _ := v.Get(t.Name + colSuffix)
		outer(dev, t.Tensor, row, col)
	}
	return full, nil
}

// FactorsFit says why v cannot be the factored second moment of parameters of the
// form of params, if it cannot.
func FactorsFit(params, v *tensor.Set) error {
	if err := sameForm(FactorsForm(params), v); err != nil {
		return fmt.Errorf("second moment: %w", err)
	}
	return nil
}

// FactorsForm is the names, types and shapes of the factored second moment of
// parameters of the form of params. No tensor has storage.
func FactorsForm(params *tensor.Set) *tensor.Set {
	var items []tensor.Named
	add := func(name string, shape ...int) {
		items = append(items, tensor.Named{Name: name, Tensor: kernel.Tensor{Type: kernel.F32, Shape: shape}})
	}
	for i := range params.Len() {
		p := params.At(i)
		if len(p.Shape) != 2 {
			add(p.Name, p.Shape...)
			continue
		}
		add(p.Name+rowSuffix, p.Shape[0])
		add(p.Name+colSuffix, p.Shape[1])
	}
	return set(items)
}

// outer sets x [n,m] to row[i]/mean(row) * col[j]. It leaves x as it is where the
// mean is not above zero.
func outer(dev kernel.Device, x, row, col kernel.Tensor) {
	n, m := row.Len(), col.Len()
	sum := scalar(results(dev, kernel.Sum, kernel.Attr{}, row)[0])
	if !(sum > 0) {
		return
	}
	share := results(dev, kernel.Scale, kernel.Attr{Scale: float32(n) / sum}, row)[0]
	share.Shape, col.Shape = []int{n, 1}, []int{1, m}
	dev.Do(&kernel.Call{Op: kernel.MatMul, In: []kernel.Tensor{share, col}, Out: []kernel.Tensor{x}})
}
