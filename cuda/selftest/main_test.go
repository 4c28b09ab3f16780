//go:build cuda && cudaemu && linux && (amd64 || arm64)

package main

import (
	"os"
	"testing"

	"github.com/alia-network/alia/cuda/device"
	"github.com/alia-network/alia/cuda/driver"
	"github.com/alia-network/alia/cuda/emulator"
)

func TestMain(m *testing.M) {
	os.Setenv(driver.Variable, "emulator")
	os.Exit(m.Run())
}

// TestReport runs the test on a sound device, on one with a wrong bit, on one
// that is lost meanwhile, and where there is none.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		name          string
		change        func(c *emulator.Config)
		agrees, fails bool
	}{
		{"sound", func(*emulator.Config) {}, true, false},
		{"a wrong bit", func(c *emulator.Config) { c.Wrong = "relu" }, false, false},
		{"lost", func(c *emulator.Config) { c.Lost = 300 }, true, true},
		{"none", func(c *emulator.Config) { c.Devices = 0 }, true, true},
	} {
		machine := emulator.Sound()
		c.change(&machine)
		emulator.Set(machine)
		var r report
		err := r.run("cuda:0", true)
		agrees := true
		for _, v := range append(r.Conformance, r.Bits...) {
			agrees = agrees && v.Agrees
		}
		if (err != nil) != c.fails || agrees != c.agrees {
			t.Errorf("%s: all agree: %v, error: %v", c.name, agrees, err)
		}
		if !c.fails && (len(r.Conformance) < 30 || len(r.Bits) < 50) {
			t.Errorf("%s: only %d cases and %d pieces of work", c.name, len(r.Conformance), len(r.Bits))
		}
	}
}

// TestMeasureCodes measures a small projection. The processor must compute none of it.
func TestMeasureCodes(t *testing.T) {
	emulator.Set(emulator.Sound())
	dev, err := device.Probe("cuda:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	s := measureCodes(dev, 33, 32, 48, 0)
	for name, v := range map[string]versus{"forward": s.Forward, "input": s.Input, "weight": s.Weight} {
		if v.Chain <= 0 || v.Tensor <= 0 || v.DP4A <= 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if len(s.Quantisers) != 4 || s.Chains <= 0 || s.Codes <= 0 || len(dev.Hosted()) > 0 {
		t.Errorf("%+v, on the host %v", s, dev.Hosted())
	}
}
