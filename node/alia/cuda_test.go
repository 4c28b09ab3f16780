//go:build cuda && cudaemu

package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCUDA runs the scenarios in testdata/cuda on an emulated device. What is
// not asked to compute on it computes on the processor.
func TestCUDA(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cuda",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			e.Setenv("ALIA_CUDA", "emulator")
			e.Setenv("ALIA_DEVICE", "cpu")
			return writeCorpus(filepath.Join(e.WorkDir, "corpus"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": checkStatus, "same": checkSame, "keep": keepField},
	})
}
