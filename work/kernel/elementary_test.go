package kernel

import (
	"math"
	"testing"
)

// ulps is the distance of got from the exact value in units in the last place
// of the exact value's binary32 neighbour.
func ulps(got float32, exact float64) float64 {
	near := float32(exact)
	unit := float64(math.Nextafter32(near, math.MaxFloat32)) - float64(near)
	return math.Abs(float64(got)-exact) / unit
}

// worst returns the largest error of f over every step-th binary32 number
// from lo to hi, of one sign.
func worst(
	f func(float32) float32, exact func(float64) float64, lo, hi float32, step uint32,
) (at float32, err float64) {
	for b := math.Float32bits(lo); b <= math.Float32bits(hi); b += step {
		x := math.Float32frombits(b)
		if e := ulps(f(x), exact(float64(x))); e > err {
			at, err = x, e
		}
	}
	return at, err
}

// The bounds are facts to be noticed when they change, not tolerances: the
// conformance digests fix the bits.
func TestExpAccuracy(t *testing.T) {
	for _, r := range [][2]float32{{1e-8, 88.7}, {-1e-8, -103.9}} {
		if at, err := worst(Exp, math.Exp, r[0], r[1], 997); err > 1.01 {
			t.Errorf("Exp(%v) is off by %.3f ulp", at, err)
		}
	}
}

func TestLogAccuracy(t *testing.T) {
	if at, err := worst(Log, math.Log, math.SmallestNonzeroFloat32, math.MaxFloat32, 7919); err > 1.01 {
		t.Errorf("Log(%v) is off by %.3f ulp", at, err)
	}
}

func TestElementarySpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"exp 0", Exp(0), 1},
		{"exp -0", Exp(float32(math.Copysign(0, -1))), 1},
		{"exp -104", Exp(-104), 0},
		{"exp -1e30", Exp(-1e30), 0},
		{"exp -inf", Exp(-inf), 0},
		{"exp 89", Exp(89), inf},
		{"exp inf", Exp(inf), inf},
		{"log 0", Log(0), -inf},
		{"log 1", Log(1), 0},
		{"log inf", Log(inf), inf},
		{"1/sqrt 4", InvSqrt(4), 0.5},
	} {
		if !sameFloat(c.got, c.want) {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
	for _, x := range []float32{Exp(nan), Log(nan), Log(-1)} {
		if x == x {
			t.Errorf("got %v, want NaN", x)
		}
	}
}

// The vectors are Random123 1.14's kat_vectors for philox4x32, 10 rounds.
func TestPhilox(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := Philox(c.counter, c.key); got != c.want {
			t.Errorf("Philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	for _, dim := range []int{1, 7, 128} {
		const length = 2000
		pe := Positions(length, dim)
		for p := range length {
			for i := range dim {
				angle := float64(p) * math.Pow(10000, -float64(i/2*2)/float64(dim))
				want := math.Sin(angle)
				if i%2 == 1 {
					want = math.Cos(angle)
				}
				if got := float64(pe[p*dim+i]); math.Abs(got-want) > 1e-7 {
					t.Fatalf("dim %d: element (%d,%d) is %v, want %v", dim, p, i, got, want)
				}
			}
		}
	}
}

func TestLaneSums(t *testing.T) {
	s := &source{}
	for n := range 140 {
		x := s.floats(n + 1).F
		var lane [32]float32
		for l := range lane {
			for i := l; i < len(x); i += 32 {
				lane[l] += x[i]
			}
		}
		for _, w := range []int{16, 8, 4, 2, 1} {
			for l := range w {
				lane[l] += lane[l+w]
			}
		}
		if got := laneSum(x); !sameFloat(got, lane[0]) {
			t.Fatalf("lane sum of %d elements is %v, want %v", n+1, got, lane[0])
		}
	}
}
