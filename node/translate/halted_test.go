package translate_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/alia-network/alia/node/translate"
)

// TestLocalGoesOn: a job that nobody sells is asked for what is missing only.
func TestLocalGoesOn(t *testing.T) {
	l := local(t)
	dir, c := world(t, l)
	in, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	write(t, in, letter(200))
	ctx, cancel := context.WithCancel(t.Context())
	c.Report = func(p translate.FileProgress) {
		if p.Done > 0 {
			cancel()
		}
	}
	if _, err := c.File(ctx, in, out); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	kept := c.Memory.Stats().Entries
	if kept == 0 || kept == 200 {
		t.Fatalf("%d of 200 are kept", kept)
	}
	c.Report = nil
	if r, err := c.File(t.Context(), in, out); err != nil || r.Reused != kept || r.Segments != 200 {
		t.Errorf("%v, %+v, %d were kept", err, r, kept)
	}
}

// TestOver: a document whose time is over before its first text says so as one does whose time
// ends later, at whatever step that is.
func TestOver(t *testing.T) {
	dir, c := world(t, local(t))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	_, err := c.Write(ctx, "a.txt", []byte(letter(200)), filepath.Join(dir, "b.txt"), 0o644)
	u := new(translate.Unfinished)
	if !errors.As(err, &u) || !errors.Is(err, context.DeadlineExceeded) || u.File != "a.txt" || u.Done != 0 || u.Total != 200 || !u.Kept {
		t.Fatalf("%v", err)
	}
}
