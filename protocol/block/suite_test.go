package block_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/ipfs/go-cid"
)

// TestBlocks runs one suite against every implementation of Blocks.
func TestBlocks(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) keeper{
		"Memory": func(t *testing.T) keeper { return new(block.MemoryStore) },
		"Store":  func(t *testing.T) keeper { return openStore(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) { testBlocks(t, open) })
	}
}

type keeper interface {
	block.Blocks
	Has(cid.Cid) bool
	Delete(cid.Cid) error
	PutNamed(ctx context.Context, c cid.Cid, data []byte) error
}

func openStore(t *testing.T, dir string) *block.Store {
	t.Helper()
	s, err := block.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, b block.Blocks, codec block.Codec, data []byte) cid.Cid {
	t.Helper()
	c, err := b.Put(context.Background(), codec, data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testBlocks(t *testing.T, open func(t *testing.T) keeper) {
	ctx := context.Background()
	t.Run("what is put is got", func(t *testing.T) {
		b := open(t)
		for _, data := range [][]byte{nil, {0}, []byte("alia"), make([]byte, block.MaxSize)} {
			c := put(t, b, block.Raw, data)
			if want := block.Sum(block.Raw, data); c != want {
				t.Errorf("Put of %d bytes = %s, want %s", len(data), c, want)
			}
			got, err := b.Get(ctx, c)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("Get = %d bytes, %v; want %d bytes", len(got), err, len(data))
			}
			if !b.Has(c) {
				t.Errorf("Has(%s) = false", c)
			}
		}
	})
	t.Run("the caller's bytes are copied", func(t *testing.T) {
		b := open(t)
		data := []byte("before")
		c := put(t, b, block.Raw, data)
		copy(data, "after!")
		if got, err := b.Get(ctx, c); err != nil || string(got) != "before" {
			t.Errorf("Get = %q, %v", got, err)
		}
	})
	t.Run("a codec is part of the name", func(t *testing.T) {
		b := open(t)
		c := put(t, b, block.CBOR, []byte{0x80})
		if b.Has(block.Sum(block.Raw, []byte{0x80})) || !b.Has(c) {
			t.Error("the raw block is held, or the CBOR block is not")
		}
	})
	t.Run("what is not held is not found", func(t *testing.T) {
		b := open(t)
		c := block.Sum(block.Raw, []byte("absent"))
		if _, err := b.Get(ctx, c); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
		if b.Has(c) {
			t.Error("Has = true")
		}
		if err := b.Delete(c); err != nil {
			t.Errorf("Delete = %v", err)
		}
	})
	t.Run("delete", func(t *testing.T) {
		b := open(t)
		c := put(t, b, block.Raw, []byte("gone"))
		if err := b.Delete(c); err != nil || b.Has(c) {
			t.Errorf("Delete = %v, Has = %v", err, b.Has(c))
		}
		if put(t, b, block.Raw, []byte("gone")); !b.Has(c) {
			t.Error("put again, not held")
		}
	})
	t.Run("bytes with a name", func(t *testing.T) {
		b := open(t)
		data := []byte("before")
		c := block.Sum(block.Raw, data)
		if err := b.PutNamed(ctx, c, []byte("after!")); !errors.Is(err, block.ErrMismatch) || b.Has(c) {
			t.Errorf("PutNamed of other bytes = %v, Has = %v", err, b.Has(c))
		}
		if err := b.PutNamed(ctx, c, data); err != nil {
			t.Fatal(err)
		}
		copy(data, "after!")
		if got, err := b.Get(ctx, c); err != nil || string(got) != "before" {
			t.Errorf("Get = %q, %v", got, err)
		}
		other := block.Sum(block.Raw, data)
		if b.Has(other) {
			t.Error("the bytes with another name are held")
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if err := b.PutNamed(done, other, data); !errors.Is(err, context.Canceled) || b.Has(other) {
			t.Errorf("PutNamed after cancel = %v, Has = %v", err, b.Has(other))
		}
	})
	t.Run("bad input", func(t *testing.T) {
		b := open(t)
		if _, err := b.Put(ctx, block.Raw, make([]byte, block.MaxSize+1)); err == nil {
			t.Error("a block over the limit was put")
		}
		if _, err := b.Put(ctx, 0x70, nil); err == nil {
			t.Error("a block of an unknown codec was put")
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := b.Put(done, block.Raw, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Put after cancel = %v", err)
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		b := open(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range byte(50) {
					c, err := b.Put(ctx, block.Raw, []byte{i})
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := b.Get(ctx, c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}
