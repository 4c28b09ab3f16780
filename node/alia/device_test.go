package main

import (
	"errors"
	"testing"
)

// TestPickDevice: two flags name one device, or one mistake.
func TestPickDevice(t *testing.T) {
	for _, c := range []struct{ device, kernels, want string }{
		{auto, auto, auto}, {cpu, auto, cpu}, {"portable", auto, "portable"}, {"cuda:3", auto, "cuda:3"},
		{auto, "portable", "portable"}, {cpu, "portable", "portable"}, {"portable", "portable", "portable"},
	} {
		if got, err := pickDevice(c.device, c.kernels); err != nil || got != c.want {
			t.Errorf("--device %s --kernels %s: %q, %v, want %q", c.device, c.kernels, got, err, c.want)
		}
	}
	for _, c := range []struct{ device, kernels string }{
		{"gpu", auto}, {"", auto}, {"cuda:", auto}, {"cuda:-1", auto}, {"cuda:99999", auto}, {auto, "cuda:0"}, {auto, "sse"}, {auto, ""},
		{"cuda:0", "portable"}, {"cuda:0", "cuda:0"},
	} {
		got, err := pickDevice(c.device, c.kernels)
		if usage := (usageError{}); !errors.As(err, &usage) {
			t.Errorf("--device %s --kernels %s: %q, %v, want a mistake of usage", c.device, c.kernels, got, err)
		}
	}
}
