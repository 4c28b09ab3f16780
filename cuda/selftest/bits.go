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

// compare computes calls of all operations, products of many shapes, training steps and translations on
// both devices, and compares the bits.
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
	// Sizes around those of lanes and tiles, in all combinations.
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
	projections := [][3]int{
		{1, 16, 17}, {17, 16, 32}, {130, 80, 50}, {129, 144, 130}, {300, 33, 19}, {64, 64, 64}, {257, 512, 2048},
		{4096, 512, 512}, {4096, 2048, 512},
	}
	if quick {
		projections = [][3]int{{17, 16, 32}, {33, 48, 20}}
	}
	for _, s := range projections {
		r.projection(dev, host, s[0], s[1], s[2])
	}
	// Whole models.
	presets := []string{"demo", "tiny", "small", "base"}
	if quick {
		presets = nil
		least := nmt.Config{Vocab: 40, Dim: 16, Heads: 2, FFN: 24, Encoder: 1, Decoder: 1, Dropout: 0.1}
		if err := r.model(dev, host, "least", least, 40); err != nil {
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

// rows compares random calls of every operation. Their tensors lie in the host's or in the device's memory,
// begin at an aligned element or not, and outputs may use the storage of inputs.
func (r *report) rows(dev, host kernel.Device, trials int) {
	progress("calls of every operation")
	for op := kernel.Op(1); int(op) < len(kernel.Ops); op++ {
		agrees := true
		for trial := range trials {
			d := &calls.Dice{Seed: uint32(op)<<16 + uint32(trial), Wild: trial%3 == 2}
			c := d.Call(op)
			// Every third trial has infinities and NaN, every second works in place if it
			// can, every fourth stays in the host's memory.
			var over []int
			if ways := kernel.InPlace[op]; len(ways) > 0 && trial%2 == 1 {
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

// move puts c's tensors into the device's memory, shift elements behind an aligned address. Output i uses the
// storage of input over[i].
func move(dev kernel.Device, c *kernel.Call, over []int, shift int) {
	for _, ts := range [][]kernel.Tensor{c.In, c.Out} {
		for i := range ts {
			if c.Attr.Heads > 0 && ts[i].Type == kernel.I32 {
				continue // segment tables stay in the host's memory
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

// product compares one product. Its numbers cancel, never overflow, and some are subnormal or -0.
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
		d.Do(&kernel.Call{
			Op: kernel.MatMul, Attr: kernel.Attr{Trans: trans},
			In: []kernel.Tensor{x, y}, Out: []kernel.Tensor{out[i]},
		})
	}
	name := fmt.Sprintf("product %s %dx%dx%d", transposed[trans], m, n, k)
	r.Bits = append(r.Bits, verdict{name, tensor.Equal(out[0], out[1])})
}

// numbers returns a tensor of numbers, which depend on the seed only.
func numbers(dev kernel.Device, seed uint32, shape ...int) kernel.Tensor {
	t := kernel.New(kernel.F32, shape...)
	for i := range t.F {
		seed = seed*1664525 + 1013904223
		x := float32(int32(seed)) / (1 << 31)
		switch seed >> 8 % 64 {
		case 0:
			x *= 1e-42
		case 1:
			x *= 0 // a zero with x's sign
		}
		t.F[i] = x
	}
	return kernel.On(dev, t)
}

// repeats is how often the device computes a gradient. Its calls run at the same time and overlap differently
// each time, so a race would show.
const repeats = 8

// modelBits is the results of one device with an untrained model.
type modelBits struct {
	grads, codes *tensor.Set
	repeated     bool // all repeats of the gradient had the same bits
	state        train.ModelState
	greedy, beam [][]int32
	unrepeated   [][]int32 // the beam's, with repetitions banned and discouraged
}

// model compares gradients of two batches, the optimiser's step by them, and translations of an untrained
// model.
func (r *report) model(dev, host kernel.Device, name string, c nmt.Config, tokens int) error {
	progress("training steps and translations of preset %s", name)
	batches := []nmt.Batch{sentences(c.Vocab, tokens, 0), sentences(c.Vocab, tokens/2, 1)}
	got, err := computeModel(dev, c, batches, repeats)
	if err != nil {
		return fmt.Errorf("preset %s on %s: %w", name, dev.Name(), err)
	}
	want, err := computeModel(host, c, batches, 1)
	if err != nil {
		return fmt.Errorf("preset %s on %s: %w", name, host.Name(), err)
	}
	if tensorName, differs := got.grads.Difference(want.grads); differs {
		progress("the gradient of %s differs", tensorName)
	}
	same := func(a, b *tensor.Set) bool {
		_, differs := a.Difference(b)
		return !differs
	}
	for _, v := range []verdict{
		{"gradients", same(got.grads, want.grads)},
		{"gradients again", got.repeated},
		{"codes", same(got.codes, want.codes)},
		{"parameters", same(got.state.Params, want.state.Params)},
		{"moments", same(got.state.M, want.state.M) && same(got.state.V, want.state.V)},
		{"translation", slices.EqualFunc(got.greedy, want.greedy, slices.Equal)},
		{"beam", slices.EqualFunc(got.beam, want.beam, slices.Equal)},
		{"beam without repetitions", slices.EqualFunc(got.unrepeated, want.unrepeated, slices.Equal)},
	} {
		v.Name += ", preset " + name
		r.Bits = append(r.Bits, v)
	}
	return nil
}

// computeModel computes a gradient several times, its codes, translations, and a step of the optimiser.
func computeModel(dev kernel.Device, c nmt.Config, batches []nmt.Batch, times int) (m modelBits, err error) {
	params, e := nmt.Init(c, 1).On(dev), nmt.NewEngine(dev, c)
	m.repeated = true
	for i := range times {
		g, err := e.Gradient(params, batches, nmt.DropoutKey{Seed: 5})
		if err != nil {
			return m, fmt.Errorf("gradient: %w", err)
		}
		if i == 0 { // the engine's next call overwrites it
			m.grads = g.Grads.Clone()
		}
		if _, differs := m.grads.Difference(g.Grads); differs {
			m.repeated = false
		}
	}
	delta := train.Quantize(dev, m.grads, 8)
	m.codes = delta.Q
	sources := batches[1].Source
	if m.greedy, _, err = e.Greedy(params, sources, nmt.TwicePlusTen); err == nil {
		m.beam, _, err = e.Beam(params, sources[:min(8, len(sources))], nmt.TwicePlusTen, 4, 1)
	}
	if err == nil {
		e.Repeats = nmt.Repeats{NGram: 2, Penalty: 1.5}
		m.unrepeated, _, err = e.Beam(params, sources[:min(8, len(sources))], nmt.TwicePlusTen, 4, 1)
		e.Repeats = nmt.Repeats{}
	}
	if err != nil {
		return m, fmt.Errorf("translation: %w", err)
	}
	// The optimiser changes params, so it comes last. The preset only gives its rates.
	cfg, err := train.Preset("tiny")
	if err != nil {
		return m, err
	}
	m.state = train.Start(cfg, params)
	from := []train.Contribution{{Delta: delta}, {Delta: delta}}
	if _, err := train.Combine(dev, cfg, train.Position{Steps: 9}, &m.state, from, 0); err != nil {
		return m, fmt.Errorf("optimiser: %w", err)
	}
	return m, nil
}

// sentences returns a batch of at most tokens source tokens, 8 to 24 in a sentence. from selects the batch.
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
