//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"fmt"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/cuda/driver"
)

// List returns the devices of this machine, with why each cannot be used, if it
// cannot. Conformance is not checked: [Open] does that. The error is why there
// are none, in one line.
func List() ([]Info, error) {
	if err := driver.Open(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("count devices: %w", err)
	}
	if n == 0 {
		return nil, fmt.Errorf("the driver has no device")
	}
	var all []Info
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

// describe asks a device what it is, and says why it cannot be used, if so.
func describe(dev cu.Device) Info {
	var i Info
	var err error
	fail := func(what string) {
		if err != nil && i.Reason == "" {
			i.Reason = fmt.Sprintf("the driver does not tell its %s: %v", what, err)
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
	if have := 10*major + minor; i.Reason == "" && have < leastCapability {
		i.Reason = fmt.Sprintf("it has compute capability %s, the kernels need %d.%d", i.Capability, leastCapability/10, leastCapability%10)
	}
	const prohibited = 2 // CU_COMPUTEMODE_PROHIBITED
	if mode, err := dev.Attribute(cu.ComputeMode); i.Reason == "" && err == nil && mode == prohibited {
		i.Reason = "its compute mode is prohibited: nvidia-smi -c DEFAULT allows it"
	}
	return i
}

// busOf is where a device sits, as NVML knows it, or "".
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
