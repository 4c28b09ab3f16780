package unit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// TestProven: only the content of an output that can be read proves its miner wrong.
func TestProven(t *testing.T) {
	var held block.MemoryStore
	there, err := block.PutNode(t.Context(), &held, unit.Text{Segments: []string{"junk"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := block.Link{Cid: block.Sum(block.Raw, []byte("a leaf that nobody has"))}
	torn, err := block.PutNode(t.Context(), &held, []block.Link{leaf})
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	junk := errors.New("a delta has 7 tensors, want 3")
	for name, c := range map[string]struct {
		ctx    context.Context
		output block.Link
		err    error
		want   bool
	}{
		"wrong content":      {t.Context(), there, junk, true},
		"block not held":     {t.Context(), leaf, junk, false},
		"leaf not held":      {t.Context(), torn, junk, false},
		"lost while read":    {t.Context(), there, fmt.Errorf("get node: %w", block.ErrNotFound), false},
		"damaged while read": {t.Context(), there, fmt.Errorf("get node: %w", block.ErrDamaged), false},
		"stopped while read": {t.Context(), there, fmt.Errorf("get node: %w", context.Canceled), false},
		"too late":           {t.Context(), there, fmt.Errorf("get node: %w", context.DeadlineExceeded), false},
		"stopped since":      {stopped, there, junk, false},
		"disk fails":         {t.Context(), there, fmt.Errorf("get: %w", &fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}), false},
	} {
		if got := unit.Proven(c.ctx, &held, c.output, c.err); got != c.want {
			t.Errorf("%s: Proven = %v", name, got)
		}
	}
}
