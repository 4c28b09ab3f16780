//go:build cuda && linux && (amd64 || arm64)

// Command selftest holds a GPU to the processor's bits and measures it: one
// file, made by `make cuda-selftest`, for a machine that has a GPU and nothing
// of ours.
//
//	cuda-selftest > report.json
//
// It prints one JSON object and exits 0 only when every digest and every bit
// agrees; without a device it says why, and exits 1. What it does meanwhile
// goes to standard error.
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

// report is what the command prints.
type report struct {
	Driver      string       `json:"driver"` // the CUDA version it supports
	Device      *device.Info `json:"device"`
	Reason      string       `json:"reason,omitempty"` // why nothing, or not all, was tested
	Conformance []verdict    `json:"conformance"`      // the published cases of every operation
	Bits        []verdict    `json:"bits"`             // other work, beside the processor's
	Mismatches  int          `json:"mismatches"`
	HostRows    []string     `json:"host_rows,omitempty"` // operations, or shapes of them, that have no kernel: the processor's bits stand for the device's
	Bench       bench        `json:"bench"`
}

// verdict is whether a piece of work gave the bits it must.
type verdict struct {
	Name   string `json:"name"`
	Agrees bool   `json:"agrees"`
}

func main() {
	name := flag.String("device", "cuda:0", "the device to test")
	quick := flag.Bool("quick", false, "leave out what is large, and the measurements")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "cuda-selftest: takes no arguments; -help lists its flags")
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

// run tests and measures. What was found before an error stays in the report.
func (r *report) run(name string, quick bool) (err error) {
	defer kernel.Recover(&err)
	all, err := device.List()
	if err != nil {
		return fmt.Errorf("no CUDA device: %w", err)
	}
	for i := range all {
		if all[i].ID == name {
			r.Device, r.Driver = &all[i], all[i].Driver
		}
	}
	if r.Device == nil {
		return fmt.Errorf("no device %s: there are %d", name, len(all))
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
