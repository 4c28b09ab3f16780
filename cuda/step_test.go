package cuda

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
)

// step is what a small model computes on a device: a gradient, and a
// translation of a few sentences.
func step(t *testing.T, dev kernel.Device) (grads *tensor.Set, loss float32, outputs [][]int32) {
	t.Helper()
	c := nmt.Config{Vocab: 37, Dim: 24, FFN: 40, Heads: 3, Encoder: 2, Decoder: 2, Dropout: 0.25, Smoothing: 0.1}
	d := &calls.Dice{Seed: 9}
	sentences := func(n int) (all [][]int32) {
		for range n {
			s := d.Indexes(1+d.Below(11), c.Vocab-nmt.EOS-1).I
			for i := range s {
				s[i] += nmt.EOS + 1
			}
			all = append(all, s)
		}
		return all
	}
	p, e := nmt.Init(c, 5), nmt.NewEngine(dev, c)
	g, err := e.Gradient(p, []nmt.Batch{{Source: sentences(6), Target: sentences(6)}}, nmt.DropoutKey{Seed: 3, Step: 4})
	if err != nil {
		t.Fatal(err)
	}
	grads, loss = g.Grads.Clone(), g.Loss
	outputs, _, err = e.Greedy(p, sentences(4), func(int) int { return 9 })
	if err != nil {
		t.Fatal(err)
	}
	return grads, loss, outputs
}

// TestStep computes a gradient and a translation, all of whose rows have
// kernels, and compares both with the reference's.
func TestStep(t *testing.T) {
	dev := newEmulated(t)
	dev.host = nil
	wantGrads, wantLoss, wantOutputs := step(t, reference(t))
	grads, loss, outputs := step(t, dev)
	if loss != wantLoss {
		t.Errorf("loss %v, want %v", loss, wantLoss)
	}
	for i := range wantGrads.Len() {
		got, want := grads.At(i), wantGrads.At(i)
		if at := calls.Differ([]kernel.Tensor{got.Tensor}, []kernel.Tensor{want.Tensor}); at != "" {
			t.Errorf("gradient of %s: %s", want.Name, at)
		}
	}
	for i, want := range wantOutputs {
		if !slices.Equal(outputs[i], want) {
			t.Errorf("sentence %d is %v, want %v", i, outputs[i], want)
		}
	}
}
