package nmt

import (
	"fmt"
	"testing"
	"time"

	"github.com/alia-network/alia/work/kernel"
)

// tiny is the peer's preset: see work/train.
var tiny = Config{Vocab: 6000, Dim: 128, FFN: 256, Heads: 4, Encoder: 4, Decoder: 4, Dropout: 0.3, Smoothing: 0.1}

// fixed draws n sentences of length tokens.
func fixed(seed uint32, vocab, n, length int) [][]int32 {
	all := make([][]int32, n)
	for i := range all {
		for j := range length {
			w := kernel.Philox([4]uint32{uint32(i), uint32(j)}, [2]uint32{seed})
			all[i] = append(all[i], int32(EOS+1+int(w[0]%uint32(vocab-EOS-1))))
		}
	}
	return all
}

// stopwatch is a device of one thread that measures the time spent in each row.
type stopwatch struct {
	kernel.Device
	start time.Time
	spent map[string]time.Duration
}

func newStopwatch(dev kernel.Device) *stopwatch {
	s := &stopwatch{spent: map[string]time.Duration{}}
	s.Device = kernel.Watched(dev, s.watch)
	return s
}

func (s *stopwatch) watch(_ int, c *kernel.Call, _ float64, before bool) {
	if before {
		s.start = time.Now()
		return
	}
	name := c.Op.String()
	if c.Op == kernel.MatMul {
		name += [...]string{".NN", ".NT", ".TN"}[c.Attr.Trans]
	}
	s.spent[name] += time.Since(s.start)
}

func (s *stopwatch) report(b *testing.B) {
	for name, d := range s.spent {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N), "us-"+name)
	}
}

// each runs a benchmark on every device but the portable one, which is for
// conformance, not for work.
func each(b *testing.B, run func(b *testing.B, s *stopwatch)) {
	for _, dev := range devices(b) {
		if dev.Name() != "portable" {
			b.Run(dev.Name(), func(b *testing.B) {
				run(b, newStopwatch(dev))
			})
		}
	}
}

// BenchmarkGradient is a training batch of 1,022 target tokens on one thread.
// It reports target tokens per second and the time in each row.
func BenchmarkGradient(b *testing.B) { each(b, benchmarkGradient) }

func benchmarkGradient(b *testing.B, s *stopwatch) {
	e, p := NewEngine(s, tiny), Init(tiny, 1)
	batch := Batch{Source: fixed(1, tiny.Vocab, 73, 13), Target: fixed(2, tiny.Vocab, 73, 13)}
	if _, err := e.Gradient(p, []Batch{batch}, DropoutKey{}); err != nil {
		b.Fatal(err)
	}
	clear(s.spent)
	b.ReportAllocs()
	var cost uint64
	for b.Loop() {
		g, err := e.Gradient(p, []Batch{batch}, DropoutKey{})
		if err != nil {
			b.Fatal(err)
		}
		cost += g.Cost
	}
	b.ReportMetric(float64(batch.Tokens()*b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(cost)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	s.report(b)
}

// BenchmarkGreedy translates sentences of 13 tokens into 14 each on one thread,
// 64 side by side and one alone, in binary32 and in int8.
func BenchmarkGreedy(b *testing.B) {
	for _, n := range []int{64, 1} {
		for l, name := range []string{transposed: "binary32", coded: "int8"} {
			if name != "" {
				b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
					each(b, func(b *testing.B, s *stopwatch) { benchmarkGreedy(b, s, n, layout(l)) })
				})
			}
		}
	}
}

func benchmarkGreedy(b *testing.B, s *stopwatch, n int, l layout) {
	e, p := NewEngine(s, tiny), prepared(b, tiny, Init(tiny, 1), l)
	src := fixed(1, tiny.Vocab, n, 13)
	tokens := 0
	for b.Loop() {
		out, _, err := e.Greedy(p, src, func(n int) int { return n + 1 })
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range out {
			tokens += len(o)
		}
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
	s.report(b)
}
