package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/cuda/device"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
)

// deviceFlags is the flags of every command that computes.
type deviceFlags struct {
	device, kernels string
	threads         int
}

func (c *deviceFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.device, "device", auto, "`DEVICE` to compute with: auto, cpu, "+kernelNames()+", or a GPU such as cuda:0; the result is the same on each")
	f.StringVar(&c.kernels, "kernels", auto, "`KERNELS` of the processor to compute with; the same as --device with their name")
	f.IntVar(&c.threads, "threads", runtime.GOMAXPROCS(0), "`NUMBER` of processor threads to compute with")
	devices := append([]string{auto, cpu, "cuda:0"}, kernel.Names()...)
	complete(cmd, "device", devices)
	complete(cmd, "kernels", append([]string{auto}, kernel.Names()...))
}

// cpu is the device that is this machine's processor, with its fastest kernels.
const cpu = "cpu"

func kernelNames() string { return strings.Join(kernel.Names(), ", ") }

// isGPU reports whether the value of a flag names a GPU.
func isGPU(name string) bool { return strings.HasPrefix(name, "cuda:") }

// pickDevice is the one device that --device and --kernels name: auto, cpu, the
// name of kernels, or a GPU.
func pickDevice(device, kernels string) (string, error) {
	switch {
	case isGPU(kernels):
		return "", usagef("--kernels %s: a GPU is a device: give --device %s", kernels, kernels)
	case kernels != auto && !slices.Contains(kernel.Names(), kernels):
		return "", usagef("--kernels %q: this processor has %s; give one of them, or auto", kernels, kernelNames())
	case isGPU(device):
		if _, err := strconv.ParseUint(strings.TrimPrefix(device, "cuda:"), 10, 16); err != nil {
			return "", usagef("--device %q: give the number of the GPU, such as cuda:0", device)
		}
	case device != auto && device != cpu && !slices.Contains(kernel.Names(), device):
		return "", usagef("--device %q: give auto, cpu, kernels of this processor (%s), or a GPU such as cuda:0", device, kernelNames())
	}
	switch {
	case kernels == auto || kernels == device:
		return device, nil
	case device == auto || device == cpu:
		return kernels, nil
	}
	return "", usagef("--device %s and --kernels %s name two devices: give only --device", device, kernels)
}

// manyThreads is how many times as many threads as this machine runs at once
// --threads takes at most.
const manyThreads = 8

// pick checks the flags and returns the device they name.
func (c *deviceFlags) pick() (string, error) {
	if most := manyThreads * runtime.NumCPU(); c.threads < 1 || c.threads > most {
		return "", usagef("--threads %d: this machine runs %d threads at once: give 1 to %d", c.threads, runtime.NumCPU(), most)
	}
	return pickDevice(c.device, c.kernels)
}

// open returns the device that the flags name, once its conformance digests
// agree. It says when it passed over a faster one, and why.
func (c *deviceFlags) open(a *app) (kernel.Device, error) {
	// Tensors come and go by the tens of megabytes and hold no pointers:
	// collecting them five times as often costs next to no time.
	collect(20)
	return c.choose(a)
}

// collect has the heap collected when it has grown by percent, unless GOGC says
// otherwise.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

func (c *deviceFlags) choose(a *app) (kernel.Device, error) {
	name, err := c.pick()
	if err != nil {
		return nil, err
	}
	if isGPU(name) {
		return a.openGPU(name, c.threads)
	}
	if name == auto && device.Built {
		devs, err := openGPUs(a, c.threads, 1)
		if len(devs) > 0 {
			return devs[0], nil
		}
		a.note("no CUDA device: %v", err)
	}
	return openCPU(a, name, c.threads)
}

// openAll returns every GPU that can be used, where that is left open, or the
// one device that open gives.
func (c *deviceFlags) openAll(a *app) ([]kernel.Device, error) {
	if name, err := c.pick(); err != nil {
		return nil, err
	} else if name == auto && device.Built {
		if devs, _ := openGPUs(a, c.threads, maxGPUs); len(devs) > 0 {
			return devs, nil
		}
	}
	dev, err := c.open(a)
	return []kernel.Device{dev}, err
}

// maxGPUs is more than a machine has.
const maxGPUs = 64

// openGPUs returns at most most GPUs that can be used. The error says why others
// cannot be used.
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
			dev, failed = a.openGPU(g.ID, threads)
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

// openGPU opens a GPU, which is the command's until the command ends.
func (a *app) openGPU(name string, threads int) (kernel.Device, error) {
	dev, err := device.Open(name, threads)
	if err == nil {
		a.devices = append(a.devices, dev)
	}
	return dev, err
}

// openCPU returns the processor with the kernels named, or its fastest.
func openCPU(a *app, name string, threads int) (kernel.Device, error) {
	if name != auto && name != cpu {
		return kernel.Open(name, threads)
	}
	dev, reasons := kernel.Choose(threads)
	for _, r := range reasons {
		a.log.Info("kernels passed over", "why", r)
	}
	if dev == nil {
		return nil, fmt.Errorf("no kernels of this processor give the published results: %q", reasons)
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

// surveyGPUs lists the GPUs. With check it opens each GPU and tests it, and the
// list has the reason for each GPU that cannot be used.
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

// text lists the GPUs for people, a line each, or says why there are none.
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
