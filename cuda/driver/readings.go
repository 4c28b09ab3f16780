package driver

// Readings is a device's temperature and power. A value that NVML does not know is zero.
type Readings struct {
	Celsius     uint32  `json:"celsius"`
	SlowCelsius uint32  `json:"slow_celsius"` // the device slows itself down at this temperature
	Watts       float64 `json:"watts"`
	LimitWatts  float64 `json:"limit_watts"` // the power that the driver enforces
}
