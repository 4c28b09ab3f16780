package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigFma rounds x*y+z once with math/big, for finite arguments.
func bigFma(x, y, z float32) float32 {
	exact := func(v float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(v)) }
	s := exact(x)
	s.Mul(s, exact(y)).Add(s, exact(z))
	if s.Sign() == 0 {
		p := float64(x) * float64(y)
		return float32(p + float64(z)) // the sign of an exact zero
	}
	f, _ := s.Float32()
	return f
}

// isFinite reports whether x is neither infinite nor NaN.
func isFinite(x float32) bool { return math.Float32bits(x)>>23&0xff != 0xff }

func sameFloat(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func TestFmaAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	finite := func() float32 {
		for {
			if x := math.Float32frombits(r.Uint32()); isFinite(x) {
				return x
			}
		}
	}
	near := func(e int) float32 { return float32(math.Ldexp(1+float64(r.Uint32N(1<<23))/(1<<23), e)) }
	makers := map[string]func() (x, y, z float32){
		"any": func() (x, y, z float32) { return finite(), finite(), finite() },
		"same size": func() (x, y, z float32) {
			return near(r.IntN(4)), -near(r.IntN(4)), near(r.IntN(8))
		},
		// z is so far below or above the product that the sum is at, or
		// within a hair of, the middle of two binary32 numbers.
		"halfway": func() (x, y, z float32) {
			x, y = near(0), near(0)
			if r.IntN(2) == 0 {
				x, y = float32(r.IntN(1<<12)+1), float32(r.IntN(1<<12)+1)
			}
			p := float32(x * y)
			ulp := float64(math.Nextafter32(p, math.MaxFloat32)) - float64(p)
			z = float32(float64(p) - float64(x)*float64(y) + ulp/2)
			if r.IntN(2) == 0 {
				z += float32(math.Ldexp(float64(r.IntN(3)-1), -120+r.IntN(80)))
			}
			return x, y, z
		},
		"tiny addend": func() (x, y, z float32) {
			x, y = float32(r.IntN(1<<13)), float32(r.IntN(1<<13))
			return x, y, float32(math.Ldexp(float64(r.IntN(5)-2), -149+r.IntN(140)))
		},
		"subnormal": func() (x, y, z float32) {
			return near(-70 - r.IntN(12)), near(-70 + r.IntN(12)), math.Float32frombits(r.Uint32() & 0x80ffffff)
		},
		"overflow": func() (x, y, z float32) {
			return near(63 + r.IntN(2)), near(62 + r.IntN(3)),
				-near(120 + r.IntN(8))
		},
	}
	for name, make := range makers { // order-free: independent subtests
		t.Run(name, func(t *testing.T) {
			for range 40_000 {
				x, y, z := make()
				if got, want := Fma(x, y, z), bigFma(x, y, z); !sameFloat(got, want) {
					t.Fatalf("Fma(%x, %x, %x) = %x, want %x", x, y, z, got, want)
				}
			}
		})
	}
}

func TestFmaSpecial(t *testing.T) {
	inf, neg0 := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	for _, c := range []struct{ x, y, z, want float32 }{
		{0, 5, neg0, 0},
		{neg0, 5, neg0, neg0},
		{1, -1, 1, 0},
		{inf, 1, 0, inf},
		{inf, -1, 0, -inf},
		{1e-30, -1e-30, 0, neg0},
		{1e-30, 1e-30, neg0, 0},
	} {
		if got := Fma(c.x, c.y, c.z); !sameFloat(got, c.want) {
			t.Errorf("Fma(%v, %v, %v) = %v, want %v", c.x, c.y, c.z, got, c.want)
		}
	}
	for _, got := range []float32{Fma(inf, 0, 1), Fma(inf, 1, -inf)} {
		if got == got {
			t.Errorf("got %v, want NaN", got)
		}
	}
}

var sink float32

func BenchmarkFma(b *testing.B) {
	x, y := float32(1.0001), float32(0.9997)
	z := [4]float32{}
	for b.Loop() {
		for l := range z {
			z[l] = Fma(x, y, z[l])
		}
	}
	sink = z[0]
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(4*b.N), "ns/fma")
}
