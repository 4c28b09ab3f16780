//go:build !cuda || !linux || !(amd64 || arm64)

package device

import (
	"errors"

	"github.com/alia-network/alia/work/kernel"
)

// Built says whether this build can use devices.
const Built = false

var errBuild = errors.New("this build has no CUDA: make build-cuda makes bin/alia-cuda, on Linux with a C compiler")

// Open fails: this build has no CUDA.
func Open(string, int) (kernel.Device, error) { return nil, errBuild }

// List fails: this build has no CUDA.
func List() ([]Info, error) { return nil, errBuild }
