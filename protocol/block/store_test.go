package block_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/ipfs/go-cid"
)

func fileOf(dir string, c cid.Cid) string {
	name := c.String()
	return filepath.Join(dir, name[len(name)-2:], name)
}

func TestStoreKeepsAcrossOpens(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := put(t, s, block.Raw, []byte("kept"))
	// A process that is refused changes nothing: this one may be making a directory.
	tmp := filepath.Join(dir, "tmp")
	if err := os.Rename(tmp, tmp+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := block.Open(dir); !errors.Is(err, block.ErrInUse) || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("second Open = %v, want a refusal", err)
	}
	if err := os.Rename(tmp+"2", tmp); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(context.Background(), block.Raw, []byte("late")); err == nil {
		t.Error("Put after Close succeeded")
	}
	s = openStore(t, dir)
	if got, err := s.Get(context.Background(), c); err != nil || string(got) != "kept" {
		t.Errorf("Get = %q, %v", got, err)
	}
}

func TestStoreRemovesDamagedBlocks(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openStore(t, dir)
	c := put(t, s, block.Raw, []byte("sound"))
	if err := os.WriteFile(fileOf(dir, c), []byte("Sound"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, c); !errors.Is(err, block.ErrDamaged) || !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Get of a damaged block = %v", err)
	}
	if s.Has(c) || s.Damaged() != 1 {
		t.Errorf("Has = %v, Damaged = %d", s.Has(c), s.Damaged())
	}
	put(t, s, block.Raw, []byte("sound"))
	if _, err := s.Get(ctx, c); err != nil {
		t.Errorf("Get after putting it again: %v", err)
	}
}

func TestStoreRewritesTruncatedBlocks(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := put(t, s, block.Raw, []byte("whole"))
	if err := os.Truncate(fileOf(dir, c), 0); err != nil {
		t.Fatal(err)
	}
	put(t, s, block.Raw, []byte("whole"))
	if _, err := s.Get(context.Background(), c); err != nil {
		t.Error(err)
	}
}

// TestStoreRewritesZeros: a power cut may leave a file of the right size without
// its bytes.
func TestStoreRewritesZeros(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	data := bytes.Repeat([]byte("whole"), 100_000)
	c := put(t, s, block.Raw, data)
	for _, at := range []int{0, len(data) / 2, len(data) - 1} {
		torn := bytes.Clone(data)
		torn[at] = 0
		if err := os.WriteFile(fileOf(dir, c), torn, 0o644); err != nil {
			t.Fatal(err)
		}
		put(t, s, block.Raw, data)
		if _, err := s.Get(t.Context(), c); err != nil {
			t.Errorf("zero at byte %d: %v", at, err)
		}
	}
}

// syncs counts the syncs of each path.
type syncs struct {
	mu   sync.Mutex
	of   map[string]int
	fail error
}

func (s *syncs) Sync(f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[f.Name()]++
	return s.fail
}

func TestStoreSync(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blocks")
	var made syncs
	s, err := block.OpenOn(&made, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := put(t, s, block.Raw, []byte("a")), put(t, s, block.Raw, []byte("b"))
	for range 2 {
		made.of = map[string]int{}
		if err := s.Sync(t.Context(), []cid.Cid{a, b, a}); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{fileOf(dir, a), fileOf(dir, b), filepath.Dir(fileOf(dir, a)), filepath.Dir(fileOf(dir, b)), dir} {
			if made.of[path] != 1 {
				t.Errorf("%s was synced %d times, want once", path, made.of[path])
			}
		}
	}
	if err := s.Sync(t.Context(), []cid.Cid{a, block.Sum(block.Raw, []byte("absent"))}); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Sync of an absent block = %v, want ErrNotFound", err)
	}
	made.fail = errors.New("the device is gone")
	if err := s.Sync(t.Context(), []cid.Cid{a}); !errors.Is(err, made.fail) {
		t.Errorf("Sync = %v, want the disk's error", err)
	}
}

func TestStoreOpenDropsUnfinishedFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "tmp", "put-1")
	if err := os.WriteFile(left, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unfinished file: %v", err)
	}
}

// TestReaderSeesWholeBlocks puts and sweeps blocks while another process reads them:
// whoever finds a file under a block's name finds the block, and nothing else.
func TestReaderSeesWholeBlocks(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	other, err := block.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := make([][]byte, 64)
	for i := range data {
		data[i] = bytes.Repeat([]byte{byte(i)}, 1+i*2000)
	}
	var readers, writers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				c := block.Sum(block.Raw, data[i*7%len(data)])
				got, err := other.Inspect(c)
				if err == nil {
					err = block.Verify(c, got)
				}
				if err != nil && !errors.Is(err, block.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range 2 { // each has blocks of its own
		writers.Go(func() {
			for round := range 6 {
				for i := w; i < len(data); i += 2 {
					if _, err := s.Put(t.Context(), block.Raw, data[(i+14*round)%len(data)]); err != nil {
						t.Error(err)
					}
				}
				if _, err := s.Sweep(t.Context(), 100_000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
