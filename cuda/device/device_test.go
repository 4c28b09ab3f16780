//go:build cuda && cudaemu && linux && (amd64 || arm64)

package device

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/cuda/driver"
	"github.com/alia-network/alia/cuda/emulator"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
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
		if err := d.Close(); err != nil && d.fault == nil {
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

// TestConformance opens the device where host and device share memory, where
// they do not, and where what is bound must often make room.
func TestConformance(t *testing.T) {
	sound(t, nil)
	sound(t, func(c *emulator.Config) { c.Unified = false })
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

// TestTrainingStep computes a gradient of two batches, and a translation, with
// the processor and with devices of all kinds: the same bits.
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
	compute := func(dev kernel.Device) (*tensor.Set, [][]int32) {
		t.Helper()
		e := nmt.NewEngine(dev, config)
		g, err := e.Gradient(params.On(dev), batches, nmt.Key{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := dev.(*Device); ok && (g.Grads.At(0).Home != nil) != d.unified {
			t.Errorf("gradients are in memory of %v, where unified is %v", g.Grads.At(0).Home, d.unified)
		}
		grads := g.Grads.Clone()
		out, _, err := e.Greedy(params.On(dev), batches[0].Source, nmt.TwicePlusTen)
		if err != nil {
			t.Fatal(err)
		}
		return grads, out
	}
	want, words := compute(host)
	for name, change := range map[string]func(c *emulator.Config){
		"unified": nil,
		"apart":   func(c *emulator.Config) { c.Unified = false },
	} {
		grads, out := compute(sound(t, change))
		if tensor, differs := want.Difference(grads); differs {
			t.Errorf("%s: the gradient of %s differs", name, tensor)
		}
		for i := range words {
			if len(out[i]) != len(words[i]) {
				t.Errorf("%s: translation %d is %v, want %v", name, i, out[i], words[i])
			}
		}
	}
}

// TestBindings computes stages of calls whose tensors share storage in all the
// ways a stage allows, on a device that can bind little at a time.
func TestBindings(t *testing.T) {
	host, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	d := sound(t, func(c *emulator.Config) { c.Unified = false })
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		d.limit = int64(512 << r.IntN(6))
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
			onX = append(onX, kernel.Call{Op: kernel.Add, In: []kernel.Tensor{part(x, a), part(x, b)}, Out: []kernel.Tensor{part(x, c)}})
			onY = append(onY, kernel.Call{Op: kernel.Add, In: []kernel.Tensor{part(y, a), part(y, b)}, Out: []kernel.Tensor{part(y, c)}})
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

// TestFull computes what does not fit into the memory that other programs have
// left of the device's since it was opened.
func TestFull(t *testing.T) {
	d := sound(t, func(c *emulator.Config) { c.Unified = false })
	c := emulator.Sound()
	c.Unified, c.Memory = false, 100<<10
	emulator.Change(c)
	x, y := kernel.New(kernel.F32, 1<<15), kernel.New(kernel.F32, 1<<15)
	x.F[1<<15-1] = 1
	d.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{y}})
	if y.F[1<<15-1] != 2 {
		t.Error("the sum is wrong")
	}
}

// TestAlloc gives memory back when nothing refers to it.
func TestAlloc(t *testing.T) {
	d := sound(t, nil)
	d.limit = 1 << 20 // collect often
	for i := range 64 {
		x, ok := d.Alloc(kernel.F32, 1<<16)
		if !ok {
			t.Fatalf("no memory for block %d", i)
		}
		x.F[1<<16-1] = 1
		c := kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{x}}
		d.Do(&c)
		if x.F[1<<16-1] != 2 {
			t.Fatal("the host does not see what the device wrote")
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.blocks) == 64 {
		t.Error("nothing was freed")
	}
}

// TestOpenFails names what is wrong with a machine, in one line.
func TestOpenFails(t *testing.T) {
	for want, change := range map[string]func(c *emulator.Config){
		"there are 0 devices":         func(c *emulator.Config) { c.Devices = 0 },
		"the kernels need 7.5":        func(c *emulator.Config) { c.Capability = 70 },
		"another program":             func(c *emulator.Config) { c.Memory = 32 << 20 },
		"load module add":             func(c *emulator.Config) { c.Refused = "add" },
		"device breaks the numeric s": func(c *emulator.Config) { c.Wrong = "relu" },
		"device out of service":       func(c *emulator.Config) { c.Lost = 10 },
	} {
		_, err := with(t, change)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: want %q", err, want)
		}
	}
	if _, err := Open("cuda:-1", 1); err == nil {
		t.Error("device -1 opens")
	}
}

// TestLost loses the device in the middle of a step: a fault, then and ever
// after, and memory that is not given any more.
func TestLost(t *testing.T) {
	d := sound(t, nil)
	c := emulator.Sound()
	c.Lost = 0
	emulator.Change(c)
	x := kernel.New(kernel.F32, 8)
	call := kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{x}}
	for range 2 {
		var err error
		func() {
			defer kernel.Recover(&err)
			d.Do(&call)
		}()
		if !errors.Is(err, kernel.ErrDevice) {
			t.Errorf("a lost device says %v", err)
		}
	}
	if _, ok := d.Alloc(kernel.F32, 1<<20); ok {
		t.Error("a lost device gives memory")
	}
}

// TestTwo computes on two devices at once, each with a goroutine of its own.
func TestTwo(t *testing.T) {
	c := emulator.Sound()
	c.Devices = 2
	emulator.Set(c)
	var wg sync.WaitGroup
	for _, name := range []string{"cuda:0", "cuda:1"} {
		wg.Go(func() {
			dev, err := Open(name, 1)
			if err != nil {
				t.Error(err)
				return
			}
			x := kernel.Alloc(dev, kernel.F32, 8192)
			for i := range x.F {
				x.F[i] = float32(i)
			}
			for range 4 {
				dev.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{x}})
			}
			if x.F[8191] != 16*8191 {
				t.Errorf("%s: the sum is %v", name, x.F[8191])
			}
			if err := dev.(*Device).Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestList(t *testing.T) {
	c := emulator.Sound()
	c.Devices = 2
	emulator.Set(c)
	all, err := List()
	if err != nil || len(all) != 2 || !all[1].Used || all[1].ID != "cuda:1" || all[1].Capability != "9.0" || all[1].Driver != "12.8" || all[1].MemoryBytes != 1<<30 {
		t.Errorf("%+v, %v", all, err)
	}
	c.Devices = 0
	emulator.Set(c)
	if all, err := List(); err == nil {
		t.Errorf("%+v where there are none", all)
	}
}
