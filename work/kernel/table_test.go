package kernel

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTableIsComplete(t *testing.T) {
	names := map[string]bool{}
	for op := Op(1); op < numOps; op++ {
		r := &Ops[op]
		if r.Name == "" || r.Version == 0 || names[r.Name] {
			t.Errorf("row %d: name %q, version %d", op, r.Name, r.Version)
		}
		names[r.Name] = true
		if len(calls(op)) == 0 {
			t.Errorf("%v has no conformance case", op)
		}
		for _, c := range calls(op) {
			if Cost(&c) == 0 {
				t.Errorf("%v costs nothing", op)
			}
		}
	}
	if got := Op(200).String(); got != "Op(200)" {
		t.Errorf("got %q", got)
	}
}

// TestLocalsAndInPlace compares the two tables of optional properties with the calls of
// the operations: one letter or one entry for each input and output.
func TestLocalsAndInPlace(t *testing.T) {
	for op, letters := range Locals { // order-free: independent rows
		c := calls(op)[0]
		in, out, _ := strings.Cut(letters, ">")
		if len(in) != len(c.In) || len(out) != len(c.Out) || strings.Trim(in+out, "wrtqks") != "" {
			t.Errorf("Locals says %q of %v, which has %d inputs and %d outputs", letters, op, len(c.In), len(c.Out))
		}
	}
	for op, ways := range InPlace { // order-free: independent rows
		for _, c := range calls(op) {
			for _, way := range ways {
				if len(way) != len(c.Out) {
					t.Fatalf("InPlace says %v of %v, which has %d outputs", way, op, len(c.Out))
				}
				for o, i := range way {
					if !slices.Equal(c.In[i].Shape, c.Out[o].Shape) || c.In[i].Type != c.Out[o].Type {
						t.Errorf("InPlace says %v of %v, whose input %d has another shape than output %d", way, op, i, o)
					}
				}
			}
		}
	}
}

// TestInferRejects breaks the inputs of every row one at a time: their number,
// and each one's type, rank and sizes.
func TestInferRejects(t *testing.T) {
	for op := Op(1); op < numOps; op++ {
		c := calls(op)[0]
		reject := func(what string, in []Tensor) {
			t.Helper()
			if _, err := Infer(op, c.Attr, in); err == nil || !strings.HasPrefix(err.Error(), op.String()+":") {
				t.Errorf("%v with %s: got error %v", op, what, err)
			}
		}
		reject("no inputs", nil)
		reject("an input too many", append(c.In[:len(c.In):len(c.In)], New(F32, 1)))
		for i := range c.In {
			alter := func(what string, change func(x *Tensor)) {
				t.Helper()
				in := append([]Tensor(nil), c.In...)
				change(&in[i])
				reject(what, in)
			}
			alter("another type", func(x *Tensor) { x.Type = x.Type%I8 + 1 })
			alter("no dimensions", func(x *Tensor) { x.Shape = nil })
			alter("an empty dimension", func(x *Tensor) { x.Shape = []int{0, 3} })
			if len(c.In) > 1 && !(op == Dropout && i == 0) { // any shape would do
				alter("five dimensions", func(x *Tensor) { x.Shape = []int{1, 1, 1, 1, 99} })
			}
		}
	}
}

func TestInferRejectsAttributes(t *testing.T) {
	seg := func(words ...int32) Tensor { return Tensor{Type: I32, Shape: []int{len(words) / 4, 4}, I: words} }
	x, p := New(F32, 6, 8), New(F32, 8)
	for _, c := range []struct {
		what string
		c    Call
	}{
		{"unknown transposition", Call{Op: MatMul, Attr: Attr{Trans: 3}, In: []Tensor{x, x}}},
		{"inner dimensions", Call{Op: MatMul, In: []Tensor{x, x}}},
		{"rate of one", Call{Op: Dropout, Attr: Attr{Rate: 1}, In: []Tensor{x, New(I32, 4)}}},
		{
			"rate that is no number",
			Call{Op: Dropout, Attr: Attr{Rate: float32(math.NaN())}, In: []Tensor{x, New(I32, 4)}},
		},
		{"scale of two", Call{Op: AddQuantized, Attr: Attr{Scale: 2}, In: []Tensor{x, New(I8, 6, 8), New(F32, 1)}}},
		{"no heads", Call{Op: AttnScores, In: []Tensor{x, x, seg(0, 6, 0, 6)}}},
		{"heads that do not divide", Call{Op: AttnScores, Attr: Attr{Heads: 3}, In: []Tensor{x, x, seg(0, 6, 0, 6)}}},
		{"queries past the end", Call{Op: AttnScores, Attr: Attr{Heads: 2}, In: []Tensor{x, x, seg(1, 6, 0, 6)}}},
		{"keys past the end", Call{Op: AttnScores, Attr: Attr{Heads: 2}, In: []Tensor{x, x, seg(0, 6, 1, 6)}}},
		{"a negative start", Call{Op: AttnScores, Attr: Attr{Heads: 2}, In: []Tensor{x, x, seg(-1, 6, 0, 6)}}},
		{"an empty segment", Call{Op: AttnScores, Attr: Attr{Heads: 2}, In: []Tensor{x, x, seg(0, 0, 0, 6)}}},
		{
			"seg without data",
			Call{Op: AttnScores, Attr: Attr{Heads: 2}, In: []Tensor{x, x, {Type: I32, Shape: []int{1, 4}}}},
		},
		{
			"overlapping queries",
			Call{Op: AttnMix, Attr: Attr{Heads: 1}, In: []Tensor{p, x, seg(0, 2, 0, 2, 1, 2, 2, 2)}},
		},
		{"overlapping keys", Call{Op: AttnMixT, Attr: Attr{Heads: 1}, In: []Tensor{p, x, seg(0, 2, 0, 2, 2, 2, 1, 2)}}},
		{"scores of another size", Call{Op: AttnMix, Attr: Attr{Heads: 2}, In: []Tensor{p, x, seg(0, 2, 0, 6)}}},
		{"more ids than rows", Call{Op: Scatter, In: []Tensor{x, New(I32, 3), New(F32, 2, 8)}}},
		{"rows of another width", Call{Op: Scatter, In: []Tensor{x, New(I32, 2), New(F32, 2, 7)}}},
		{"the largest none", Call{Op: TopK, In: []Tensor{x}}},
		{"fewer than none", Call{Op: TopK, Attr: Attr{Rows: -1}, In: []Tensor{x}}},
		{"more than there are", Call{Op: TopK, Attr: Attr{Rows: 9}, In: []Tensor{x}}},
		{"an unknown operation", Call{Op: numOps}},
	} {
		if _, err := Infer(c.c.Op, c.c.Attr, c.c.In); err == nil {
			t.Errorf("%s: no error", c.what)
		}
	}
}

