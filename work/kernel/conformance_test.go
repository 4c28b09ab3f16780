package kernel

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite conformance.txt from the reference")

func reference() *device { return newDevice("portable", 1, [numOps]cell{}) }

// TestPublished regenerates the published digests from the reference.
func TestPublished(t *testing.T) {
	var b bytes.Buffer
	if err := conformance(&b, reference()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("conformance.txt", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), published) {
		t.Error("conformance.txt differs from the reference; rerun with -update if the new bits are intended")
	}
}

func TestCheckPassesEveryDevice(t *testing.T) {
	for _, name := range Names() {
		if _, err := Open(name, 2); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckFindsOneBit breaks each row of a device in the last bit of one
// output element.
func TestCheckFindsOneBit(t *testing.T) {
	for op := Op(1); op < numOps; op++ {
		broken := reference()
		broken.cells[op] = func(_ *scratch, c *Call, lo, hi int) {
			Ops[op].ref(c, lo, hi)
			switch out := c.Out[len(c.Out)-1]; out.Type {
			case F32:
				out.F[0] = Fma(out.F[0], 1.0000002, 1e-45)
			case I32:
				out.I[0] ^= 1
			case I8:
				out.B[0] ^= 1
			}
		}
		if err := Check(broken); err == nil || !strings.Contains(err.Error(), op.String()) {
			t.Errorf("%v: a flipped bit gives %v", op, err)
		}
	}
}

func TestCasesAreFinite(t *testing.T) {
	dev := reference()
	for op := Op(1); op < numOps; op++ {
		for i, c := range calls(op) {
			dev.Do(&c)
			for _, x := range slices.Concat(c.In, c.Out) {
				if !slices.ContainsFunc(x.F, func(v float32) bool { return !isFinite(v) }) {
					continue
				}
				t.Errorf("%v case %d holds a NaN or an infinity", op, i)
			}
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	if _, err := Open("abacus", 1); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, name := range Names() {
		dev, err := Open(name, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := Check(dev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
