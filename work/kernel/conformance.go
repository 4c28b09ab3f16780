package kernel

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// published lists the digests of the inputs and outputs of every conformance case, in
// lines of the form "operation case input output": NUMERICS.md, section 10.
//
//go:embed conformance.txt
var published []byte

// ErrConformance is in the chain of the error of a device whose bits differ from the
// published ones. Such a device must not be used.
var ErrConformance = errors.New("device breaks the numeric specification")

// Check runs every conformance case on dev and compares the digests with the published
// ones. It takes milliseconds. The error names the first case that differs. Check also
// fails on a processor that flushes subnormal numbers to zero, and on a device that
// breaks down.
func Check(dev Device) (err error) {
	defer Recover(&err)
	if flushesSubnormals() {
		return fmt.Errorf("check %s: the processor flushes subnormal numbers to zero: %w", dev.Name(), ErrConformance)
	}
	want := bufio.NewScanner(bytes.NewReader(published))
	// Line by line, so that the first wrong case ends the check.
	return eachCase(dev, func(line string) error {
		if !want.Scan() || want.Text() != line {
			op, _, _ := strings.Cut(line, " ")
			return fmt.Errorf("check %s: %s: got %q, published is %q: %w",
				dev.Name(), op, line, want.Text(), ErrConformance)
		}
		return nil
	})
}

// Compare runs every conformance case on dev and reports for each whether it agrees with
// the published digests. name is the operation and the case's number, such as "MatMul 3".
// The error is a breakdown of the device.
func Compare(dev Device, report func(name string, agrees bool)) (err error) {
	defer Recover(&err)
	want := bufio.NewScanner(bytes.NewReader(published))
	return eachCase(dev, func(line string) error {
		name := strings.Join(strings.Fields(line)[:2], " ")
		report(name, want.Scan() && want.Text() == line)
		return nil
	})
}

// conformance writes the file of digests as dev computes it.
func conformance(w io.Writer, dev Device) error {
	return eachCase(dev, func(line string) error {
		_, err := fmt.Fprintln(w, line)
		return err
	})
}

// eachCase runs the cases in the table's sequence, and reports the line of each.
func eachCase(dev Device, report func(line string) error) error {
	for op := range numOps {
		if op == 0 {
			continue
		}
		for i, c := range calls(op) {
			in := digest(&c, c.In)
			dev.Do(&c)
			line := fmt.Sprintf("%v %d %x %x", op, i, in, digest(&c, c.Out))
			if err := report(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// digest is SHA-256 of the operation's name, version and attributes, and of
// the tensors' types, shapes and elements, little endian: NUMERICS.md, section 10.
func digest(c *Call, ts []Tensor) [32]byte {
	le := binary.LittleEndian
	b := []byte(c.Op.String())
	b = le.AppendUint16(b, Ops[c.Op].Version)
	b, _ = c.Attr.AppendBinary(b)
	for i := range ts {
		t := &ts[i]
		b = append(b, byte(t.Type), byte(len(t.Shape)))
		for _, d := range t.Shape {
			b = le.AppendUint32(b, uint32(d))
		}
		for _, x := range t.F {
			b = le.AppendUint32(b, math.Float32bits(x))
		}
		for _, x := range t.I {
			b = le.AppendUint32(b, uint32(x))
		}
		for _, x := range t.B {
			b = append(b, byte(x))
		}
	}
	return sha256.Sum256(b)
}

// flushesSubnormals reports whether the processor is in a mode that replaces
// subnormal results (FTZ) or operands (DAZ) by zero.
func flushesSubnormals() bool {
	least := math.Float32frombits(1)
	return product32(math.Float32frombits(0x00800000), 0.5) == 0 || product32(least, 2) == 0
}

// product32 multiplies at run time: noinline keeps the compiler from doing it.
//
//go:noinline
func product32(x, y float32) float32 { return x * y }
