//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"fmt"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/cuda/driver"
)

// List returns the devices of this machine, each with the reason why it cannot be used, if there is one.
// It does not check conformance; [Open] does. The error is the reason why there are no devices, in one
// line.
func List() ([]Info, error) {
	if err := driver.Open(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("count devices: %w", err)
	}
	if n == 0 {
		return nil, fmt.Errorf("the driver knows no device")
	}
	var all []Info
	// The names count from 0, in the driver's sequence.
	for i := range n {
		dev, err := cu.GetDevice(i)
		if err != nil {
			return nil, fmt.Errorf("device %d: %w", i, err)
		}
		info := describe(dev)
		info.ID = fmt.Sprintf("cuda:%d", i)
		info.Used = info.Reason == ""
		if h := driver.OpenHealth(busOf(dev)); h != nil {
			info.State = h.Read()
		}
		all = append(all, info)
	}
	return all, nil
}

// describe returns the properties of a device, and the reason why it cannot be used, if there is one.
func describe(dev cu.Device) Info {
	var i Info
	var err error
	fail := func(what string) {
		if err != nil && i.Reason == "" {
			i.Reason = fmt.Sprintf("the driver does not know its %s: %v", what, err)
		}
	}
	i.Name, err = dev.Name()
	fail("name")
	i.MemoryBytes, err = dev.TotalMem()
	fail("memory")
	major, err := dev.Attribute(cu.ComputeCapabilityMajor)
	fail("capability")
	minor, err := dev.Attribute(cu.ComputeCapabilityMinor)
	fail("capability")
	i.Capability = fmt.Sprintf("%d.%d", major, minor)
	v := cu.Version()
	i.Driver = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	// Only the first reason is kept.
	if have := 10*major + minor; i.Reason == "" && have < leastCapability {
		i.Reason = fmt.Sprintf("its compute capability is %s, the kernels need %d.%d",
			i.Capability, leastCapability/10, leastCapability%10)
	}
	const prohibited = 2 // CU_COMPUTEMODE_PROHIBITED
	if mode, err := dev.Attribute(cu.ComputeMode); i.Reason == "" && err == nil && mode == prohibited {
		i.Reason = "its compute mode is prohibited: change it with nvidia-smi -c DEFAULT"
	}
	return i
}

// busOf returns the PCI address of a device in NVML's form, or "" if the driver does not know it.
func busOf(dev cu.Device) string {
	var at [3]int
	for i, a := range []cu.DeviceAttribute{cu.PciDomainID, cu.PciBusID, cu.PciDeviceID} {
		var err error
		if at[i], err = dev.Attribute(a); err != nil {
			return ""
		}
	}
	return fmt.Sprintf("%08x:%02x:%02x.0", at[0], at[1], at[2])
}
