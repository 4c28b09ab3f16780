//go:build cuda && cudaemu && linux && (amd64 || arm64)

package device

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/cuda/emulator"
	"github.com/alia-network/alia/work/kernel"
)

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
			x := kernel.New(kernel.F32, 8192)
			for i := range x.F {
				x.F[i] = float32(i)
			}
			x = kernel.On(dev, x)
			for range 4 {
				dev.Do(&kernel.Call{Op: kernel.Add, In: []kernel.Tensor{x, x}, Out: []kernel.Tensor{x}})
			}
			if got := kernel.Local(x).F[8191]; got != 16*8191 {
				t.Errorf("%s: the sum is %v", name, got)
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
	if err != nil || len(all) != 2 || !all[1].Used || all[1].ID != "cuda:1" || all[1].Capability != "9.0" ||
		all[1].Driver != "12.8" || all[1].MemoryBytes != 1<<30 {
		t.Errorf("%+v, %v", all, err)
	}
	c.Devices = 0
	emulator.Set(c)
	if all, err := List(); err == nil {
		t.Errorf("%+v where there are none", all)
	}
}
