package bench

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/alia-network/alia/node/alia/gemmpeer"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
)

// GemmCase is batch products C [m,n] = A B over k, and its speeds.
type GemmCase struct {
	Class      string   `json:"class"` // large, small, attention or training
	Variant    string   `json:"variant"`
	M          int      `json:"m"`
	N          int      `json:"n"`
	K          int      `json:"k"`
	Batch      int      `json:"batch"`
	GFLOPS     float64  `json:"gflops"`
	PeerGFLOPS *float64 `json:"peer_gflops"`
	Ratio      *float64 `json:"ratio"`      // ours to the peer's
	PeakShare  *float64 `json:"peak_share"` // ours to the fma peak measured beside it
}

func (c *GemmCase) flop() float64 {
	return 2 * float64(c.M) * float64(c.N) * float64(c.K) * float64(c.Batch)
}

// GemmReport is what alia bench gemm prints. Medians are null where nothing
// was measured that they could be of.
type GemmReport struct {
	Kernels          string          `json:"kernels"`
	Threads          int             `json:"threads"`
	Peer             *gemmpeer.Hello `json:"peer"`
	PeakGFLOPS       *float64        `json:"peak_gflops"`
	MedianRatio      *float64        `json:"median_ratio"` // of the large cases
	WorstRatio       *float64        `json:"worst_ratio"`
	SmallMedianRatio *float64        `json:"small_median_ratio"`
	PeakShareMedian  *float64        `json:"peak_share_median"` // of the large cases
	TwoThreadSpeedup *float64        `json:"two_thread_speedup"`
	Cases            []GemmCase      `json:"cases"`
}

// GemmCases are the products measured. The large and the small ones are those
// that goals are set for; attention's are of 50 sentences of 20 tokens and 4
// heads; training's are the three products of each layer for 1024 tokens.
func GemmCases() []GemmCase {
	var cs []GemmCase
	add := func(class, variant string, m, n, k, batch int) {
		cs = append(cs, GemmCase{Class: class, Variant: variant, M: m, N: n, K: k, Batch: batch})
	}
	variants := []string{"NN", "NT", "TN"}
	for _, s := range [][3]int{{256, 512, 512}, {512, 512, 512}, {1024, 1024, 1024}, {256, 2048, 512}, {1024, 512, 2048}, {256, 6000, 1024}} {
		for _, v := range variants {
			add("large", v, s[0], s[1], s[2], 1)
		}
	}
	for _, n := range []int{64, 96, 128} {
		for _, v := range variants {
			add("small", v, n, n, n, 32)
		}
	}
	add("attention", "NT", 20, 20, 32, 200)
	add("attention", "NN", 20, 32, 20, 200)
	add("attention", "TN", 20, 32, 20, 200)
	const tokens = 1024
	for _, s := range [][2]int{{128, 128}, {128, 256}, {256, 256}, {256, 1024}, {128, 6000}, {256, 6000}} {
		in, out := s[0], s[1]
		add("training", "NN", tokens, out, in, 1)
		add("training", "NT", tokens, in, out, 1)
		add("training", "TN", in, out, tokens, 1)
	}
	return cs
}

// Gemm measures products of a device and of the peer, if there is one.
type Gemm struct {
	Device  kernel.Device
	Threads int
	Peer    *gemmpeer.Baseline // nil for none
	Rounds  int                // of a case: ours, the peer's and the peak, by turns
	Sample  time.Duration      // the least time of one measurement
}

// limit is the time of a case after which no round is begun.
func (b *Gemm) limit() time.Duration { return 16 * time.Duration(b.Rounds) * b.Sample }

