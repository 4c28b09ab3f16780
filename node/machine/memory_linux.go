package machine

// FreeMemory is the bytes that this process can still take.
func FreeMemory() (uint64, error) { return linuxMemory("/") }
