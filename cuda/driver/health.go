//go:build cuda && linux && (amd64 || arm64)

package driver

import (
	"sync"

	"github.com/ebitengine/purego"
)

// Health reads a device's temperature and power through NVML, the driver's library for monitoring.
type Health struct {
	device uintptr
	lib    *nvml
}

// nvml has the functions of NVML that are used, by their names in its reference. Each returns 0 on
// success.
type nvml struct {
	init      func() int32
	byBus     func(bus string, device *uintptr) int32
	heat      func(device uintptr, sensor int32, celsius *uint32) int32
	threshold func(device uintptr, which int32, celsius *uint32) int32
	power     func(device uintptr, milliwatts *uint32) int32
	limit     func(device uintptr, milliwatts *uint32) int32
}

// library opens NVML, or returns nil. It is part of the driver, but some containers do not have it.
var library = sync.OnceValue(func() *nvml {
	lib, err := purego.Dlopen("libnvidia-ml.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil
	}
	n := &nvml{}
	for name, f := range map[string]any{
		"nvmlInit_v2": &n.init, "nvmlDeviceGetHandleByPciBusId_v2": &n.byBus,
		"nvmlDeviceGetTemperature": &n.heat, "nvmlDeviceGetTemperatureThreshold": &n.threshold,
		"nvmlDeviceGetPowerUsage": &n.power, "nvmlDeviceGetEnforcedPowerLimit": &n.limit,
	} {
		at, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil
		}
		purego.RegisterFunc(f, at)
	}
	if n.init() != 0 {
		return nil
	}
	return n
})

// OpenHealth finds the device at a PCI address such as 00000000:17:00.0. It returns nil if there is no
// NVML, or if NVML does not know the device.
func OpenHealth(bus string) *Health {
	lib := library()
	if lib == nil || bus == "" {
		return nil
	}
	h := &Health{lib: lib}
	if lib.byBus(bus, &h.device) != 0 {
		return nil
	}
	return h
}

// Read reads the present values. A value that NVML does not know is zero.
func (h *Health) Read() *Readings {
	const gpu, slowdown = 0, 1 // NVML_TEMPERATURE_GPU, NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
	var s Readings
	var power, limit uint32
	h.lib.heat(h.device, gpu, &s.Celsius)
	h.lib.threshold(h.device, slowdown, &s.SlowCelsius)
	h.lib.power(h.device, &power)
	h.lib.limit(h.device, &limit)
	s.Watts, s.LimitWatts = float64(power)/1000, float64(limit)/1000
	return &s
}

// Hot reports whether the device is so hot that it slows itself down. The driver itself enforces the
// power limit.
func (h *Health) Hot() bool {
	s := h.Read()
	return s.SlowCelsius > 0 && s.Celsius >= s.SlowCelsius
}