// Run measures the cases, and writes the speeds into them.
func (b *Gemm) Run(ctx context.Context, cases []GemmCase) (*GemmReport, error) {
	r := &GemmReport{Kernels: b.Device.Name(), Threads: b.Threads, Cases: cases}
	if b.Peer != nil {
		r.Peer = &b.Peer.Hello
	}
	var peaks []float64
	for i := range r.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		peak, err := b.measure(&r.Cases[i])
		if err != nil {
			return nil, err
		}
		if peak > 0 {
			peaks = append(peaks, peak)
		}
	}
	pick := func(class string, of func(c *GemmCase) *float64) (xs []float64) {
		for i := range r.Cases {
			if c := &r.Cases[i]; c.Class == class && of(c) != nil {
				xs = append(xs, *of(c))
			}
		}
		return xs
	}
	set := func(to **float64, xs []float64, f func([]float64) float64) {
		if len(xs) > 0 {
			x := f(xs)
			*to = &x
		}
	}
	set(&r.PeakGFLOPS, peaks, median)
	ratio := func(c *GemmCase) *float64 { return c.Ratio }
	set(&r.MedianRatio, pick("large", ratio), median)
	set(&r.WorstRatio, pick("large", ratio), slices.Min[[]float64])
	set(&r.SmallMedianRatio, pick("small", ratio), median)
	set(&r.PeakShareMedian, pick("large", func(c *GemmCase) *float64 { return c.PeakShare }), median)
	if runtime.NumCPU() > 1 && b.Device.Host() {
		speedup, err := b.twoThreadSpeedup()
		if err != nil {
			return nil, err
		}
		r.TwoThreadSpeedup = &speedup
	}
	return r, nil
}

// measure takes the speeds of a case. It alternates between this program and the peer, so that other load on
// the machine slows both alike. It returns the peak in GFLOP/s, or 0 if the peak is not measured.
func (b *Gemm) measure(c *GemmCase) (peak float64, err error) {
	call := gemmCall(b.Device, c)
	b.Device.Do(&call)
	once := b.time(1, func() { b.Device.Do(&call) }) // the first had cold caches
	repeats := max(1, int(b.Sample.Seconds()/max(once, 1e-6)))
	var ours, theirs, ratios, peaks, shares []float64
	for began, round := time.Now(), 0; round < b.Rounds && (round == 0 || time.Since(began) < b.limit()); round++ {
		b.Device.Do(&call) // the peer warms up too
		seconds := b.time(repeats, func() { b.Device.Do(&call) })
		ours = append(ours, seconds)
		if b.Threads == 1 && b.Device.Host() {
			if peak := b.peak(kernel.FmaPeak); peak > 0 {
				peaks, shares = append(peaks, peak), append(shares, c.flop()/seconds/1e9/peak)
			}
		}
		if b.Peer != nil {
			reply, err := b.Peer.Time(gemmpeer.Request{Variant: c.Variant, M: c.M, N: c.N, K: c.K, Batch: c.Batch, Repeats: repeats, Threads: b.Threads})
			if err != nil {
				return 0, err
			}
			took := reply.CPU
			if b.Threads > 1 {
				took = reply.Wall
			}
			theirs = append(theirs, took/float64(repeats))
			ratios = append(ratios, took/float64(repeats)/seconds)
		}
	}
	c.GFLOPS = c.flop() / median(ours) / 1e9
	if b.Peer != nil {
		speed, ratio := c.flop()/median(theirs)/1e9, median(ratios)
		c.PeerGFLOPS, c.Ratio = &speed, &ratio
	}
	if len(shares) > 0 {
		share := median(shares)
		c.PeakShare = &share
	}
	return median(peaks), nil
}

// time is the seconds that f takes on average: of the processor on one
// thread, of the wall clock on more and on a GPU.
func (b *Gemm) time(repeats int, f func()) float64 {
	cpu, wall := machine.CPUSeconds(), time.Now()
	for range repeats {
		f()
	}
	kernel.Wait(b.Device)
	took := machine.CPUSeconds() - cpu
	if b.Threads > 1 || took <= 0 || !b.Device.Host() {
		took = time.Since(wall).Seconds()
	}
	return took / float64(repeats)
}

