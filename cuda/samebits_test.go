package cuda

import (
	"os"
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/work/kernel"
)

// trials is how many calls of a row a test makes: few, or with ALIA_SOAK many.
func trials(few, many int) int {
	if os.Getenv("ALIA_SOAK") != "" {
		return many
	}
	return few
}

// TestSameBits runs every row on awkward shapes and numbers, of which a third
// are not finite, at addresses that are aligned and not, and compares every bit
// with the reference.
func TestSameBits(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	eachRow(t, func(t *testing.T, op kernel.Op) {
		for trial := range trials(6, 100) {
			d := &calls.Dice{Seed: uint32(op)<<16 + uint32(trial), Wild: trial%3 == 2}
			c := d.Call(op)
			want := calls.Clone(&c, nil)
			ref.Do(&want)
			dev.shift = trial % 2
			if err := dev.run(&c); err != nil {
				t.Fatalf("trial %d, %s: %v", trial, calls.Shapes(&c), err)
			}
			if at := calls.Differ(c.Out, want.Out); at != "" {
				t.Fatalf("trial %d, %s: %s", trial, calls.Shapes(&c), at)
			}
		}
	})
}

// TestSameBitsTiles runs each tile size's kernels, whatever launches prefer,
// on products with ragged edges, and K of a step, of whole ones and of a tail.
func TestSameBitsTiles(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	sizes := [][3]int{
		{1, 1, 1}, {3, 70, 8}, {64, 64, 16}, {65, 63, 9}, {128, 128, 7}, {129, 68, 24}, {130, 132, 33},
		{36, 140, 520},
	}
	for _, tiles := range []struct {
		module                string
		down, across, threads int
	}{{"matmul128", 128, 128, 256}, {"matmul64", 64, 64, 64}, {"matmul8", 8, 64, 64}} {
		dev.launches = func(c *kernel.Call) ([]Launch, error) {
			return one(product(tiles.module, tiles.down, tiles.across, tiles.threads, c)), nil
		}
		for i, s := range sizes[:trials(7, len(sizes))] {
			for trans := range kernel.Trans(3) {
				d := &calls.Dice{Seed: uint32(i)}
				a, b := []int{s[0], s[2]}, []int{s[2], s[1]}
				if trans == kernel.TN {
					a[0], a[1] = a[1], a[0]
				}
				if trans == kernel.NT {
					b[0], b[1] = b[1], b[0]
				}
				c := kernel.Call{
					Op: kernel.MatMul, Attr: kernel.Attr{Trans: trans},
					In: []kernel.Tensor{d.Floats(a...), d.Floats(b...)},
				}
				calls.Allocate(&c)
				want := calls.Clone(&c, nil)
				ref.Do(&want)
				dev.shift = i % 2
				if err := dev.run(&c); err != nil {
					t.Fatalf("%s, %s: %v", tiles.module, calls.Shapes(&c), err)
				}
				if at := calls.Differ(c.Out, want.Out); at != "" {
					t.Fatalf("%s, %s: %s", tiles.module, calls.Shapes(&c), at)
				}
			}
		}
	}
}

// TestInPlace runs the rows whose outputs may lie over their inputs that way.
func TestInPlace(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	eachRow(t, func(t *testing.T, op kernel.Op) {
		for i, shared := range kernel.InPlace[op] {
			c := (&calls.Dice{Seed: uint32(op)<<16 + uint32(i)}).Call(op)
			want, got := calls.Clone(&c, nil), calls.Clone(&c, shared)
			ref.Do(&want)
			if err := dev.run(&got); err != nil {
				t.Fatalf("over %v, %s: %v", shared, calls.Shapes(&c), err)
			}
			if at := calls.Differ(got.Out, want.Out); at != "" {
				t.Fatalf("over %v, %s: %s", shared, calls.Shapes(&c), at)
			}
		}
	})
}
