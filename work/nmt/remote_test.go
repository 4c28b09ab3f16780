package nmt

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/alia-network/alia/work/kernel"
)

// remote is an accelerator as the host meets it: what tensors in its memory seem to hold is NaN,
// and what they hold comes and goes by Copy. It computes on the processor.
type remote struct {
	kernel.Device
	blocks []remoteBlock
}

// remoteBlock is a piece of the memory: the slice that stands for it, and its elements.
type remoteBlock struct {
	sign []float32
	data []float32
}

func (r *remote) Alloc(t kernel.DType, n int) (kernel.Tensor, bool) {
	if t != kernel.F32 {
		return kernel.Tensor{}, false
	}
	x := kernel.New(t, n)
	for i := range x.F {
		x.F[i] = float32(math.NaN())
	}
	r.blocks = append(r.blocks, remoteBlock{x.F, make([]float32, n)})
	x.Home = r
	return x, true
}

// held is the elements of a tensor, wherever they are.
func (r *remote) held(t kernel.Tensor) []float32 {
	if t.Home == nil || len(t.F) == 0 {
		return t.F
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(t.F)))
	for _, b := range r.blocks {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(b.sign)))
		if at >= start && at < start+uintptr(4*len(b.sign)) {
			return b.data[(at-start)/4:][:len(t.F)]
		}
	}
	panic("not in the memory")
}

func (r *remote) Host() bool                         { return false }
func (r *remote) BeginAsync()                        {}
func (r *remote) EndAsync()                          {}
func (r *remote) Wait()                              {}
func (r *remote) Watched(kernel.Watch) kernel.Device { return r }
func (r *remote) Close() error                       { return nil }

func (r *remote) Copy(to, from kernel.Tensor) {
	copy(r.held(to), r.held(from))
	copy(to.I, from.I)
	copy(to.B, from.B)
}

func (r *remote) Do(c *kernel.Call) {
	here := *c
	here.In, here.Out = slices.Clone(c.In), slices.Clone(c.Out)
	for _, list := range [][]kernel.Tensor{here.In, here.Out} {
		for i := range list {
			list[i].F, list[i].Home = r.held(list[i]), nil
		}
	}
	r.Device.Do(&here)
}

func (r *remote) Group(calls []kernel.Call) {
	for i := range calls {
		r.Do(&calls[i])
	}
}

func (r *remote) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	r.Group(free)
	r.Group(calls)
}

// TestRemote: where the logits lie in the memory of a device, the host reads them only by
// copies, and every search gives the same: repetitions banned or not, with a shortlist or not,
// from its first token or behind others, with terms or without.
func TestRemote(t *testing.T) {
	p, src := sharp(), sentences(4, toy.Vocab, 12, 9)
	first, terms := make([][]int32, len(src)), make([][]Term, len(src))
	for i := range src {
		first[i] = []int32{3, 4}[:i%3]
		if i%2 == 0 {
			terms[i] = []Term{{Spellings: []Spelling{{Tokens: []int32{5, 6}}}}}
		}
	}
	edges := Edges{Joins: make([]bool, toy.Vocab), Opens: make([]bool, toy.Vocab)}
	for _, r := range []Repeats{{}, {NGram: 2}, {Penalty: 1.5}, {NGram: 1, Penalty: 2}} {
		for _, list := range []*Shortlist{nil, some(toy.Vocab)} {
			search := func(dev kernel.Device) (all [][]Scored) {
				e, p := NewEngine(dev, toy), p.On(dev)
				e.Repeats, e.Shortlist = r, list
				greedy, _, err := e.Greedy(p, src, TwicePlusTen)
				if err != nil {
					t.Fatal(err)
				}
				for _, tokens := range greedy {
					all = append(all, []Scored{{Tokens: tokens}})
				}
				for _, first := range [][][]int32{nil, first} {
					ranked, err := e.Ranked(p, src, first, TwicePlusTen, 3, 1)
					if err != nil {
						t.Fatal(err)
					}
					termed, err := e.ConstrainedRanked(p, src, first, terms, edges, TwicePlusTen, 2, 1)
					if err != nil {
						t.Fatal(err)
					}
					all = append(append(all, ranked...), termed...)
				}
				return all
			}
			dev := &remote{Device: open(t, "")}
			if got, want := search(dev), search(open(t, "")); !slices.EqualFunc(got, want, sameRanking) {
				t.Errorf("%+v, shortlist %v: %v, want %v", r, list != nil, got, want)
			}
			if len(dev.blocks) == 0 {
				t.Error("nothing is in the device's memory")
			}
		}
	}
}
