//go:build !linux && !darwin

package machine

func FreeMemory() (uint64, error) { return 0, errMemoryUnknown }
