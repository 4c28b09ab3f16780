package driver

// Readings is what NVML, the driver's library for supervisors, tells of a device.
// What it does not tell is zero.
type Readings struct {
	Celsius     uint32  `json:"celsius"`
	SlowCelsius uint32  `json:"slow_celsius"` // where the device slows itself down
	Watts       float64 `json:"watts"`
	LimitWatts  float64 `json:"limit_watts"`
}
