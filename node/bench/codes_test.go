package bench

import (
	"testing"
	"time"

	"github.com/alia-network/alia/work/kernel"
)

func TestCodesReport(t *testing.T) {
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		b := Gemm{Device: dev, Threads: 1, Rounds: 2, Sample: time.Millisecond}
		var cases []CodesCase
		for _, product := range []string{"forward", "input", "weight"} {
			cases = append(cases, CodesCase{Product: product, Tokens: 5, In: 7, Out: 3})
		}
		r, err := b.RunCodes(t.Context(), cases)
		if err != nil {
			t.Fatal(err)
		}
		if measured := kernel.DotPeak(dev, 1) > 0; (r.PeakGOPS != nil) != measured || (r.WorstPeakShare != nil) != measured {
			t.Errorf("%s: peak %v, share %v", name, r.PeakGOPS, r.WorstPeakShare)
		}
		for _, c := range r.Cases {
			if !(c.GOPS > 0) || !(c.ChainGFLOPS > 0) || !(c.Ratio > 0) {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

func TestCodesCalls(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, product := range []string{"forward", "input", "weight"} {
		c := CodesCase{Product: product, Tokens: 5, In: 7, Out: 3}
		codes, numbers := codesCalls(dev, &c)
		if float64(kernel.Cost(&codes)) != c.ops() || float64(kernel.Cost(&numbers)) != c.ops() {
			t.Errorf("%s: the calls cost %d and %d, want %v", product, kernel.Cost(&codes), kernel.Cost(&numbers), c.ops())
		}
		if len(codes.Out[0].F) != len(numbers.Out[0].F) {
			t.Errorf("%s: %d and %d elements", product, len(codes.Out[0].F), len(numbers.Out[0].F))
		}
		// Codes are near the numbers. A bias was added to the forward product.
		for i, x := range codes.Out[0].F {
			if d := x - numbers.Out[0].F[i]; product == "weight" && (d > 0.05 || d < -0.05) {
				t.Errorf("weight: element %d is %v by codes, %v by numbers", i, x, numbers.Out[0].F[i])
			}
		}
	}
}
