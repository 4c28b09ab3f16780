//go:build unix

package translate

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: a named pipe into which nobody writes does not hold the command for ever.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("p", 251)+".txt")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if _, _, err := read(context.Background(), path); err == nil || !strings.Contains(err.Error(), "nobody writes") {
		t.Errorf("%v", err)
	}
}
