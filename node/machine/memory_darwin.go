package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FreeMemory is the machine's memory: how much of it is free macOS does not
// tell in a number, and gives up what others only cached.
func FreeMemory() (uint64, error) {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errMemoryUnknown, err)
	}
	return n, nil
}
