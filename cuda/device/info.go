package device

import "github.com/alia-network/alia/cuda/driver"

// Info is a device of this machine.
type Info struct {
	ID          string           `json:"id"` // what --device takes
	Name        string           `json:"name"`
	MemoryBytes int64            `json:"memory_bytes"`
	Capability  string           `json:"capability"` // of computing, such as 9.0
	Driver      string           `json:"driver"`     // the CUDA version that the driver supports
	Used        bool             `json:"used"`
	Reason      string           `json:"reason"` // why it is not used
	State       *driver.Readings `json:"state,omitempty"`
}
