package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/cuda/device"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
)

// compute is the flags of every command that computes.
type compute struct {
	kernels string
	device  string
	threads int
}

func (c *compute) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.kernels, "kernels", "auto", fmt.Sprintf("what to compute with: auto or one of %v or cuda:0; the result is the same", kernel.Names()))
	cmd.Flags().StringVar(&c.device, "device", "auto", "where to compute: auto, cpu or cuda:0; the result is the same")
	cmd.Flags().IntVar(&c.threads, "threads", runtime.GOMAXPROCS(0), "processor threads to compute with")
}

// isGPU reports whether the value of a flag names a GPU.
func isGPU(name string) bool { return strings.HasPrefix(name, "cuda:") }

// open returns the device asked for, once its conformance digests agree. It
// says when a faster one was passed over, and why.
func (c *compute) open(a *app) (kernel.Device, error) {
	// Tensors come and go by the tens of megabytes and hold no pointers:
	// collecting them five times as often costs next to no time.
	collect(20)
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
	kernels := c.kernels
	switch {
	case isGPU(c.device):
		kernels = c.device
	case c.device != "auto" && c.device != "cpu":
		return nil, usagef("--device %s: give auto, cpu or a GPU such as cuda:0", c.device)
	}
	if isGPU(kernels) {
		return device.Open(kernels, c.threads)
	}
	if c.auto() {
		devs, err := openGPUs(a, c.threads, 1)
		if len(devs) > 0 {
			return devs[0], nil
		}
		a.note("no CUDA device: %v", err)
	}
	return openCPU(a, kernels, c.threads)
}

// openAll returns every GPU that can be used, where that is left open, or the
// one device that open gives.
func (c *compute) openAll(a *app) ([]kernel.Device, error) {
	if c.auto() && c.threads >= 1 {
		if devs, _ := openGPUs(a, c.threads, maxGPUs); len(devs) > 0 {
			return devs, nil
		}
	}
	dev, err := c.open(a)
	return []kernel.Device{dev}, err
}

// maxGPUs is more than a machine has.
const maxGPUs = 64

// auto reports whether a GPU is to be used where there is one.
func (c *compute) auto() bool {
	return device.Built && c.device == "auto" && (c.kernels == "" || c.kernels == "auto")
}

// openGPUs returns at most so many GPUs that can be used, and why others cannot.
func openGPUs(a *app, threads, most int) (devs []kernel.Device, err error) {
	all, err := device.List()
	for _, g := range all {
		if len(devs) == most {
			break
		}
		dev, failed := kernel.Device(nil), error(nil)
		if g.Reason != "" {
			failed = fmt.Errorf("%s, %s: %s", g.ID, g.Name, g.Reason)
		} else {
			dev, failed = device.Open(g.ID, threads)
		}
		if failed != nil {
			a.log.Info("device passed over", "why", failed)
			err = errors.Join(err, failed)
			continue
		}
		devs = append(devs, dev)
	}
	return devs, err
}

func openCPU(a *app, kernels string, threads int) (kernel.Device, error) {
	if kernels != "" && kernels != "auto" {
		return kernel.Open(kernels, threads)
	}
	dev, reasons := kernel.Choose(threads)
	for _, r := range reasons {
		a.log.Info("kernels passed over", "why", r)
	}
	if dev == nil {
		return nil, fmt.Errorf("no kernels pass their conformance check: %q", reasons)
	}
	return dev, nil
}

// gpus is the part of a report that lists the GPUs of this machine, or says why
// there are none.
type gpus struct {
	Devices []device.Info `json:"devices"`
	Reason  string        `json:"cuda_reason,omitempty"`
	wrong   string        // a device that gives other bits
}

// surveyGPUs lists the GPUs. With check each that could be used is opened, and
// what is wrong with it found.
func surveyGPUs(check bool) gpus {
	g := gpus{Devices: []device.Info{}}
	all, err := device.List()
	if err != nil {
		g.Reason = err.Error()
		return g
	}
	for _, d := range all {
		if check && d.Used {
			if dev, err := device.Open(d.ID, 1); err != nil {
				d.Used, d.Reason = false, err.Error()
				if errors.Is(err, kernel.ErrConformance) {
					g.wrong = d.ID
				}
			} else if err := kernel.Close(dev); err != nil {
				d.Used, d.Reason = false, err.Error()
			}
		}
		g.Devices = append(g.Devices, d)
	}
	return g
}

// text lists the GPUs for people, a line each.
func (g gpus) text() string {
	if g.Reason != "" {
		return fmt.Sprintf("no CUDA device: %s\n", g.Reason)
	}
	var b strings.Builder
	for _, d := range g.Devices {
		fmt.Fprintf(&b, "%s  %s, %s, capability %s, driver for CUDA %s", d.ID, d.Name, machine.MiB(uint64(d.MemoryBytes)), d.Capability, d.Driver)
		if s := d.State; s != nil {
			fmt.Fprintf(&b, ", %d °C", s.Celsius)
			if s.SlowCelsius > 0 {
				fmt.Fprintf(&b, " (slows down at %d)", s.SlowCelsius)
			}
			fmt.Fprintf(&b, ", %.0f W", s.Watts)
			if s.LimitWatts > 0 {
				fmt.Fprintf(&b, " of %.0f", s.LimitWatts)
			}
		}
		if !d.Used {
			fmt.Fprintf(&b, ": not used: %s", d.Reason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
