//go:build cuda && cudaemu && linux && (amd64 || arm64)

package device

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/cuda/driver"
	"github.com/alia-network/alia/cuda/emulator"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
)

func TestMain(m *testing.M) {
	os.Setenv(driver.Variable, "emulator") // the driver is opened once in a process
	os.Exit(m.Run())
}

// with makes the machine what change says, and returns its device or why there
// is none.
func with(t *testing.T, change func(c *emulator.Config)) (*Device, error) {
	t.Helper()
	c := emulator.Sound()
	if change != nil {
		change(&c)
	}
	emulator.Set(c)
	dev, err := Open("cuda:0", 1)
	if err != nil {
		return nil, err
	}
	d := dev.(*Device)
	t.Cleanup(func() {
		if err := d.Close(); err != nil && d.broken == nil {
			t.Error(err)
		}
	})
	return d, nil
}

func sound(t *testing.T, change func(c *emulator.Config)) *Device {
	t.Helper()
	d, err := with(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestConformance opens the device, all of whose tensors are then the host's.
func TestConformance(t *testing.T) { sound(t, nil) }

// TestForeignForm translates with a model of another program's form, whose
// decoder begins with the padding.
func TestForeignForm(t *testing.T) {
	config := nmt.Config{
		Vocab: 40, Dim: 16, Heads: 2, FFN: 24, Encoder: 1, Decoder: 1,
		Form: nmt.Form{PostNorm: true, Activation: nmt.Swish, OutputBias: true, Marks: nmt.Marks{Pad: 2, BOS: 2}},
	}
	host, err := kernel.Open("auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	var words [2][][]int32
	for i, dev := range []kernel.Device{host, sound(t, nil)} {
		e, params := nmt.NewEngine(dev, config), nmt.Init(config, 4).On(dev)
		sources := batch(40, 3).Source
		greedy, _, err := e.Greedy(params, sources, nmt.TwicePlusTen)
		if err != nil {
			t.Fatal(err)
		}
		beam, _, err := e.Beam(params, sources, nmt.TwicePlusTen, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		words[i] = append(greedy, beam...)
	}
	if !reflect.DeepEqual(words[0], words[1]) {
		t.Errorf("translations are %v, want %v", words[1], words[0])
	}
}

// TestOperations asks the device operation by operation: for a trace, for where a
// gradient went wrong, and to be watched.
func TestOperations(t *testing.T) {
	config := nmt.Config{Vocab: 30, Dim: 8, Heads: 2, FFN: 8, Encoder: 1, Decoder: 1}
	host, err := kernel.Open("auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	sane, large := nmt.Init(config, 3), nmt.Init(config, 3)
	gain, _ := large.Get("decoder.norm.weight")
	for i := range gain.F {
		gain.F[i] = 3e38
	}
	batches := []nmt.Batch{batch(30, 2)}
	var steps [2][]tensor.Step
	var said [2]string
	for i, dev := range []kernel.Device{host, sound(t, nil)} {
		e := nmt.NewEngine(dev, config)
		if err := e.Trace(sane.On(dev), batches, nmt.DropoutKey{},
			func(s tensor.Step) { steps[i] = append(steps[i], s) }); err != nil {
			t.Fatal(err)
		}
		_, err := e.Gradient(large.On(dev), batches, nmt.DropoutKey{})
		if !errors.Is(err, nmt.ErrNonFinite) {
			t.Fatal(err)
		}
		said[i] = err.Error()
		if d, ok := dev.(*Device); ok {
			begun, done := 0, 0.0
			d.Watched(func(_ int, _ *kernel.Call, share float64, before bool) {
				if before {
					begun++
				} else {
					done += share
				}
			})
			if _, err := e.Loss(sane.On(dev), batches[0]); err != nil {
				t.Fatal(err)
			}
			d.Watched(nil)
			if begun < 20 || done != float64(begun) {
				t.Errorf("%d calls began, %v ended", begun, done)
			}
		}
	}
	if len(steps[0]) == 0 || !reflect.DeepEqual(steps[0], steps[1]) {
		t.Errorf("the traces differ: %v, want %v", steps[1], steps[0])
	}
	if said[0] != said[1] {
		t.Errorf("%q, want %q", said[1], said[0])
	}
}

// allow leaves the device room for so many bytes.
func allow(d *Device, bytes int64) {
	d.must(d.drain)
	d.limit = d.used + bytes
}

// batch is sentences of a small model.
func batch(vocab int32, sentences int) nmt.Batch {
	var b nmt.Batch
	r := rand.New(rand.NewPCG(1, 2))
	for range sentences {
		s := make([]int32, 1+r.IntN(7))
		for i := range s {
			s[i] = 3 + r.Int32N(vocab-3)
		}
		b.Source, b.Target = append(b.Source, s), append(b.Target, s[:1+r.IntN(len(s))])
	}
	return b
}

// TestTrainingStep computes a gradient of two batches, what is learnt of it, and
// translations, with the processor and with devices whose streams run early and
// late: the same bits. A look at what is the device's alone would end the test.
func TestTrainingStep(t *testing.T) {
	if testing.Short() {
		t.Skip("an emulated step takes seconds, and with the race detector a minute")
	}
	config := nmt.Config{Vocab: 50, Dim: 16, Heads: 2, FFN: 32, Encoder: 1, Decoder: 1, Dropout: 0.1}
	host, err := kernel.Open("auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	params := nmt.Init(config, 3)
	batches := []nmt.Batch{batch(50, 5), batch(50, 4)}
	list := nmt.LearnShortlist(config, batches[0].Source, batches[0].Target, 3, 5)
	type results struct {
		sets  []*tensor.Set
		words [][][]int32
	}
	compute := func(t *testing.T, dev kernel.Device) (r results) {
		t.Helper()
		e, on := nmt.NewEngine(dev, config), params.Clone().On(dev)
		g, err := e.Gradient(on, batches, nmt.DropoutKey{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := dev.(*Device); ok != (g.Grads.At(0).Home != nil) {
			t.Errorf("%s: gradients are in the memory of %v", dev.Name(), g.Grads.At(0).Home)
		}
		r.sets = append(r.sets, g.Grads.Clone())
		for _, beam := range []int{1, 3} {
			e.Shortlist = nil
			for range 2 {
				out, _, err := e.Beam(on, batches[0].Source, nmt.TwicePlusTen, beam, 1)
				if beam == 1 {
					out, _, err = e.Greedy(on, batches[0].Source, nmt.TwicePlusTen)
				}
				if err != nil {
					t.Fatal(err)
				}
				r.words = append(r.words, out)
				e.Shortlist = list
			}
		}
		e.Shortlist = nil
		flat, _, err := e.Beam(on.Zeros(), batches[0].Source[:2], nmt.TwicePlusTen, 3, 1) // all tokens are as likely
		if err != nil {
			t.Fatal(err)
		}
		r.words = append(r.words, flat)
		cfg, err := train.Preset("tiny")
		if err != nil {
			t.Fatal(err)
		}
		state := train.Start(cfg, on)
		from := []train.Contribution{{Delta: train.Quantize(dev, r.sets[0], 8)}}
		step, err := train.Combine(dev, cfg, train.Position{Steps: 9}, &state, from, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.sets = append(r.sets, state.Params, state.M, state.V, step.Q, step.Scales)
		return r
	}
	want := compute(t, host)
	for name, early := range map[string]int{
		"late": 0, "early": 1<<6 - 1, "main late": 1<<6 - 2, "copies early": 1 << 5, "first beside early": 1 << 1,
	} {
		t.Run(name, func(t *testing.T) {
			got := compute(t, sound(t, func(c *emulator.Config) { c.Early = early }))
			for i := range want.sets {
				if tensor, differs := want.sets[i].Difference(got.sets[i]); differs {
					t.Errorf("%s of set %d differs", tensor, i)
				}
			}
			if !reflect.DeepEqual(got.words, want.words) {
				t.Errorf("translations are %v, want %v", got.words, want.words)
			}
		})
	}
}

// TestBindings computes stages of calls whose tensors share storage in all the
// ways a stage allows, on a device that can bind little at a time.
func TestBindings(t *testing.T) {
	host, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	d := sound(t, nil)
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		allow(d, int64(512<<r.IntN(6)))
		x := make([]float32, 400)
		for i := range x {
			x[i] = r.Float32() - 0.5
		}
		y := append([]float32(nil), x...)
		var onX, onY []kernel.Call
		for range 1 + r.IntN(12) {
			n := 1 + r.IntN(64)
			span := func() int { return r.IntN(len(x) - n) }
			a, b, c := span(), span(), span()
			apart := func(i int) bool { return i+n <= c || c+n <= i || i == c }
			if !apart(a) || !apart(b) {
				continue // an output across an input, which no row allows
			}
			part := func(of []float32, at int) kernel.Tensor {
				return kernel.Tensor{Type: kernel.F32, Shape: []int{n}, F: of[at : at+n]}
			}
			onX = append(onX,
				kernel.Call{
					Op: kernel.Add, In: []kernel.Tensor{part(x, a), part(x, b)}, Out: []kernel.Tensor{part(x, c)},
				})
			onY = append(onY,
				kernel.Call{
					Op: kernel.Add, In: []kernel.Tensor{part(y, a), part(y, b)}, Out: []kernel.Tensor{part(y, c)},
				})
		}
		for i := range onX {
			host.Do(&onX[i])
		}
		d.Stage(onY, nil, nil, nil)
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("element %d is %v, want %v after %d calls", i, y[i], x[i], len(onX))
			}
		}
	}
}

// TestBindingsBeside makes room for a call that is beside others, which ends
// what was beside them so far; what comes after waits for the call too.
func TestBindingsBeside(t *testing.T) {
	d := sound(t, func(c *emulator.Config) { c.Early = 1 }) // the main stream
	const n = 1024
	var calls []kernel.Call
	sum := kernel.Alloc(d, kernel.F32, n)
	for i := range 3 {
		x := kernel.New(kernel.F32, n)
		for j := range x.F {
			x.F[j] = float32(i + 1)
		}
		calls = append(calls,
			kernel.Call{
				Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{kernel.Alloc(d, kernel.F32, n)},
			})
	}
	allow(d, 4*n) // one tensor of the host's
	d.Group(calls)
	for _, c := range calls {
		d.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{sum, c.Out[0]}, Out: []kernel.Tensor{sum}})
	}
	if got := kernel.Local(sum).F[n-1]; got != 12 {
		t.Errorf("the sum is %v, want 12", got)
	}
}

// TestFull computes what does not fit into the memory that other programs have
// left of the device's since it was opened.
func TestFull(t *testing.T) {
	d := sound(t, nil)
	there := kernel.Alloc(d, kernel.F32, 1<<15)
	c := emulator.Sound()
	c.Memory = 300 << 10
	emulator.Change(c)
	x, y := kernel.New(kernel.F32, 1<<15), kernel.New(kernel.F32, 1<<15)
	x.F[1<<15-1] = 1
	d.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{y}})
	if y.F[1<<15-1] != 2 {
		t.Error("the sum is wrong")
	}
	d.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{y, there}, Out: []kernel.Tensor{there}})
	if got := kernel.Local(there).F[1<<15-1]; got != 2 {
		t.Errorf("the sum on the device is %v", got)
	}
	if len(d.Hosted()) > 0 {
		t.Errorf("the host computed %v", d.Hosted())
	}
	// One sum of all of it has no halves.
	sum := kernel.New(kernel.F32, 1)
	large := kernel.New(kernel.F32, 1<<17)
	large.F[5] = 3
	d.Do(&kernel.Call{Op: kernel.Sum, In: []kernel.Tensor{large}, Out: []kernel.Tensor{sum}})
	if sum.F[0] != 3 || !slices.Equal(d.Hosted(), []string{"Sum"}) {
		t.Errorf("the sum is %v, the host computed %v", sum.F[0], d.Hosted())
	}
	if z := kernel.Alloc(d, kernel.F32, 1<<16); z.Home != nil {
		t.Error("a full device gives memory")
	}
	runtime.KeepAlive(there)
}

