//go:build cuda && cudaemu && linux && (amd64 || arm64)

package driver

import (
	"unsafe"

	"github.com/alia-network/alia/cuda/emulator"
)

// finder opens a driver library, or the emulated one for the name "emulator".
func finder(name string) (find, library unsafe.Pointer, err error) {
	if name == "emulator" {
		return emulator.Finder(), nil, nil
	}
	return dynamic(name)
}
