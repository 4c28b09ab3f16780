//go:build !unix

package main

// cpuSeconds is 0: this system does not say what processor time was taken.
func cpuSeconds() float64 { return 0 }
