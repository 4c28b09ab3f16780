//go:build cuda && linux && (amd64 || arm64)

package main

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
)

// compare computes products of many shapes, training steps and translations on
// both devices.
func (r *report) compare(dev, host kernel.Device, quick bool) error {
	sizes := []int{1, 2, 31, 33, 64, 127, 129, 300}
	depths := []int{1, 3, 31, 511, 513, 1100}
	if quick {
		sizes, depths = []int{1, 33, 65}, []int{3, 17}
	}
	trials := 48
	if quick {
		trials = 4
	}
	r.rows(dev, host, trials)
	progress("products")
	for _, trans := range []kernel.Trans{kernel.NN, kernel.NT, kernel.TN} {
		for _, m := range sizes {
			for _, n := range sizes {
				for _, k := range depths {
					r.product(dev, host, trans, m, n, k)
				}
			}
		}
	}
	if !quick {
		r.product(dev, host, kernel.NN, 2048, 1536, 2048)
		r.product(dev, host, kernel.NT, 1024, 8000, 512)
		r.product(dev, host, kernel.TN, 512, 2048, 4096)
	}
	presets := []string{"demo", "tiny", "small", "base"}
	if quick {
		presets = nil
		if err := r.model(dev, host, "least", nmt.Config{Vocab: 40, Dim: 16, Heads: 2, FFN: 24, Encoder: 1, Decoder: 1, Dropout: 0.1}, 40); err != nil {
			return err
		}
	}
	for _, name := range presets {
		cfg, err := train.Preset(name)
		if err != nil {
			return err
		}
		if err := r.model(dev, host, name, cfg.Model(int(cfg.Pieces)), 512); err != nil {
			return err
		}
	}
	return nil
}

// rows compares calls of every row, of awkward shapes and numbers: on the host's
// tensors and on the device's, which begin at any element, apart and over one
// another.
func (r *report) rows(dev, host kernel.Device, trials int) {
	progress("calls of every row")
	for op := kernel.Op(1); int(op) < len(kernel.Ops); op++ {
		agrees := true
		for trial := range trials {
			d := &calls.Dice{Seed: uint32(op)<<16 + uint32(trial), Wild: trial%3 == 2}
			c := d.Call(op)
			var over []int
			if ways := calls.InPlace[op]; len(ways) > 0 && trial%2 == 1 {
				over = ways[trial/2%len(ways)]
			}
			want, got := calls.Clone(&c, over), calls.Clone(&c, over)
			host.Do(&want)
			if trial%4 != 3 {
				move(dev, &got, over, trial%4/2)
			}
			dev.Do(&got)
			for i := range got.Out {
				got.Out[i] = kernel.Local(got.Out[i])
			}
			if at := calls.Differ(got.Out, want.Out); at != "" {
				progress("%s over %v: %s", calls.Shapes(&c), over, at)
				agrees = false
			}
		}
		r.Bits = append(r.Bits, verdict{"calls of " + op.String(), agrees})
	}
}

// move puts c's tensors into the device's memory, so many elements from where
// vectors of them may begin. Outputs lie over the inputs that over names.
func move(dev kernel.Device, c *kernel.Call, over []int, shift int) {
	for _, ts := range [][]kernel.Tensor{c.In, c.Out} {
		for i := range ts {
			if c.Attr.Heads > 0 && ts[i].Type == kernel.I32 {
				continue // a table of segments is the host's
			}
			room := kernel.Alloc(dev, ts[i].Type, shift+ts[i].Len())
			there := room.Part(shift, shift+ts[i].Len(), ts[i].Shape...)
			kernel.Copy(there, ts[i])
			ts[i] = there
		}
	}
	for i, from := range over {
		c.Out[i] = c.In[from]
	}
}

// product compares one product, of numbers that cancel, overflow nowhere and
// are partly subnormal or -0.
func (r *report) product(dev, host kernel.Device, trans kernel.Trans, m, n, k int) {
	a, b := []int{m, k}, []int{k, n}
	switch trans {
	case kernel.NT:
		b = []int{n, k}
	case kernel.TN:
		a = []int{k, m}
	}
	var out [2]kernel.Tensor
	for i, d := range []kernel.Device{dev, host} {
		x, y := numbers(d, 1, a...), numbers(d, 2, b...)
		out[i] = numbers(d, 3, m, n)
		d.Do(&kernel.Call{Op: kernel.MatMul, Attr: kernel.Attr{Trans: trans}, In: []kernel.Tensor{x, y}, Out: []kernel.Tensor{out[i]}})
	}
	name := fmt.Sprintf("product %s %dx%dx%d", transposed[trans], m, n, k)
	r.Bits = append(r.Bits, verdict{name, tensor.Equal(out[0], out[1])})
}

