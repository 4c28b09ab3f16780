//go:build cuda && cudaemu && linux && (amd64 || arm64)

package driver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/cuda/emulator"
)

// TestOpen opens drivers that cannot be used, each in a process of its own: the
// reason is one line, and the process lives.
func TestOpen(t *testing.T) {
	if os.Getenv("ALIA_TEST_OPEN") != "" {
		if err := Open(); err != nil {
			t.Logf("reason: %v;", err)
		} else {
			t.Log("reason: none;")
		}
		return
	}
	noLibrary := filepath.Join(t.TempDir(), "libcuda.so.1")
	if err := os.WriteFile(noLibrary, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ library, machine, want string }{
		{"off", "", "CUDA is switched off by ALIA_CUDA=off"},
		{"emulator", "", "none"},
		{"/nowhere/libcuda.so.1", "", "no driver library"},
		{noLibrary, "", "no driver library"},
		{"libm.so.6", "", "has no cuInit"},
		{"emulator", "missing=cuLaunchKernel", "has no cuLaunchKernel"},
		{"emulator", "driver=10020", "the driver supports CUDA 10.2, at least 11.0 is needed"},
		{"emulator", "init=100", "no device"},
		{"emulator", "init=803", "another version"},
		{"emulator", "init=999", "cuInit: 999"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOpen$", "-test.v")
		cmd.Env = append(os.Environ(), "ALIA_TEST_OPEN=1", Variable+"="+c.library, emulator.Variable+"="+c.machine)
		out, err := cmd.CombinedOutput()
		_, reason, _ := strings.Cut(string(out), "reason: ")
		reason, _, found := strings.Cut(reason, ";")
		if err != nil || !found || !strings.Contains(reason, c.want) || strings.Contains(reason, "\n") {
			t.Errorf("%s, %s: %q, want %q: %v\n%s", c.library, c.machine, reason, c.want, err, out)
		}
	}
}

// TestPermission tells a device's file that this user may not open apart from
// one that is not there.
func TestPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may open everything")
	}
	file := filepath.Join(t.TempDir(), "nvidiactl")
	if err := os.WriteFile(file, nil, 0o000); err != nil {
		t.Fatal(err)
	}
	if got := startReason(file, 100); !strings.Contains(got, "no permission on "+file) {
		t.Error(got)
	}
}
