package main

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
)

// diagnosis is what `alia doctor` finds. What the system does not tell is null.
type diagnosis struct {
	Version    string `json:"version"`
	Numerics   string `json:"numerics"`
	Platform   string `json:"platform"`
	Processors int    `json:"processors"` // threads that this process may use
	conformance
	Home       string    `json:"home"`
	FreeMemory *uint64   `json:"free_memory_bytes"`
	FreeDisk   *uint64   `json:"free_disk_bytes"` // where the home is, or will be
	Clock      time.Time `json:"clock"`
	ClockSet   *bool     `json:"clock_synchronised"`
}

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine: kernels, GPUs, memory, disk and clock",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			d := diagnosis{
				Version: version, Numerics: kernel.Numerics, Platform: runtime.GOOS + "/" + runtime.GOARCH,
				Processors: runtime.GOMAXPROCS(0), conformance: conformance{surveyBackends(), surveyGPUs(true)},
				Home: string(a.home), Clock: time.Now().UTC(),
			}
			if free, err := machine.FreeMemory(); err == nil {
				d.FreeMemory = &free
			}
			if free, err := machine.FreeDisk(string(a.home)); err == nil {
				d.FreeDisk = &free
			}
			if set, err := machine.ClockSynchronised(); err == nil {
				d.ClockSet = &set
			}
			if err := a.result(d, d.print); err != nil {
				return err
			}
			return d.err()
		},
	}
}

func (d *diagnosis) print(w io.Writer) {
	fmt.Fprintf(w, "alia %s, %s, %s, %d processor threads\n", d.Version, d.Numerics, d.Platform, d.Processors)
	d.conformance.print(w)
	if d.FreeMemory != nil {
		fmt.Fprintf(w, "%s of memory free\n", machine.MiB(*d.FreeMemory))
	}
	if d.FreeDisk != nil {
		fmt.Fprintf(w, "%s of disk free for %s\n", machine.MiB(*d.FreeDisk), d.Home)
	}
	switch {
	case d.ClockSet == nil:
		fmt.Fprintf(w, "clock %s\n", d.Clock.Format(time.RFC3339))
	case *d.ClockSet:
		fmt.Fprintf(w, "clock %s, kept by a time service\n", d.Clock.Format(time.RFC3339))
	default:
		fmt.Fprintf(w, "clock %s, which no time service keeps: offers and tickets expire by it\n", d.Clock.Format(time.RFC3339))
	}
}
