package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/kernel"
)

// compute is the flags of every command that computes.
type compute struct {
	kernels string
	threads int
}

func (c *compute) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.kernels, "kernels", "auto", fmt.Sprintf("what to compute with: auto or one of %v; the result is the same", kernel.Names()))
	cmd.Flags().IntVar(&c.threads, "threads", runtime.GOMAXPROCS(0), "processor threads to compute with")
}

// open returns the device asked for, once its conformance digests agree. It
// says when a faster one was passed over, and why.
func (c *compute) open(a *app) (kernel.Device, error) {
	// Tensors come and go by the tens of megabytes: collecting them twice as
	// often takes a fifth off the memory and costs one or two per cent of the time.
	collect(50)
	return c.choose(a)
}

// collect has memory collected when it has grown by so many per cent, unless
// the environment says when.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func (c *compute) choose(a *app) (kernel.Device, error) {
	if c.threads < 1 {
		return nil, usagef("--threads %d: give 1 or more", c.threads)
	}
	if c.kernels != "" && c.kernels != "auto" {
		return kernel.Open(c.kernels, c.threads)
	}
	dev, reasons := kernel.Choose(c.threads)
	for _, r := range reasons {
		a.log.Info("kernels passed over", "why", r)
	}
	if dev == nil {
		return nil, fmt.Errorf("no kernels pass their conformance check: %q", reasons)
	}
	return dev, nil
}
