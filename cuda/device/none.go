//go:build !cuda || !linux || !(amd64 || arm64)

package device

import (
	"errors"

	"github.com/alia-network/alia/work/kernel"
)

// Built reports whether this build can use CUDA devices.
const Built = false

var errBuild = errors.New("this build has no CUDA: make build-cuda makes bin/alia-cuda, on Linux with a C compiler")

// Open returns an error, because this build has no CUDA.
func Open(string, int) (kernel.Device, error) { return nil, errBuild }

// List returns an error, because this build has no CUDA.
func List() ([]Info, error) { return nil, errBuild }
