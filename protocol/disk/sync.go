//go:build !windows

package disk

import "os"

func syncFile(f *os.File) error { return f.Sync() }
