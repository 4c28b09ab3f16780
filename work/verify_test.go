package work_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// kept runs the little run into a store on disk and opens it for reading.
func kept(t *testing.T) (dir string, claims *block.Reader, history []run.Round) {
	t.Helper()
	dir = t.TempDir()
	store, err := block.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, _, head := runLocal(t, store, "", block.Link{}, -1)
	if history, err = run.History(t.Context(), store, head); err != nil {
		t.Fatal(err)
	}
	store.Close()
	if claims, err = block.OpenReadOnly(dir); err != nil {
		t.Fatal(err)
	}
	return dir, claims, history
}

func verifier(t *testing.T, claims work.Claims) (*work.Verifier, *[]work.Finding) {
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	var findings []work.Finding
	return &work.Verifier{
		Worker: work.NewWorker(dev), Claims: claims, Report: func(f work.Finding) { findings = append(findings, f) },
	}, &findings
}

func result(t *testing.T, b block.Blocks, l block.Link) unit.Result {
	t.Helper()
	data, err := b.Get(t.Context(), l.Cid)
	if err != nil {
		t.Fatal(err)
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerifyHonestRun(t *testing.T) {
	_, claims, history := kept(t)
	v, findings := verifier(t, claims)
	if err := v.Rounds(t.Context(), history, 0, len(history)-1); err != nil {
		t.Fatal(err)
	}
	units := 0
	for _, r := range history {
		units += len(r.All())
	}
	if len(*findings) != units {
		t.Errorf("%d units verified, the run has %d", len(*findings), units)
	}
	// A round in the middle, whose beginning was let go, is reached from the checkpoint before.
	*findings = nil
	last := len(history) - 1
	if err := v.Rounds(t.Context(), history, last, last); err != nil {
		t.Error(err)
	}
	if got := (*findings)[0].Round; int(got) > last || len(*findings) == 0 {
		t.Errorf("verification began at round %d", got)
	}
}

// path is the file of a block, wherever the store puts it.
func path(t *testing.T, dir string, c cid.Cid) string {
	t.Helper()
	found := ""
	if err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, c.String()) {
			found = p
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if found == "" {
		t.Fatalf("block %s is not on disk", c)
	}
	return found
}

// TestVerifyFlippedBit: one bit of a stored output is found, in the tensor it is in.
func TestVerifyFlippedBit(t *testing.T) {
	dir, claims, history := kept(t)
	last := len(history) - 1
	delta := result(t, claims, history[last].Lines[0].Result).Outputs[0]
	var rec state.SetRecord
	if err := block.GetNode(t.Context(), claims, delta, &rec); err != nil {
		t.Fatal(err)
	}
	file := path(t, dir, rec.Data.Leaves[0].Cid)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	v, findings := verifier(t, claims)
	err = v.Rounds(t.Context(), history, last, last)
	if !errors.Is(err, work.ErrDiffers) {
		t.Fatalf("verification says %v, want that it differs", err)
	}
	for _, f := range *findings {
		if want := f.Unit != history[last].Lines[0].Unit; f.Same != want {
			t.Errorf("%s unit %d of round %d: same %v, want %v", f.Kind, f.Index, f.Round, f.Same, want)
		} else if !f.Same && f.Tensor != rec.Tensors[0].Name {
			t.Errorf("the difference is said to be in %q, it is in %q: %s", f.Tensor, rec.Tensors[0].Name, f.Detail)
		}
	}
}

// TestVerifyForgedResult: a result that is well formed, and wrong.
func TestVerifyForgedResult(t *testing.T) {
	_, claims, history := kept(t)
	forged := &forger{Reader: claims}
	last := len(history) - 1
	entry := &history[last].Lines[0]
	r := result(t, claims, entry.Result)
	set, err := state.GetSet(t.Context(), claims, r.Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	at := 3
	for len(set.At(at).B) == 0 {
		at++
	}
	set.At(at).B[0] ^= 1
	if r.Outputs[0], err = state.PutSet(t.Context(), forged, set); err != nil {
		t.Fatal(err)
	}
	if entry.Result, err = block.PutNode(t.Context(), forged, r); err != nil {
		t.Fatal(err)
	}
	v, findings := verifier(t, forged)
	if err := v.Rounds(t.Context(), history, last, last); !errors.Is(err, work.ErrDiffers) {
		t.Fatalf("verification says %v, want that it differs", err)
	}
	for _, f := range *findings {
		if f.Unit == entry.Unit && (f.Same || f.Tensor != set.At(at).Name) {
			t.Errorf("finding %+v, want a difference in %s", f, set.At(at).Name)
		}
	}
}

// forger is claims with blocks of its own.
type forger struct {
	*block.Reader
	own block.MemoryStore
}

func (f *forger) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if f.own.Has(c) {
		return f.own.Get(ctx, c)
	}
	return f.Reader.Get(ctx, c)
}

func (f *forger) Inspect(c cid.Cid) ([]byte, error) {
	if f.own.Has(c) {
		return f.own.Get(context.Background(), c)
	}
	return f.Reader.Inspect(c)
}

func (f *forger) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return f.own.Put(ctx, codec, data)
}

// TestTrace: a traced unit lists the same names and digests every time.
func TestTrace(t *testing.T) {
	_, claims, history := kept(t)
	plan, err := run.Open(t.Context(), claims, history[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	store := &forger{Reader: claims}
	from, err := plan.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(t.Context(), store, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	trace := func() (steps []tensor.Step) {
		v, _ := verifier(t, store)
		if err := v.Trace(t.Context(), units[0], func(s tensor.Step) { steps = append(steps, s) }); err != nil {
			t.Fatal(err)
		}
		return steps
	}
	a, b := trace(), trace()
	if len(a) < 50 || len(a) != len(b) {
		t.Fatalf("%d and %d operations", len(a), len(b))
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Digests[0] != b[i].Digests[0] {
			t.Errorf("operation %d differs between two traces", i)
		}
	}
}

// FuzzParseUnit: what parses is what was sent.
func FuzzParseUnit(f *testing.F) {
	u := unit.Unit{Version: 1, Kind: unit.Gradient, Work: named("run"), Inputs: []block.Link{named("params"), named("batch")}}
	f.Add(u.Spec())
	f.Add(unit.Unit{Version: 1, Kind: unit.Translate, Work: named("job"), Inputs: []block.Link{named("model"), named("text")}, Decoding: unit.Greedy}.Spec())
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := unit.Parse(data)
		if err == nil && string(u.Spec()) != string(data) {
			t.Error("a unit parsed from bytes that are not its own")
		}
	})
}

// FuzzParseResult: what parses is what was sent.
func FuzzParseResult(f *testing.F) {
	r := unit.Result{Version: 1, Unit: named("unit"), Outputs: []block.Link{named("delta")}, Tokens: 7, Cost: 9}
	seed, err := block.Encode(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := unit.ParseResult(data)
		if err != nil {
			return
		}
		if again, err := block.Encode(r); err != nil || string(again) != string(data) {
			t.Error("a result parsed from bytes that are not its own")
		}
	})
}

func named(s string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(s))} }
