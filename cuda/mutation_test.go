package cuda

import (
	"cmp"
	"os"
	"slices"
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/cuda/ptx"
	"github.com/alia-network/alia/work/kernel"
)

// trial is a call with the result it must have, and what runs it.
type trial struct {
	call, want kernel.Call
	launches   func(*kernel.Call) ([]Launch, error)
	shift      int
}

// trialsOf makes, for every kernel, calls that use it.
func trialsOf(t *testing.T) map[string][]trial {
	t.Helper()
	ref := reference(t)
	all := map[string][]trial{}
	add := func(c kernel.Call, shift int, launcher func(*kernel.Call) ([]Launch, error)) {
		want := calls.Clone(&c, nil)
		ref.Do(&want)
		launches, err := launcher(&c)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range launches {
			all[l.Kernel] = append(all[l.Kernel], trial{c, want, launcher, shift})
		}
	}
	for op := kernel.Op(1); int(op) < len(kernel.Ops); op++ {
		for i := range 14 {
			if op != kernel.MatMul && launchers[op] != nil {
				add((&calls.Dice{Seed: uint32(op)<<16 + uint32(i), Wild: i%4 == 3, Still: i%7 == 6}).Call(op), i%2,
					Launches)
			}
		}
	}
	for _, s := range products {
		for trans := range kernel.Trans(3) {
			c := s.call(trans)
			add(c, s.shift, func(c *kernel.Call) ([]Launch, error) {
				return one(product(s.module, s.down, s.across, s.threads, c)), nil
			})
		}
	}
	for _, x := range append(codeProducts(), gradientEdges()...) {
		add(x.call(), x.shift, x.launches)
	}
	for _, c := range peaks() {
		add(c, 0, Launches)
	}
	for _, list := range all { // cheap ones first, since most faults show in any
		slices.SortStableFunc(list,
			func(x, y trial) int { return cmp.Compare(kernel.Cost(&x.call), kernel.Cost(&y.call)) })
	}
	return all
}

// products are what the kernels of products are tried with: edges at every
// place of a thread's outputs, K of less than a step, whole ones, and a tail.
var products = func() (list []attempt) {
	for _, tiles := range []attempt{
		{module: "matmul8", down: 8, across: 64, threads: 64},
		{module: "matmul64", down: 64, across: 64, threads: 64},
		{module: "matmul128", down: 128, across: 128, threads: 256},
	} {
		for _, s := range []sizes{
			{1, 1, 1, 0, false}, {2, 2, 1, 0, false}, {3, 7, 2, 1, false}, {5, 6, 11, 0, true},
			{33, 34, 1, 0, false}, {34, 35, 1, 1, false},
			{35, 37, 1, 0, false}, {66, 67, 1, 0, false}, {67, 65, 1, 1, false}, {69, 70, 1, 0, false},
			{98, 97, 1, 1, false}, {99, 98, 1, 0, false},
			{97, 99, 1, 0, false}, {68, 64, 24, 0, false}, {9, 36, 3, 0, false}, {70, 100, 2, 0, false},
			{13, 66, 33, 0, false}, {9, 67, 64, 1, false}, {132, 128, 16, 0, false}, {127, 130, 17, 1, false},
		} {
			tiles.sizes = s
			list = append(list, tiles)
		}
	}
	return list
}()

// attempt is a product on tiles of a size.
type attempt struct {
	sizes
	module                string
	down, across, threads int
}

// sizes of a product, where its operands lie, and whether they are zeros.
type sizes struct {
	m, n, k, shift int
	still          bool
}

func (s sizes) call(trans kernel.Trans) kernel.Call {
	d := &calls.Dice{Seed: uint32(s.m), Still: s.still}
	a, b := []int{s.m, s.k}, []int{s.k, s.n}
	if trans == kernel.TN {
		a[0], a[1] = a[1], a[0]
	}
	if trans == kernel.NT {
		b[0], b[1] = b[1], b[0]
	}
	c := kernel.Call{
		Op: kernel.MatMul, Attr: kernel.Attr{Trans: trans}, In: []kernel.Tensor{d.Floats(a...), d.Floats(b...)},
	}
	calls.Allocate(&c)
	return c
}

// caught says how a mutant shows, empty when it does not.
func caught(dev *emulated, m *mutant, trials []trial, budget int64) string {
	module, err := ptx.Parse(m.text)
	if err != nil {
		return err.Error()
	}
	sound := dev.modules[m.module]
	dev.modules[m.module] = module
	defer func() { dev.modules[m.module] = sound }()
	for _, x := range trials {
		c := calls.Clone(&x.call, nil)
		dev.launches, dev.shift, dev.budget = x.launches, x.shift, budget
		if err := dev.run(&c); err != nil {
			return err.Error()
		}
		if at := calls.Differ(c.Out, x.want.Out); at != "" {
			return at
		}
	}
	return ""
}

// TestMutations plants faults in the kernels one at a time: operands and
// branches exchanged, barriers, guards and stores taken away, comparisons,
// operations, constants and offsets changed, an fma rounded twice. At least nine
// of ten must show. Without ALIA_SOAK a fixed sample is planted.
//
// All of them were planted once, and 96 % showed. Survivors are mostly of kinds
// that no result can show: an index of what is read in place of elements that do
// not exist, and is thrown away; the choice between a vector load and four
// single ones; how work is shared among blocks; a comparison whose two sides have
// one outcome where its operands are equal, as of a maximum; a distance of a
// butterfly that reaches the same lanes. The others are last bits of constants,
// which move a result for few numbers, and loops that no trial is large enough
// for.
func TestMutations(t *testing.T) {
	dev, all := newEmulated(t), trialsOf(t)
	every := trials(53, 1)
	planted, missed, n := 0, 0, 0
	for _, name := range Modules() {
		text, err := PTX(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mutants(name, text) {
			if n++; n%every != 0 {
				continue
			}
			planted++
			how := caught(dev, &m, all[m.kernel], 1<<20)
			if how == "" {
				missed++
				t.Logf("survives: %v", &m)
			} else if os.Getenv("ALIA_MUTANTS") != "" {
				t.Logf("%v: %s", &m, how)
			}
		}
	}
	t.Logf("%d of %d planted faults caught, %.1f %%", planted-missed, planted,
		100*float64(planted-missed)/float64(planted))
	if planted < 100 || 10*missed > planted {
		t.Errorf("%d of %d planted faults are not caught, at most one of ten may be", missed, planted)
	}
}

// TestTrials holds the calls of the mutation test against sound kernels, each
// of which has some.
func TestTrials(t *testing.T) {
	dev, all := newEmulated(t), trialsOf(t)
	for _, name := range Modules() {
		text, err := PTX(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range dev.modules[name].Kernels() {
			if len(all[k.Name]) == 0 {
				t.Errorf("no call uses kernel %s", k.Name)
			}
			m := mutant{module: name, kernel: k.Name, text: text}
			if how := caught(dev, &m, all[k.Name], 1<<20); how != "" {
				t.Errorf("%s as it is: %s", k.Name, how)
			}
		}
	}
}
