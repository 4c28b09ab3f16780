//go:build cuda && cudaemu

package device

import (
	"testing"

	"github.com/alia-network/alia/cuda/emulator"
)

func TestConformance(t *testing.T) {
	for _, unified := range []bool{true, false} {
		c := emulator.Sound()
		c.Unified = unified
		emulator.Set(c)
		dev, err := Open("cuda:0", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := dev.(*Device).Close(); err != nil {
			t.Error(err)
		}
	}
}