// TestPieces computes calls of all rows, of the host's tensors, with a device that
// has room for some of a call's rows at a time.
func TestPieces(t *testing.T) {
	host, err := kernel.Open("auto", 1)
	if err != nil {
		t.Fatal(err)
	}
	d := sound(t, nil)
	c := emulator.Sound()
	c.Memory = 16 << 10
	emulator.Change(c)
	d.must(d.drain)
	for op := kernel.Op(1); int(op) < len(kernel.Ops); op++ {
		for trial := range uint32(2) {
			c := (&calls.Dice{Seed: uint32(op)<<8 + trial}).Call(op)
			var over []int
			if ways := kernel.InPlace[op]; len(ways) > 0 && trial == 1 {
				over = ways[0]
			}
			want, got := calls.Clone(&c, over), calls.Clone(&c, over)
			host.Do(&want)
			d.Do(&got)
			if at := calls.Differ(got.Out, want.Out); at != "" {
				t.Errorf("%s over %v: %s", calls.Shapes(&c), over, at)
			}
		}
	}
	for _, op := range []kernel.Op{
		kernel.Add, kernel.AddBias, kernel.Adam, kernel.CrossEntropyGrad, kernel.LayerNormGrad, kernel.QuantizeRows,
	} {
		if slices.Contains(d.Hosted(), op.String()) {
			t.Errorf("the host computed %v, which has pieces that fit", op)
		}
	}
	if !slices.Contains(d.Hosted(), "Dropout") {
		t.Errorf("the host computed %v: all fits", d.Hosted())
	}
}

// TestAlloc gives memory back when nothing refers to it.
func TestAlloc(t *testing.T) {
	d := sound(t, nil)
	d.limit = 1 << 18 // collect often
	for i := range 64 {
		x, ok := d.Alloc(kernel.F32, 1<<14)
		if !ok {
			t.Fatalf("no memory for block %d", i)
		}
		end := x.Part(1<<14-1, 1<<14, 1)
		kernel.Copy(end, kernel.Tensor{Type: kernel.F32, F: []float32{1}})
		c := kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{x}}
		d.Do(&c)
		if got := kernel.Local(end).F[0]; got != 2 {
			t.Fatalf("the host reads %v of what the device wrote", got)
		}
	}
	if d.used+d.spared > d.limit {
		t.Errorf("%d bytes are used and %d spare, the limit is %d", d.used, d.spared, d.limit)
	}
}