func TestDoPanicsOnBrokenCall(t *testing.T) {
	x := New(F32, 2, 3)
	for what, c := range map[string]Call{ // order-free: independent cases
		"no output":   {Op: Relu, In: []Tensor{x}},
		"wrong shape": {Op: Relu, In: []Tensor{x}, Out: []Tensor{New(F32, 3, 2)}},
		"wrong type":  {Op: ArgMax, In: []Tensor{x}, Out: []Tensor{New(F32, 2)}},
		"wrong ids": {
			Op: TopK, Attr: Attr{Rows: 2}, In: []Tensor{x}, Out: []Tensor{New(F32, 2, 2), New(I32, 2, 3)},
		},
		"input storage":  {Op: Relu, In: []Tensor{{Type: F32, Shape: []int{2, 3}}}, Out: []Tensor{x}},
		"output storage": {Op: Relu, In: []Tensor{x}, Out: []Tensor{{Type: F32, Shape: []int{2, 3}}}},
		"index too large": {
			Op: Gather, In: []Tensor{x, {Type: I32, Shape: []int{1}, I: []int32{2}}}, Out: []Tensor{New(F32, 1, 3)},
		},
		"negative index": {
			Op: Scatter, In: []Tensor{x, {Type: I32, Shape: []int{1}, I: []int32{-1}}, New(F32, 1, 3)},
			Out: []Tensor{New(F32, 2, 3)},
		},
	} {
		for _, b := range backends() {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: %s did not panic", b.name, what)
					}
				}()
				newDevice(b.name, 1, b.cells()).Do(&c)
			}()
		}
	}
}

func TestAttrEncoding(t *testing.T) {
	a := Attr{Trans: TN, Heads: 2, Causal: true, Scale: 1, Eps: -0.5, Beta1: 2, Beta2: 4, Rate: 0.5, Site: 7, Rows: 9}
	got, _ := a.AppendBinary([]byte("x"))
	want := "x\x02\x00\x00\x00\x02\x01\x3f\x80\x00\x00\xbf\x00\x00\x00\x40\x00\x00\x00\x40\x80\x00\x00\x3f\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x09"
	if string(got) != want {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestNoAllocation runs every case of every row twice on one worker: the
// second run has all the storage it needs. What the runtime allocates meanwhile
// is counted too, so only an allocation in each of three trials is one of ours.
func TestNoAllocation(t *testing.T) {
	for _, b := range backends() {
		if !b.usable() || b.name == portable.name {
			continue
		}
		dev := newDevice(b.name, 1, b.cells())
		for op := Op(1); op < numOps; op++ {
			for i, c := range calls(op) {
				n := 1.0
				for trial := 0; trial < 3 && n != 0; trial++ {
					n = testing.AllocsPerRun(1, func() { dev.Do(&c) })
				}
				if n != 0 {
					t.Errorf("%s: %v case %d allocates %v times", b.name, op, i, n)
				}
			}
		}
	}
}

// TestGenerated compares the committed assembly with what the generator
// writes. The generator is a module of its own, which go may have to fetch.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	if out, err := exec.Command("go", "-C", "internal/gen", "mod", "download").CombinedOutput(); err != nil {
		t.Skipf("what the generator imports cannot be had here: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"avx512_amd64", []string{".", "-isa", "avx512", "-pkg", "kernel"}},
		{"avx2_amd64", []string{".", "-isa", "avx2", "-pkg", "kernel"}},
		{"neon_arm64", []string{"./neon"}},
	} {
		dir := t.TempDir()
		files := []string{c.name + ".s", c.name + ".go"}
		args := append([]string{"run", "-C", "internal/gen"}, c.args...)
		cmd := exec.Command("go", append(args, "-out", filepath.Join(dir, files[0]), "-stubs",
			filepath.Join(dir, files[1]))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("the generator: %v\n%s", err, out)
		}
		for _, name := range files {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			// The first line quotes the command.
			_, got, _ = bytes.Cut(got, []byte("\n"))
			_, want, _ = bytes.Cut(want, []byte("\n"))
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the generator writes; run go generate", name)
			}
		}
	}
}
