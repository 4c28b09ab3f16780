package bench

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/kernel"
)

// TestGateway measures two clients for a moment, and checks what the figures add up to.
func TestGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("founds a network: go test without -short does")
	}
	b := GatewayBench{
		Dir: t.TempDir(), Preset: "demo", Device: func() (kernel.Device, error) { return kernel.Open("", 1) }, Threads: 1,
		Clients: []int{1, 2}, Window: 50 * time.Millisecond, Segments: 30, Sizes: []int{20, 30}, Runs: 2,
		Interval: 100 * time.Millisecond, Note: t.Logf, Log: slog.New(slog.DiscardHandler),
	}
	r, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Model == "" || r.Untrained != "demo" || r.Kernels == "" || r.Cold <= 0 || len(r.First.Runs) != 4 || r.First.Median <= 0 {
		t.Errorf("report: %+v", r)
	}
	for i, rows := range [][]LoadRow{r.Sentences, r.Documents} {
		if len(rows) != 2 {
			t.Fatalf("rows: %+v", rows)
		}
		for k, l := range rows {
			if l.Clients != k+1 || l.Requests < l.Clients || l.Segments != []int{1, 30}[i] || l.P50 <= 0 || l.P50 > l.P95 || l.P95 > l.P99 || l.P99 > l.Seconds {
				t.Errorf("row: %+v", l)
			}
			if machine.CPUSeconds() > 0 && l.CPUSeconds <= 0 {
				t.Errorf("processor time: %+v", l)
			}
		}
	}
	if len(r.Overhead) != 2 {
		t.Fatalf("comparisons: %+v", r.Overhead)
	}
	small, large := r.Overhead[0], r.Overhead[len(r.Overhead)-1]
	if here := large.Local.Seconds.Median - small.Local.Seconds.Median; here > 0 &&
		r.SteadyWall != (large.Network.Seconds.Median-small.Network.Seconds.Median)/here {
		t.Errorf("a further segment: %+v", r)
	}
	for i, o := range r.Overhead {
		if o.Segments != b.Sizes[i] || o.Wall != o.Network.Seconds.Median/o.Local.Seconds.Median || len(o.Local.CPU.Runs) != 2 ||
			o.Network.Settled.Median < o.Network.Seconds.Median {
			t.Errorf("comparison: %+v", o)
		}
	}
}

// TestDOCX: a document that the bench makes has the segments that it is asked for, and no
// two documents are the same.
func TestDOCX(t *testing.T) {
	lines := english()
	var before []string
	for number := range 3 {
		data, err := writeDOCX(paragraphs(lines, 2500, number))
		if err != nil {
			t.Fatal(err)
		}
		d, err := document.Parse("report.docx", data)
		if err != nil {
			t.Fatal(err)
		}
		texts := d.Texts()
		if len(texts) != 2500 || slices.Equal(texts, before) || len(slices.Compact(slices.Sorted(slices.Values(texts)))) < 2500 {
			t.Errorf("document %d has %d texts, the first %q", number, len(texts), texts[0])
		}
		before = texts
	}
}

// TestQuantile: as many values as the part says are at most the quantile.
func TestQuantile(t *testing.T) {
	xs := []float64{5, 1, 4, 2, 3}
	for _, c := range [][2]float64{{0, 1}, {0.2, 1}, {0.21, 2}, {0.5, 3}, {0.8, 4}, {0.95, 5}, {1, 5}} {
		if got := quantile(xs, c[0]); got != c[1] {
			t.Errorf("quantile(%v) = %v, want %v", c[0], got, c[1])
		}
	}
	if xs[0] != 5 || quantile(nil, 0.5) != 0 {
		t.Errorf("%v, %v", xs, quantile(nil, 0.5))
	}
}
