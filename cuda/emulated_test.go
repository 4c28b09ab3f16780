package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/alia-network/alia/cuda/ptx"
	"github.com/alia-network/alia/work/kernel"
)

// emulated is a kernel.Device that runs what Launches gives in cuda/ptx, and rows
// without a kernel on the host, as a real one does.
type emulated struct {
	host     kernel.Device // nil to refuse such rows
	modules  map[string]*ptx.Module
	launches func(*kernel.Call) ([]Launch, error)
	shift    int   // elements from an aligned address that tensors begin at
	budget   int64 // instructions of a launch, 0 for no limit
}

func newEmulated(t testing.TB) *emulated {
	t.Helper()
	d := &emulated{host: reference(t), modules: map[string]*ptx.Module{}, launches: Launches}
	for _, name := range Modules() {
		text, err := PTX(name)
		if err != nil {
			t.Fatal(err)
		}
		if d.modules[name], err = ptx.Parse(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return d
}

func (d *emulated) Name() string { return "emulated" }

func (d *emulated) Host() bool { return true }

func (d *emulated) Do(c *kernel.Call) {
	if launchers[c.Op] == nil && d.host != nil {
		d.host.Do(c)
		return
	}
	if err := d.run(c); err != nil {
		panic(err)
	}
}

func (d *emulated) Group(calls []kernel.Call) {
	for i := range calls {
		d.Do(&calls[i])
	}
}

func (d *emulated) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	d.Group(calls)
	d.Group(free)
}

// run computes c in memory of its own. Storage that tensors share is shared
// there too.
func (d *emulated) run(c *kernel.Call) error {
	launches, err := d.launches(c)
	if err != nil {
		return err
	}
	mem := ptx.NewAddressSpace()
	places := map[any]uint64{}
	place := func(t *kernel.Tensor, load bool) (uint64, error) {
		key := storage(t)
		addr, placed := places[key]
		if !placed {
			size := elementSize(t)
			addr = mem.Alloc((d.shift+t.Len())*size) + uint64(d.shift*size)
			places[key] = addr
		}
		if !load {
			return addr, nil
		}
		return addr, mem.Write(addr, encode(t))
	}
	var in, out []uint64
	for i := range c.In {
		addr, err := place(&c.In[i], true)
		if err != nil {
			return err
		}
		in = append(in, addr)
	}
	for i := range c.Out {
		addr, _ := place(&c.Out[i], false)
		out = append(out, addr)
	}
	for _, l := range launches {
		k := d.modules[l.Module].Kernel(l.Kernel)
		if k == nil {
			return fmt.Errorf("module %s has no kernel %s", l.Module, l.Kernel)
		}
		if err := k.Launch(mem, l.Grid, l.Block, parameters(&l, in, out), d.budget); err != nil {
			return err
		}
	}
	for i := range c.Out {
		t := &c.Out[i]
		b, err := mem.Read(out[i], t.Len()*elementSize(t))
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		decode(t, b)
	}
	return nil
}

// parameters is the arguments as the block of bytes a kernel reads.
func parameters(l *Launch, in, out []uint64) []byte {
	var b []byte
	for _, a := range l.Args {
		for len(b)%a.Size() != 0 {
			b = append(b, 0)
		}
		v := a.Bits
		switch a.Kind {
		case In:
			v = in[a.Index]
		case Out:
			v = out[a.Index]
		}
		if a.Size() == 4 {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		} else {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	return b
}

func elementSize(t *kernel.Tensor) int {
	if t.Type == kernel.I8 {
		return 1
	}
	return 4
}

// storage names a tensor's storage.
func storage(t *kernel.Tensor) any {
	switch t.Type {
	case kernel.F32:
		return &t.F[0]
	case kernel.I32:
		return &t.I[0]
	}
	return &t.B[0]
}

func encode(t *kernel.Tensor) []byte {
	var b []byte
	for _, x := range t.F {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	for _, x := range t.I {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	for _, x := range t.B {
		b = append(b, byte(x))
	}
	return b
}

func decode(t *kernel.Tensor, b []byte) {
	for i := range t.F {
		t.F[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	for i := range t.I {
		t.I[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	for i := range t.B {
		t.B[i] = int8(b[i])
	}
}

// TestConformance holds every kernel to the published digests.
func TestConformance(t *testing.T) {
	if err := kernel.Check(newEmulated(t)); err != nil {
		t.Error(err)
	}
}
