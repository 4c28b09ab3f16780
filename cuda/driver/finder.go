//go:build cuda && linux && (amd64 || arm64) && !cudaemu

package driver

import "unsafe"

func finder(name string) (find, library unsafe.Pointer, err error) { return dynamic(name) }
