// Package profile measures where the time of a device goes: by operation, and
// as a flame graph over the parts of a model.
//
//	p := profile.New(threads, machine.ThreadTime)
//	dev = kernel.Watched(dev, p.Watch)
//	... steps ...
//	profile.Print(os.Stdout, p.Operations(steps))
//	err := p.WriteFlames(file, "preset tiny", steps)
package profile

import (
	"bufio"
	"cmp"
	"fmt"
	"html"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alia-network/alia/work/kernel"
)

// Profile is where the time of a device goes. Each of the device's threads
// writes a part of its own.
type Profile struct {
	threads []threadProfile
	clock   func() time.Duration
}

type threadProfile struct {
	began time.Duration
	spent map[site]*usage
	_     [64]byte // a cache line between threads
}

// site is an operation of a part of a model.
type site struct {
	label string // phase and module; none of the combine's
	op    string
}

// usage is the work done at a site.
type usage struct {
	time        time.Duration // of processors, or of the GPU
	calls       float64       // whole calls; threads do shares
	flop, bytes float64
}

// New returns an empty profile of a device with the given number of threads. clock
// returns the time of the thread that calls it: [machine.ThreadTime] for a
// processor, wall-clock time for a device that computes while the thread waits.
func New(threads int, clock func() time.Duration) *Profile {
	p := &Profile{threads: make([]threadProfile, threads), clock: clock}
	p.Reset()
	return p
}

// Reset empties the profile.
func (p *Profile) Reset() {
	for i := range p.threads {
		p.threads[i].spent = map[site]*usage{}
	}
}

// Watch is a [kernel.Watch]. A goroutine keeps to its thread while it is timed.
func (p *Profile) Watch(thread int, c *kernel.Call, share float64, before bool) {
	w := &p.threads[thread]
	if before {
		runtime.LockOSThread()
		w.began = p.clock()
		return
	}
	took := p.clock() - w.began
	runtime.UnlockOSThread()
	s := site{c.Label, opName(c)}
	u := w.spent[s]
	if u == nil {
		u = &usage{}
		w.spent[s] = u
	}
	u.time += took
	u.calls += share
	u.flop += share * float64(kernel.Cost(c))
	u.bytes += share * float64(traffic(c))
}

// opName is a row's name, for products with what is transposed.
func opName(c *kernel.Call) string {
	if c.Op == kernel.MatMul {
		return c.Op.String() + [...]string{" NN", " NT", " TN"}[c.Attr.Trans]
	}
	return c.Op.String()
}

// traffic is the bytes of c's operands and results, each counted once, and of a
// table's rows those that are touched.
func traffic(c *kernel.Call) int {
	in, out := c.In, c.Out
	switch c.Op {
	case kernel.Embed, kernel.Gather:
		in = in[1:] // of the table it reads what it writes
	case kernel.Scatter:
		in, out = in[1:], in[2:] // of the table it writes what it reads
	}
	n := 0
	for _, ts := range [][]kernel.Tensor{in, out} {
		for i := range ts {
			n += 4*len(ts[i].F) + 4*len(ts[i].I) + len(ts[i].B)
		}
	}
	return n
}

// sum adds up the parts of all threads for each key of their sites, and returns
// the keys sorted.
func (p *Profile) sum(key func(site) string) (keys []string, sums map[string]usage) {
	sums = map[string]usage{}
	for i := range p.threads {
		for s, u := range p.threads[i].spent {
			k := key(s)
			t := sums[k]
			sums[k] = usage{t.time + u.time, t.calls + u.calls, t.flop + u.flop, t.bytes + u.bytes}
		}
	}
	for k := range sums {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys, sums
}

// GemmShare is the part of the time spent in matrix products.
func (p *Profile) GemmShare() float64 {
	var gemm, all float64
	keys, sums := p.sum(func(s site) string { return s.op })
	for _, k := range keys {
		t := sums[k].time.Seconds()
		all += t
		if isProduct(k) || k == "AttnScores" || k == "AttnMix" || k == "AttnMixT" {
			gemm += t
		}
	}
	return gemm / max(all, 1e-9)
}

// isProduct reports whether the operation of this name is a product of two matrices, of numbers
// or of codes.
func isProduct(name string) bool {
	return strings.HasPrefix(name, "MatMul") || strings.HasPrefix(name, "Linear8")
}

// Operation is the time and cost of an operation in one step.
type Operation struct {
	Name   string  `json:"name"`
	Calls  float64 `json:"calls"`
	CPUMS  float64 `json:"cpu_ms"`
	Share  float64 `json:"share"`
	GFLOPS float64 `json:"gflops"` // by the table's cost
	GBytes float64 `json:"gbytes_per_second"`
}

// Operations lists what each operation took on average over steps, the most
// expensive first.
func (p *Profile) Operations(steps int) []Operation {
	keys, sums := p.sum(func(s site) string { return s.op })
	all := 0.0
	for _, k := range keys {
		all += sums[k].time.Seconds()
	}
	ops := make([]Operation, len(keys))
	for i, k := range keys {
		u := sums[k]
		t := max(u.time.Seconds(), 1e-9)
		ops[i] = Operation{
			Name: k, Calls: u.calls / float64(steps), CPUMS: 1000 * t / float64(steps),
			Share: t / all, GFLOPS: u.flop / t / 1e9, GBytes: u.bytes / t / 1e9,
		}
	}
	slices.SortStableFunc(ops, func(a, b Operation) int { return cmp.Compare(b.CPUMS, a.CPUMS) })
	return ops
}

// Print writes operations as a table.
func Print(w io.Writer, ops []Operation) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tcalls a step\tCPU ms\tshare\tGFLOP/s\tGB/s\t")
	for _, o := range ops {
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.1f %%\t%.1f\t%.1f\t\n", o.Name, o.Calls, o.CPUMS, 100*o.Share, o.GFLOPS, o.GBytes)
	}
	t.Flush()
}

