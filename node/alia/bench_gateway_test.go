package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestBenchGatewayRefuses: wrong options are refused before anything is measured.
func TestBenchGatewayRefuses(t *testing.T) {
	for _, args := range []string{"--clients 0", "--clients 1,257", "--seconds 0", "--pages 1001", "--runs 0", "--interval 1ms", "--preset huge", "--model nowhere"} {
		a := &app{stdout: io.Discard, stderr: io.Discard, log: slog.New(slog.DiscardHandler)}
		cmd := newBenchGateway(a)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(strings.Fields(args))
		want := strings.Fields(args)[0]
		if want == "--model" {
			want = "no model nowhere"
		}
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
