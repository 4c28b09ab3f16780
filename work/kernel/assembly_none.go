//go:build !(amd64 || arm64) || purego

package kernel

// assembly returns no devices: this build has only the reference.
func assembly() []backend { return nil }

func fmaLoops() []peakLoop { return nil }

func dotLoops() []peakLoop { return nil }
