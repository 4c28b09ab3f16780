package text

import (
	"bytes"
	"fmt"
	"strings"
)

// pointerHead is the first line of a pointer (the specification of Git LFS, section "The
// Pointer").
const pointerHead = "version https://git-lfs.github.com/spec/v1\n"

// PointerHead is as many bytes of a file as [CheckPointer] needs.
const PointerHead = 512

// CheckPointer returns an error if the file that begins with data is a pointer of Git LFS: the
// few lines that a clone without Git LFS has in the place of a large file.
func CheckPointer(data []byte) error {
	if !bytes.HasPrefix(data, []byte(pointerHead)) {
		return nil
	}
	size := ""
	for line := range strings.Lines(string(data[:min(len(data), PointerHead)])) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "size "); ok {
			size = " of " + n + " bytes"
		}
	}
	return fmt.Errorf("it is a Git LFS pointer, and not the file%s itself: run git lfs pull in its repository, "+
		"or download the file", size)
}
