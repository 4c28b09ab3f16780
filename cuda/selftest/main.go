//go:build cuda && linux && (amd64 || arm64)

// Command selftest compares a GPU's results with the processor's, bit by bit, and measures its speed. It is
// one file, made by `make cuda-selftest`, for a machine that has a GPU and nothing else of ours.
//
//	cuda-selftest > report.json
//
// It prints one JSON object. It exits with 0 only if every digest and every bit agrees. Without a device
// the object has the reason, and the command exits with 1. Progress goes to standard error.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/alia-network/alia/cuda/device"
	"github.com/alia-network/alia/work/kernel"
)

// report is the object that the command prints.
type report struct {
	Driver      string       `json:"driver"` // the newest CUDA version that it supports
	Device      *device.Info `json:"device"`
	Reason      string       `json:"reason,omitempty"` // why the tests did not run, or not all of them
	Conformance []verdict    `json:"conformance"`      // the published cases of every operation
	Bits        []verdict    `json:"bits"`             // other work, compared with the processor
	Mismatches  int          `json:"mismatches"`
	// HostRows is the operations that the processor computed for the device at least once, because
	// they or their shapes have no kernel. Their comparison says nothing.
	HostRows []string `json:"host_rows,omitempty"`
	Bench    bench    `json:"bench"`
}

// verdict says whether a piece of work had the expected bits.
type verdict struct {
	Name   string `json:"name"`
	Agrees bool   `json:"agrees"`
}

func main() {
	name := flag.String("device", "cuda:0", "the device to test")
	quick := flag.Bool("quick", false, "skip the large tests and the measurements")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "cuda-selftest: unexpected arguments; -help lists the flags")
		os.Exit(2)
	}
	r := report{Conformance: []verdict{}, Bits: []verdict{}}
	if err := r.run(*name, *quick); err != nil {
		r.Reason = err.Error()
		fmt.Fprintln(os.Stderr, "cuda-selftest:", err)
	}
	for _, v := range append(r.Conformance, r.Bits...) {
		if !v.Agrees {
			r.Mismatches++
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "cuda-selftest:", err)
		os.Exit(1)
	}
	if r.Reason != "" || r.Mismatches > 0 {
		os.Exit(1)
	}
}

// run tests and measures. Results from before an error stay in the report.
func (r *report) run(name string, quick bool) (err error) {
	defer kernel.Recover(&err)
	all, err := device.List()
	if err != nil {
		return fmt.Errorf("no CUDA device: %w", err)
	}
	// Find the device, and a processor's device to compare with.
	for i := range all {
		if all[i].ID == name {
			r.Device, r.Driver = &all[i], all[i].Driver
		}
	}
	if r.Device == nil {
		return fmt.Errorf("there is no device %s, but %d others", name, len(all))
	}
	dev, err := device.Probe(name, runtime.NumCPU())
	if err != nil {
		r.Device.Used, r.Device.Reason = false, err.Error()
		return err
	}
	host, err := kernel.Open("auto", runtime.NumCPU())
	if err != nil {
		return err
	}
	// The published cases, then calls and models, then the measurements.
	progress("conformance")
	if err := kernel.Compare(dev, func(name string, agrees bool) {
		r.Conformance = append(r.Conformance, verdict{name, agrees})
	}); err != nil {
		return err
	}
	if err := r.compare(dev, host, quick); err != nil {
		return err
	}
	if !quick {
		err = r.Bench.run(dev)
	}
	r.HostRows = dev.Hosted()
	return err
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