// peak is the GFLOP/s of loop, arithmetic on registers alone; 0 where dev has no such loop.
func (b *Gemm) peak(loop func(kernel.Device, int) uint64) float64 {
	flop := 0.0
	rounds := int(b.Sample.Seconds() * 5e7) // takes less than a sample
	seconds := b.time(1, func() { flop = float64(loop(b.Device, rounds)) })
	return flop / seconds / 1e9
}

// gemmCall is the call of a case: one product is a MatMul, a batch the
// attention row of that variant. Each entry is a segment, or with attention's
// four heads a quarter of one. Its tensors are where dev computes on them best.
func gemmCall(dev kernel.Device, c *GemmCase) kernel.Call {
	variants := map[string]kernel.Op{"NT": kernel.AttnScores, "NN": kernel.AttnMix, "TN": kernel.AttnMixT}
	m, n, k := c.M, c.N, c.K
	a, b := [2]int{m, k}, [2]int{k, n}
	switch c.Variant {
	case "NT":
		b = [2]int{n, k}
	case "TN":
		a = [2]int{k, m}
	}
	tensor := func(shape ...int) kernel.Tensor {
		t := kernel.New(kernel.F32, shape...)
		fill(t.F)
		return kernel.On(dev, t)
	}
	call := kernel.Call{Op: kernel.MatMul, Attr: kernel.Attr{Trans: map[string]kernel.Trans{"NT": kernel.NT, "TN": kernel.TN}[c.Variant]}}
	if c.Batch == 1 {
		call.In = []kernel.Tensor{tensor(a[:]...), tensor(b[:]...)}
	} else {
		heads := 1
		if c.Class == "attention" {
			heads = 4
		}
		queries, keys := m, n
		switch c.Variant {
		case "NN":
			keys = k
		case "TN":
			queries, keys = k, m
		}
		segments := c.Batch / heads
		seg := kernel.New(kernel.I32, segments, 4)
		for i := range segments {
			copy(seg.I[4*i:], []int32{int32(i * queries), int32(queries), int32(i * keys), int32(keys)})
		}
		call.Op, call.Attr = variants[c.Variant], kernel.Attr{Heads: heads}
		if c.Variant == "NT" {
			call.In = []kernel.Tensor{tensor(segments*m, heads*k), tensor(segments*n, heads*k), seg}
		} else {
			call.In = []kernel.Tensor{tensor(c.Batch * m * k), tensor(segments*k, heads*n), seg}
		}
	}
	out, err := kernel.Infer(call.Op, call.Attr, call.In)
	if err != nil {
		panic(err) // the cases are ours
	}
	call.Out = []kernel.Tensor{on(dev, out[0].Shape...)}
	return call
}

// on is a tensor of zeros where dev computes on it best.
func on(dev kernel.Device, shape ...int) kernel.Tensor {
	t := kernel.Tensor{Shape: shape}
	t = kernel.Alloc(dev, kernel.F32, t.Len())
	t.Shape = shape
	return t
}

// twoThreadSpeedup is how much sooner large products are done by two threads
// than by one: the median of samples of each by turns, in wall time, so that
// it is for an idle machine to measure.
func (b *Gemm) twoThreadSpeedup() (float64, error) {
	call := gemmCall(b.Device, &GemmCase{Variant: "NN", M: 1024, N: 1024, K: 1024, Batch: 1})
	var devs [2]kernel.Device
	for i := range devs {
		dev, err := kernel.Open(b.Device.Name(), i+1)
		if err != nil {
			return 0, err
		}
		devs[i] = dev
	}
	var ratios []float64
	for began, round := time.Now(), 0; round < 3*b.Rounds && (round == 0 || time.Since(began) < b.limit()); round++ {
		var took [2]float64 // seconds of a product
		for i, dev := range devs {
			began, repeats := time.Now(), 0
			for repeats == 0 || time.Since(began) < b.Sample {
				dev.Do(&call)
				repeats++
			}
			took[i] = time.Since(began).Seconds() / float64(repeats)
		}
		ratios = append(ratios, took[0]/took[1])
	}
	return median(ratios), nil
}

// median is the middle of xs, 0 of none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
