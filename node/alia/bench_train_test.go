package main

import (
	"bytes"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
)

// TestBenchTrain takes a few small steps on two threads and checks what they
// add up to.
func TestBenchTrain(t *testing.T) {
	dev, err := kernel.Open("", 2)
	if err != nil {
		t.Fatal(err)
	}
	b := trainBench{dev: dev, threads: 2, steps: 2}
	if err := b.configure(&trainBenchOptions{preset: "demo", batchTokens: 200}); err != nil {
		t.Fatal(err)
	}
	b.synthesise()
	r, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 2 || r.TargetTokens < 250 || r.TargetTokens > 400 || r.Params < 100_000 {
		t.Errorf("the report is %+v", r)
	}
	if r.PerSecond <= 0 || r.GemmShare <= 0 || r.GemmShare >= 1 {
		t.Errorf("the report is %+v", r)
	}
	if machine.CPUSeconds() > 0 && (r.PerCPUSecond <= 0 || r.PeakRSS < 1<<20) {
		t.Errorf("the report is %+v", r)
	}
	share, calls := 0.0, map[string]float64{}
	for _, o := range b.profile.Operations(b.watched) {
		share += o.Share
		calls[o.Name] = o.Calls
	}
	// demo has 2 layers a side; whatever the workers share is whole calls.
	if math.Abs(share-1) > 1e-9 || math.Abs(calls["AttnScores"]-12) > 1e-9 || math.Abs(calls["MatMul NN"]-33) > 1e-9 {
		t.Errorf("shares add up to %v, calls are %v", share, calls)
	}
}

// TestBenchTrainCommand runs the command with a corpus and a profile.
func TestBenchTrainCommand(t *testing.T) {
	dir := t.TempDir()
	if err := writeCorpus(filepath.Join(dir, "corpus")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: io.Discard, json: true, log: slog.New(slog.DiscardHandler)}
	cmd := newBenchTrain(a)
	svg := filepath.Join(dir, "f.svg")
	cmd.SetArgs([]string{"--preset", "demo", "--steps", "1", "--batch-tokens", "64", "--corpus", filepath.Join(dir, "corpus"), "--src", "en", "--tgt", "de", "--profile", svg})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"target_tokens_per_cpu_second", "target_tokens_per_second", "gemm_share", "peak_rss_bytes", "params", "steps", "operations"} {
		if !strings.Contains(out.String(), `"`+key+`":`) {
			t.Errorf("no %s in %s", key, out.String())
		}
	}
	if data, err := os.ReadFile(svg); err != nil || !bytes.HasPrefix(data, []byte("<svg")) {
		t.Errorf("the flame graph: %v, %.20q", err, data)
	}
}
