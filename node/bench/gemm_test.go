package bench

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/alia-network/alia/node/alia/gemmpeer"
	"github.com/alia-network/alia/work/kernel"
)

var smallGemms = []GemmCase{
	{Class: "large", Variant: "NN", M: 3, N: 5, K: 7, Batch: 1},
	{Class: "large", Variant: "NT", M: 3, N: 5, K: 7, Batch: 1},
	{Class: "large", Variant: "TN", M: 3, N: 5, K: 7, Batch: 1},
	{Class: "small", Variant: "NN", M: 3, N: 5, K: 7, Batch: 4},
	{Class: "small", Variant: "NT", M: 3, N: 5, K: 7, Batch: 4},
	{Class: "small", Variant: "TN", M: 3, N: 5, K: 7, Batch: 4},
	{Class: "attention", Variant: "NN", M: 3, N: 5, K: 7, Batch: 8},
	{Class: "attention", Variant: "NT", M: 3, N: 5, K: 7, Batch: 8},
	{Class: "attention", Variant: "TN", M: 3, N: 5, K: 7, Batch: 8},
}

// TestGemmCalls holds the calls to the work they are said to be.
func TestGemmCalls(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(smallGemms, GemmCases()) {
		call := gemmCall(dev, &c)
		if got := float64(kernel.Cost(&call)); got != c.flop() || call.Out[0].Len() != c.M*c.N*c.Batch {
			t.Errorf("%+v: the call costs %v and gives %v elements", c, got, call.Out[0].Len())
		}
	}
}

func TestGemmReport(t *testing.T) {
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		b := Gemm{Device: dev, Threads: 1, Rounds: 2, Sample: time.Millisecond}
		r, err := b.Run(context.Background(), slices.Clone(smallGemms))
		if err != nil {
			t.Fatal(err)
		}
		if portable := name == "portable"; (r.PeakGFLOPS == nil) != portable || (r.PeakShareMedian == nil) != portable {
			t.Errorf("%s: peak %v, share %v", name, r.PeakGFLOPS, r.PeakShareMedian)
		}
		if r.MedianRatio != nil || r.WorstRatio != nil || r.SmallMedianRatio != nil {
			t.Errorf("%s: ratios to no peer: %+v", name, r)
		}
		for _, c := range r.Cases {
			if !(c.GFLOPS > 0) || c.Ratio != nil {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

// TestGemmPeer measures beside OpenBLAS, where it is installed.
func TestGemmPeer(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("there is no peer for this platform")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, gemmpeer.Program), "../alia/gemmpeer/openblas").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", dir)
	peer, err := gemmpeer.Start(t.Context())
	if errors.Is(err, gemmpeer.ErrNoLibrary) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	b := Gemm{Device: dev, Threads: 1, Peer: peer, Rounds: 2, Sample: time.Millisecond}
	r, err := b.Run(t.Context(), slices.Clone(smallGemms))
	if err != nil {
		t.Fatal(err)
	}
	if r.MedianRatio == nil || r.WorstRatio == nil || *r.WorstRatio > *r.MedianRatio || r.SmallMedianRatio == nil {
		t.Errorf("got %+v", r)
	}
	if _, err := peer.Time(gemmpeer.Request{Variant: "TT", M: 1, N: 1, K: 1, Batch: 1, Repeats: 1, Threads: 1}); err == nil {
		t.Error("a variant that is not one is no error")
	}
}

func TestGemmPeerMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := gemmpeer.Start(t.Context()); err == nil {
		t.Error("a program that is not there starts")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		want float64
		xs   []float64
	}{{0, nil}, {3, []float64{3}}, {2, []float64{3, 1}}, {2, []float64{9, 1, 2}}} {
		if got := median(c.xs); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.xs, got, c.want)
		}
	}
}
