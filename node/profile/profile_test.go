package profile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/work/kernel"
)

// TestOperations: every call is counted once, however many threads share it,
// with the time of the clock.
func TestOperations(t *testing.T) {
	var now time.Duration
	p := New(2, func() time.Duration { now += 5 * time.Millisecond; return now })
	a, b, c := make([]float32, 6), make([]float32, 8), make([]float32, 12)
	product := kernel.Call{
		Op: kernel.MatMul, Label: "forward/output",
		In:  []kernel.Tensor{{Shape: []int{3, 2}, F: a}, {Shape: []int{2, 4}, F: b}},
		Out: []kernel.Tensor{{Shape: []int{3, 4}, F: c}},
	}
	watch := func(thread int, share float64) {
		p.Watch(thread, &product, share, true)
		p.Watch(thread, &product, share, false)
	}
	watch(0, 1)
	p.Reset()
	watch(0, 0.25)
	watch(1, 0.75)
	watch(1, 1)
	ops := p.Operations(2)
	if len(ops) != 1 || ops[0].Name != "MatMul NN" || ops[0].Calls != 1 || ops[0].Share != 1 || math.Abs(ops[0].CPUMS-7.5) > 1e-9 {
		t.Errorf("operations: %+v, want one of 1 call and 7.5 ms a step", ops)
	}
	if p.GemmShare() != 1 {
		t.Errorf("products take %v of the time, want all of it", p.GemmShare())
	}
	var table strings.Builder
	Print(&table, ops)
	if !strings.Contains(table.String(), "MatMul NN") || !strings.Contains(table.String(), "100.0 %") {
		t.Errorf("the table is %q", table.String())
	}
}

// TestFlames checks that a box is as wide as the boxes below it together, and
// that the graph is XML.
func TestFlames(t *testing.T) {
	p := New(1, func() time.Duration { return 0 })
	for _, s := range []site{{"forward/encoder.0.self.q", "MatMul NN"}, {"backward/encoder.0.self.q", "MatMul TN"}, {"backward/output", "MatMul TN"}, {"", "Adam"}} {
		p.threads[0].spent[s] = &usage{time: 3e6}
	}
	root := p.flames("tiny <preset>", 1)
	var names []string
	var visit func(f *flame)
	visit = func(f *flame) {
		names = append(names, f.name)
		sum := 0.0
		for _, b := range f.below {
			visit(b)
			sum += b.ms
		}
		if len(f.below) > 0 && math.Abs(sum-f.ms) > 1e-9 {
			t.Errorf("%s is %v ms, made of %v", f.name, f.ms, sum)
		}
	}
	visit(root)
	want := "tiny <preset> forward encoder 0 self q MatMul NN backward encoder 0 self q MatMul TN output MatMul TN combine Adam"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("boxes %q, want %q", got, want)
	}
	var out bytes.Buffer
	if err := root.writeSVG(&out); err != nil {
		t.Fatal(err)
	}
	boxes, d := 0, xml.NewDecoder(&out)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "title" {
			boxes++
		}
	}
	if boxes != len(names) {
		t.Errorf("%d boxes drawn, want %d", boxes, len(names))
	}
}
