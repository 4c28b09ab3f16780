//go:build amd64 && !purego

package kernel

func assembly() []backend { return nil }
