package kernel

import (
	"errors"
	"fmt"
)

// segment is a row of a segment table: queries q to q+nq-1 attend to keys k to k+nk-1.
type segment struct {
	q, nq int // first query, queries
	k, nk int // first key, keys
}

func (s segment) queries() (first, n int) { return s.q, s.nq }
func (s segment) keys() (first, n int)    { return s.k, s.nk }

func segmentAt(seg *Tensor, i int) segment {
	w := seg.I[4*i : 4*i+4]
	return segment{int(w[0]), int(w[1]), int(w[2]), int(w[3])}
}

// scoresBefore returns the offset of the scores of segment i.
func scoresBefore(seg *Tensor, heads, i int) int {
	n := 0
	for j := range i {
		s := segmentAt(seg, j)
		n += heads * s.nq * s.nk
	}
	return n
}

// checkSegments checks a segment table and returns the number of scores of one head.
// tq and tk are the numbers of queries and keys, or -1 where any number fits. With
// ascending 'q' or 'k' the ranges of queries or keys must ascend without overlap,
// because the operation writes to them; with 0 they need not.
func checkSegments(a *Attr, seg *Tensor, tq, tk int, ascending byte) (int, error) {
	if seg.Type != I32 || len(seg.Shape) != 2 || cols(seg) != 4 {
		return 0, mismatch("seg is not [S,4] of I32:", seg)
	}
	if len(seg.I) != seg.Len() {
		return 0, errSegments
	}
	if seg.Home != nil {
		return 0, errors.New("the segment table lies in a device's memory: scores take their shape from it on the host")
	}
	if a.Heads < 1 {
		return 0, fmt.Errorf("the number of heads is %d, want at least 1", a.Heads)
	}
	scores, end := 0, 0
	for i := range rows(seg) {
		// Starts are not negative, counts at least 1, and ends within the tensors.
		s := segmentAt(seg, i)
		bad := s.q < 0 || s.nq < 1 || s.k < 0 || s.nk < 1 ||
			tq >= 0 && s.q+s.nq > tq || tk >= 0 && s.k+s.nk > tk
		start, next := s.q, s.q+s.nq
		if ascending == 'k' {
			start, next = s.k, s.k+s.nk
		}
		if bad || ascending != 0 && start < end {
			return 0, fmt.Errorf("segment %d %v is out of range or overlaps the segment before it", i, seg.I[4*i:4*i+4])
		}
		end = next
		scores += s.nq * s.nk
	}
	return scores, nil
}

// headWidth checks that the heads divide the width.
func headWidth(a *Attr, d int) error {
	if d%a.Heads != 0 {
		return fmt.Errorf("%d heads do not divide width %d", a.Heads, d)
	}
	return nil
}

func shapeScores(a *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, matrix, operand{I32, 2}); err != nil {
		return results{}, err
	}
	if cols(&in[0]) != cols(&in[1]) {
		return broken("widths differ:", &in[0], &in[1])
	}
	n, err := checkSegments(a, &in[2], rows(&in[0]), rows(&in[1]), 0)
	if err != nil {
		return results{}, err
	}
	if err := headWidth(a, cols(&in[0])); err != nil {
		return results{}, err
	}
	return outputs(shaped(F32, a.Heads*n))
}

// shapeSoftmax is the shape rule of n score tensors and one output of the same shape.
func shapeSoftmax(n int) func(*Attr, []Tensor) (results, error) {
	return func(a *Attr, in []Tensor) (results, error) {
		want := [...]operand{vector, vector, {I32, 2}}
		if err := need(in, want[2-n:]...); err != nil {
			return results{}, err
		}
		scores, err := checkSegments(a, &in[n], -1, -1, 0)
		if err != nil {
			return results{}, err
		}
		for i := range n {
			if rows(&in[i]) != a.Heads*scores {
				return broken("scores do not fit seg:", &in[i])
			}
		}
		return outputs(like(&in[0]))
	}
}

func shapeAttend(a *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, matrix, matrix, operand{I32, 2}); err != nil {
		return results{}, err
	}
	if cols(&in[0]) != cols(&in[1]) || !sameShape(&in[1], &in[2]) {
		return broken("Q, K and V do not fit:", &in[0], &in[1], &in[2])
	}
	if _, err := checkSegments(a, &in[3], rows(&in[0]), rows(&in[1]), 'q'); err != nil {
		return results{}, err
	}
	if a.Causal {
		return results{}, errCausal
	}
	if err := headWidth(a, cols(&in[0])); err != nil {
		return results{}, err
	}
	return outputs(like(&in[0]))
}

func shapeMix(a *Attr, in []Tensor) (results, error) { return shapeMixed(a, in, 'q') }

func shapeMixT(a *Attr, in []Tensor) (results, error) { return shapeMixed(a, in, 'k') }

// shapeMixed is the shape rule of P, X and seg, where out is 'q' or 'k' for an output
// row for each query or key. The output ends with the last segment, or at Attr.Rows.
func shapeMixed(a *Attr, in []Tensor, out byte) (results, error) {
	if err := need(in, vector, matrix, operand{I32, 2}); err != nil {
		return results{}, err
	}
	tq, tk := -1, rows(&in[1])
	if out == 'k' {
		tq, tk = tk, tq
	}
	n, err := checkSegments(a, &in[2], tq, tk, out)
	if err != nil {
		return results{}, err
	}
	if rows(&in[0]) != a.Heads*n {
		return broken("scores do not fit seg:", &in[0])
	}
	s := segmentAt(&in[2], rows(&in[2])-1)
	end := s.q + s.nq
	if out == 'k' {
		end = s.k + s.nk
	}
	if err := headWidth(a, cols(&in[1])); err != nil {
		return results{}, err
	}
	return outputs(matrixOf(F32, max(end, a.Rows), cols(&in[1])))
}