// numbers is a tensor of numbers that a seed determines.
func numbers(dev kernel.Device, seed uint32, shape ...int) kernel.Tensor {
	t := kernel.New(kernel.F32, shape...)
	for i := range t.F {
		seed = seed*1664525 + 1013904223
		x := float32(int32(seed)) / (1 << 31)
		switch seed >> 8 % 64 {
		case 0:
			x *= 1e-42
		case 1:
			x *= 0 // and keeps its sign
		}
		t.F[i] = x
	}
	return kernel.On(dev, t)
}

// repeats are how often the device computes a gradient: calls run beside one
// another, and would not always meet in the same way.
const repeats = 8

// model compares gradients of two batches, what is learnt of them, and
// translations, of an untrained model.
func (r *report) model(dev, host kernel.Device, name string, c nmt.Config, tokens int) error {
	progress("training steps and translations of preset %s", name)
	cfg, err := train.Preset("tiny") // for its rates
	if err != nil {
		return err
	}
	batches := []nmt.Batch{sentences(c.Vocab, tokens, 0), sentences(c.Vocab, tokens/2, 1)}
	var grads, codes [2]*tensor.Set
	var states [2]train.ModelState
	var greedy, beam [2][][]int32
	same := true
	for i, d := range []kernel.Device{dev, host} {
		params, e := nmt.Init(c, 1).On(d), nmt.NewEngine(d, c)
		for j := range repeats {
			g, err := e.Gradient(params, batches, nmt.Key{Seed: 5})
			if err != nil {
				return fmt.Errorf("training step of preset %s on %s: %w", name, d.Name(), err)
			}
			if j == 0 {
				grads[i] = g.Grads.Clone()
			}
			if _, differs := grads[i].Difference(g.Grads); differs {
				same = false
			}
			if d == host {
				break
			}
		}
		delta := train.Quantize(d, grads[i], 8)
		codes[i] = delta.Q
		sources := batches[1].Source
		if greedy[i], _, err = e.Greedy(params, sources, nmt.TwicePlusTen); err == nil {
			beam[i], _, err = e.Beam(params, sources[:min(8, len(sources))], nmt.TwicePlusTen, 4, 1)
		}
		if err != nil {
			return fmt.Errorf("translation with preset %s on %s: %w", name, d.Name(), err)
		}
		states[i] = train.Start(cfg, params)
		if _, err := train.Combine(d, cfg, train.Position{Steps: 9}, &states[i], []train.Contribution{{Delta: delta}, {Delta: delta}}, 0); err != nil {
			return fmt.Errorf("optimiser of preset %s on %s: %w", name, d.Name(), err)
		}
	}
	tensorName, differs := grads[0].Difference(grads[1])
	if differs {
		progress("the gradient of %s differs", tensorName)
	}
	equal := func(of func(s train.ModelState) *tensor.Set) bool {
		_, differs := of(states[0]).Difference(of(states[1]))
		return !differs
	}
	_, coded := codes[0].Difference(codes[1])
	r.Bits = append(r.Bits,
		verdict{"gradients, preset " + name, !differs},
		verdict{"gradients again, preset " + name, same},
		verdict{"codes, preset " + name, !coded},
		verdict{"parameters, preset " + name, equal(func(s train.ModelState) *tensor.Set { return s.Params })},
		verdict{"moments, preset " + name, equal(func(s train.ModelState) *tensor.Set { return s.M }) && equal(func(s train.ModelState) *tensor.Set { return s.V })},
		verdict{"translation, preset " + name, slices.EqualFunc(greedy[0], greedy[1], slices.Equal)},
		verdict{"beam, preset " + name, slices.EqualFunc(beam[0], beam[1], slices.Equal)})
	return nil
}

// sentences is a batch of about so many tokens, 8 to 24 a sentence.
func sentences(vocab, tokens, from int) nmt.Batch {
	var b nmt.Batch
	for i := 100 * from; ; i++ {
		n := 8 + i*7%17
		if tokens -= n + 1; tokens < 0 && len(b.Source) > 0 {
			return b
		}
		s := make([]int32, n)
		for j := range s {
			s[j] = int32(3 + (i*131+j*977)%(vocab-3))
		}
		t := slices.Clone(s)
		slices.Reverse(t)
		b.Source, b.Target = append(b.Source, s), append(b.Target, t)
	}
}
