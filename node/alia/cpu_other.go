//go:build !unix

package main

// cpuSeconds is 0: this system does not say what processor time was taken.
func cpuSeconds() float64 { return 0 }

// peakRSS is 0: this system does not say how much memory was taken.
func peakRSS() int64 { return 0 }