// WriteFlames writes the profile of a number of steps as a flame graph, an SVG file.
func (p *Profile) WriteFlames(w io.Writer, title string, steps int) error {
	return p.flames(title, steps).writeSVG(w)
}

// flame is a box of a flame graph: its time, and the boxes that make it up.
type flame struct {
	name  string
	ms    float64 // in a step
	below []*flame
}

// flames is the tree from the whole through phases and modules to operations.
func (p *Profile) flames(title string, steps int) *flame {
	root := &flame{name: title}
	keys, sums := p.sum(func(s site) string {
		label := s.label
		if label == "" {
			label = "combine"
		}
		phase, module, _ := strings.Cut(label, "/")
		path := phase
		if module != "" {
			path += "/" + strings.ReplaceAll(module, ".", "/")
		}
		return path + "/" + s.op
	})
	for _, k := range keys {
		root.add(strings.Split(k, "/"), sums[k].time.Seconds()*1000/float64(steps))
	}
	root.sort()
	return root
}

func (f *flame) add(path []string, ms float64) {
	f.ms += ms
	if len(path) == 0 {
		return
	}
	for _, b := range f.below {
		if b.name == path[0] {
			b.add(path[1:], ms)
			return
		}
	}
	b := &flame{name: path[0]}
	f.below = append(f.below, b)
	b.add(path[1:], ms)
}

// sort puts phases in the order in which they run; below a phase, boxes stand by
// name.
func (f *flame) sort() {
	order := []string{"forward", "backward", "combine"}
	slices.SortStableFunc(f.below, func(a, b *flame) int {
		return cmp.Compare(slices.Index(order, a.name), slices.Index(order, b.name))
	})
}

func (f *flame) depth() int {
	d := 0
	for _, b := range f.below {
		d = max(d, b.depth())
	}
	return d + 1
}

const (
	flameWidth = 1200.0 // pixels
	flameRow   = 18
)

// writeSVG draws f with the whole at the top; a box's title shows when the
// pointer rests on it.
func (f *flame) writeSVG(w io.Writer) error {
	out := bufio.NewWriter(w)
	height := flameRow*f.depth() + 1
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" font-family="sans-serif" font-size="11">`+"\n",
		flameWidth, height, flameWidth, height)
	f.draw(out, 0, 0, flameWidth/max(f.ms, 1e-9), f.ms)
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// draw draws f and the boxes below it from x on; whole is the root's time.
func (f *flame) draw(out io.Writer, x float64, row int, scale, whole float64) {
	width := f.ms * scale
	name := html.EscapeString(f.name)
	fmt.Fprintf(out, `<g><title>%s: %.3f ms, %.2f %%</title><rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s" stroke="#fff" stroke-width="0.5"/>`,
		name, f.ms, 100*f.ms/max(whole, 1e-9), x, row*flameRow, width, flameRow, f.colour())
	if letters := int((width - 6) / 6.5); letters >= min(len(f.name), 3) {
		fmt.Fprintf(out, `<text x="%.2f" y="%d">%s</text>`, x+3, row*flameRow+13, html.EscapeString(f.name[:min(len(f.name), letters)]))
	}
	fmt.Fprintln(out, "</g>")
	for _, b := range f.below {
		b.draw(out, x, row+1, scale, whole)
		x += b.ms * scale
	}
}

// colour tells products, other operations and parts of the model apart.
func (f *flame) colour() string {
	switch {
	case len(f.below) > 0:
		return "#d9d4c5"
	case isProduct(f.name):
		return "#e07a5f"
	case strings.HasPrefix(f.name, "Attn"):
		return "#f2cc8f"
	}
	return "#81b29a"
}
