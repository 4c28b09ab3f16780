package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestBenchLedgerCommand runs the command for a moment, and checks that each figure is
// there.
func TestBenchLedgerCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("floods a ledger for seconds: go test without -short does")
	}
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: io.Discard, json: true, log: slog.New(slog.DiscardHandler)}
	cmd := newBenchLedger(a)
	cmd.SetArgs([]string{"--seconds", "1", "--interval", "100ms", "--accounts", "1000"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	var figures map[string]float64
	if err := json.Unmarshal(out.Bytes(), &figures); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"validators", "heights", "slots", "seconds", "slots_per_second", "transactions_per_second", "proof_bytes_p99", "apply_share", "height_seconds"} {
		if figures[key] <= 0 {
			t.Errorf("%s is %v in %s", key, figures[key], out.String())
		}
	}
	if _, ok := figures["state_bytes_per_million_units"]; !ok {
		t.Errorf("no state_bytes_per_million_units in %s", out.String())
	}
}

// TestBenchLedgerRefuses: wrong options are refused before anything is measured.
func TestBenchLedgerRefuses(t *testing.T) {
	for _, args := range []string{"--validators 0", "--validators 17", "--seconds 0", "--interval 1ms", "--accounts 999"} {
		a := &app{stdout: io.Discard, stderr: io.Discard, log: slog.New(slog.DiscardHandler)}
		cmd := newBenchLedger(a)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(strings.Fields(args))
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), strings.Fields(args)[0]) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
