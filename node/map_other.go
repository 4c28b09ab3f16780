//go:build !unix

package node

import (
	"io"
	"os"
)

// mapFile is the contents of a file of some bytes.
func mapFile(f *os.File, size int) ([]byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(f, data)
	return data, err
}
