package bench

import (
	"context"
	"slices"
	"time"

	"github.com/alia-network/alia/work/kernel"
)

// CodesCase is a product of a projection from In to Out columns in training with 8-bit codes,
// and its speed beside the same product of binary32 numbers.
type CodesCase struct {
	Product     string   `json:"product"` // forward, input (its gradient) or weight (its gradient)
	Tokens      int      `json:"tokens"`
	In          int      `json:"in"`
	Out         int      `json:"out"`
	GOPS        float64  `json:"gops"`         // of codes
	ChainGFLOPS float64  `json:"chain_gflops"` // of binary32 numbers
	Ratio       float64  `json:"ratio"`        // of the two speeds, measured alternately
	PeakShare   *float64 `json:"peak_share"`   // of the peak for codes, measured beside it
}

func (c *CodesCase) ops() float64 { return 2 * float64(c.Tokens) * float64(c.In) * float64(c.Out) }

// CodesReport is what alia bench gemm --arithmetic int8 prints.
type CodesReport struct {
	Kernels         string      `json:"kernels"`
	Threads         int         `json:"threads"`
	PeakGOPS        *float64    `json:"peak_gops"` // null where nothing measures it
	MedianRatio     float64     `json:"median_ratio"`
	WorstRatio      float64     `json:"worst_ratio"`
	PeakShareMedian *float64    `json:"peak_share_median"`
	WorstPeakShare  *float64    `json:"worst_peak_share"`
	Cases           []CodesCase `json:"cases"`
}

// CodesCases are the products measured: the three of each projection.
func CodesCases() []CodesCase {
	var cs []CodesCase
	for _, s := range [][3]int{{256, 512, 512}, {1024, 512, 512}, {1024, 512, 2048}, {1024, 2048, 512}, {1024, 1024, 1024}, {4096, 512, 2048}} {
		for _, product := range []string{"forward", "input", "weight"} {
			cs = append(cs, CodesCase{Product: product, Tokens: s[0], In: s[1], Out: s[2]})
		}
	}
	return cs
}

// RunCodes measures the cases, and writes the speeds into them.
func (b *Gemm) RunCodes(ctx context.Context, cases []CodesCase) (*CodesReport, error) {
	r := &CodesReport{Kernels: b.Device.Name(), Threads: b.Threads, Cases: cases}
	var peaks, shares, ratios []float64
	for i := range r.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := &r.Cases[i]
		peaks = append(peaks, b.measureCodes(c)...)
		ratios = append(ratios, c.Ratio)
		if c.PeakShare != nil {
			shares = append(shares, *c.PeakShare)
		}
	}
	r.MedianRatio, r.WorstRatio = median(ratios), slices.Min(ratios)
	if len(shares) > 0 {
		peak, share, worst := median(peaks), median(shares), slices.Min(shares)
		r.PeakGOPS, r.PeakShareMedian, r.WorstPeakShare = &peak, &share, &worst
	}
	return r, nil
}

// measureCodes measures the speeds of a case, codes and binary32 alternately. It returns the peaks.
func (b *Gemm) measureCodes(c *CodesCase) (peaks []float64) {
	codes, numbers := codesCalls(b.Device, c)
	once := b.time(1, func() { b.Device.Do(&codes); b.Device.Do(&numbers) })
	repeats := max(1, int(b.Sample.Seconds()/max(once, 1e-6)))
	var ours, chains, ratios, shares []float64
	for began, round := time.Now(), 0; round < b.Rounds && (round == 0 || time.Since(began) < b.limit()); round++ {
		seconds := b.time(repeats, func() { b.Device.Do(&codes) })
		chain := b.time(repeats, func() { b.Device.Do(&numbers) })
		ours, chains, ratios = append(ours, seconds), append(chains, chain), append(ratios, chain/seconds)
		if b.Threads == 1 && b.Device.Host() {
			if peak := b.peak(kernel.DotPeak); peak > 0 {
				peaks, shares = append(peaks, peak), append(shares, c.ops()/seconds/1e9/peak)
			}
		}
	}
	c.GOPS, c.ChainGFLOPS, c.Ratio = c.ops()/median(ours)/1e9, c.ops()/median(chains)/1e9, median(ratios)
	if len(shares) > 0 {
		share := median(shares)
		c.PeakShare = &share
	}
	return peaks
}

// codesCalls is a case as a product of codes and as one of numbers. The codes are made here:
// making them is not measured.
func codesCalls(dev kernel.Device, c *CodesCase) (codes, numbers kernel.Call) {
	do := func(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) kernel.Call {
		out, err := kernel.Infer(op, a, in)
		if err != nil {
			panic(err) // the cases are ours
		}
		call := kernel.Call{Op: op, Attr: a, In: in}
		for _, t := range out {
			x := kernel.Alloc(dev, t.Type, t.Len())
			x.Shape = t.Shape
			call.Out = append(call.Out, x)
		}
		dev.Do(&call)
		return call
	}
	random := func(shape ...int) kernel.Tensor {
		t := kernel.New(kernel.F32, shape...)
		fill(t.F)
		return kernel.On(dev, t)
	}
	x, w, dy := random(c.Tokens, c.In), random(c.In, c.Out), random(c.Tokens, c.Out)
	weight := do(kernel.QuantizeWeight, kernel.Attr{}, w).Out
	rows := do(kernel.QuantizeRows, kernel.Attr{}, x).Out
	switch c.Product {
	case "forward":
		return do(kernel.Linear8, kernel.Attr{}, rows[0], rows[1], weight[0], weight[1], random(c.Out)),
			do(kernel.MatMul, kernel.Attr{}, x, w)
	case "input":
		scaled := do(kernel.QuantizeScaledRows, kernel.Attr{}, dy, weight[1]).Out
		return do(kernel.Linear8, kernel.Attr{}, scaled[0], scaled[1], weight[2], random(c.In), random(c.In)),
			do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, dy, w)
	}
	scaled := do(kernel.QuantizeScaledColumns, kernel.Attr{}, dy, rows[1]).Out
	return do(kernel.Linear8WeightGrad, kernel.Attr{}, rows[0], scaled[0], scaled[1]),
		do(kernel.MatMul, kernel.Attr{Trans: kernel.TN}, x, dy)
}
