//go:build unix

package node

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile is the contents of a file of some bytes, in memory that the system
// reads from the file when it is looked at. They are for reading only, and
// stay as long as the process. The file must not be cut short meanwhile: it is
// replaced, as [WriteFile] does.
func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
}
