package device

import "github.com/alia-network/alia/cuda/driver"

// Info describes a device of this machine.
type Info struct {
	ID          string           `json:"id"` // the value of --device, such as cuda:0
	Name        string           `json:"name"`
	MemoryBytes int64            `json:"memory_bytes"`
	Capability  string           `json:"capability"` // the compute capability, such as 9.0
	Driver      string           `json:"driver"`     // the newest CUDA version that the driver supports
	Used        bool             `json:"used"`       // it can be used
	Reason      string           `json:"reason"`     // why it cannot be used
	State       *driver.Readings `json:"state,omitempty"`
}
