//go:build cuda && cudaemu && linux && (amd64 || arm64)

package driver

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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
	dir := t.TempDir()
	file := filepath.Join(dir, "nvidiactl")
	if err := os.WriteFile(file, nil, 0o000); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may open everything: this thread's files are another's
		for _, d := range []string{dir, filepath.Dir(dir)} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	if got := startReason(file, 100); !strings.Contains(got, "no permission on "+file) {
		t.Error(got)
	}
}

// supervisor is NVML as far as [Health] uses it, with a device that is too hot.
const supervisor = `
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device) { *device = (void *)7; return strcmp(bus, "00000000:17:00.0") ? 6 : 0; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *c) { *c = device == (void *)7 && sensor == 0 ? 91 : 0; return 0; }
int nvmlDeviceGetTemperatureThreshold(void *device, int which, unsigned *c) { *c = which == 1 ? 90 : 0; return 0; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { *mw = 350500; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *mw) { *mw = 700000; return 0; }
`

// TestHealth asks a library of NVML's functions, in a process that finds it.
func TestHealth(t *testing.T) {
	if os.Getenv("ALIA_TEST_HEALTH") != "" {
		h := OpenHealth("00000000:17:00.0")
		if h == nil || !h.Hot() {
			t.Fatalf("%+v", h)
		}
		if s := h.Read(); *s != (Readings{Celsius: 91, SlowCelsius: 90, Watts: 350.5, LimitWatts: 700}) {
			t.Errorf("%+v", s)
		}
		if OpenHealth("00000000:18:00.0") != nil || OpenHealth("") != nil {
			t.Error("a device that NVML does not know has health")
		}
		return
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "nvml.c")
	if err := os.WriteFile(source, []byte(supervisor), 0o644); err != nil {
		t.Fatal(err)
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(dir, "libnvidia-ml.so.1"),
		source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHealth$")
	cmd.Env = append(os.Environ(), "ALIA_TEST_HEALTH=1", "LD_LIBRARY_PATH="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
