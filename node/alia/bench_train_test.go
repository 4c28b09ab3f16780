package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
