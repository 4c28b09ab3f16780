package nmt

import (
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/tensor"
)

// forms is one of each difference, and those of MarianMT all together.
var forms = map[string]Form{
	"post-norm":   {PostNorm: true},
	"swish":       {Activation: Swish},
	"output bias": {OutputBias: true},
	"unscaled":    {Unscaled: true},
	"halves":      {Positions: Halves},
	"timescales":  {Positions: Timescales},
	"epsilon":     {NormEps: 1e-2},
	"marks":       {Marks: Marks{Pad: 10, BOS: 10, EOS: 0}},
	"sources":     {SourceVocab: 12, SourceEOS: 11},
	"position":    {Positions: Timescales, FirstPosition: 2},
	"start":       {Start: 2, Marks: Marks{Pad: 1, BOS: 10, EOS: 2}},
	"NLLB":        {Positions: Timescales, FirstPosition: 2, Start: 2, Marks: Marks{Pad: 1, BOS: 10, EOS: 2}},
	"bare":        {BareSource: true},
	"output":      {OwnOutput: true},
	"three matrices": {
		SourceVocab: 12, SourceEOS: 11, OwnOutput: true, BareSource: true, OutputBias: true,
		FirstPosition: 2, Start: 2, Marks: Marks{Pad: 1, BOS: 10, EOS: 2},
	},
	"MarianMT": {
		PostNorm: true, Activation: Swish, OutputBias: true, Positions: Halves,
		Marks: Marks{Pad: 10, BOS: 10, EOS: 0},
	},
}

// formed is the toy in a form, with parameters of which none is zero.
func formed(f Form) (Config, *tensor.Set) {
	c := toy
	c.Form, c.Dropout = f, 0
	p := Init(c, 3)
	for i := range p.Len() {
		w := words{key: [2]uint32{7}, tensor: uint32(i)}
		noise := make([]float32, len(p.At(i).F))
		w.fillUniform(noise, 0.5)
		for j := range noise {
			p.At(i).F[j] += noise[j]
		}
	}
	return c, p
}

// pairs is sentences without marks of any form.
func pairs() Batch {
	in := func(seed uint32) [][]int32 {
		all := sentences(seed, toy.Vocab-1, 4, 6)
		return slices.DeleteFunc(all, func(s []int32) bool { return len(s) == 0 })[:3]
	}
	return Batch{Source: in(1), Target: in(2)}
}

// TestForms decodes in every form and layout: a step gives the bits of the whole forward
// pass, a beam of one is greedy, and each form gives other losses than ours.
func TestForms(t *testing.T) {
	ours, p := formed(Form{})
	plain, err := NewEngine(open(t, ""), ours).Loss(p, pairs())
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range forms { // order-free: independent subtests
		t.Run(name, func(t *testing.T) {
			c, p := formed(f)
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			for _, dev := range devices(t) {
				e := NewEngine(dev, c)
				if s, err := e.Loss(p, pairs()); err != nil || s.Loss == plain.Loss {
					t.Errorf("loss %v, error %v; ours gives %v", s.Loss, err, plain.Loss)
				}
				for _, p := range layouts(t, c, p) {
					testForm(t, e, p)
				}
			}
		})
	}
}

func testForm(t *testing.T, e *Engine, p *tensor.Set) {
	for _, src := range pairs().Source {
		const limit = 5
		rows := steps(t, e, p, [][]int32{src}, limit)[0]
		out, _, err := e.Greedy(p, [][]int32{src}, func(int) int { return limit })
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if want := lastLogits(e, p, src, out[0][:i]).F; !sameBits(row, want) {
				t.Errorf("%s: position %d has logits %v, the forward pass %v", e.dev.Name(), i, row, want)
			}
		}
		beam, _, err := e.Beam(p, [][]int32{src}, func(int) int { return limit }, 1, 0)
		if err != nil || !slices.Equal(beam[0], out[0]) {
			t.Errorf("%s: a beam of one gives %v and %v, greedy %v", e.dev.Name(), beam, err, out)
		}
	}
}

// TestFormGradients compares each form's gradients with differences of the
// loss. All have a smooth activation: where ReLU turns, differences mean nothing.
func TestFormGradients(t *testing.T) {
	b := pairs()
	for name, f := range forms { // order-free: independent subtests
		t.Run(name, func(t *testing.T) {
			f.Activation = Swish
			c, p := formed(f)
			e := NewEngine(open(t, ""), c)
			g, err := e.Gradient(p, []Batch{b}, DropoutKey{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			loss := func() float64 {
				s, err := e.Loss(p, b)
				if err != nil {
					t.Fatal(err)
				}
				return float64(s.Loss) / float64(s.Tokens)
			}
			var wants []float64 // of each parameter's middle element; the gradient is the engine's
			for i := range p.Len() {
				x := g.Grads.At(i).F
				wants = append(wants, float64(x[len(x)/2]))
			}
			for i, want := range wants {
				x := p.At(i)
				at := len(x.F) / 2
				const h = 1.0 / 128
				old := x.F[at]
				x.F[at] = old + h
				up := loss()
				x.F[at] = old - h
				got := (up - loss()) / (2 * h)
				x.F[at] = old
				if math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
					t.Errorf("%s[%d]: gradient %v, differences %v", x.Name, at, want, got)
				}
			}
		})
	}
}

// TestFormGolden holds the bits of a gradient in forms of other programs, the
// same on every device.
func TestFormGolden(t *testing.T) {
	// order-free: independent
	for name, want := range map[string]string{"MarianMT": "a775db8fca639b6f", "timescales": "1e1cfd3bee0b5622"} {
		c, p := formed(forms[name])
		for _, dev := range devices(t) {
			g, err := NewEngine(dev, c).Gradient(p, []Batch{pairs()}, DropoutKey{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got := digest(g.Grads); got != want {
				t.Errorf("%s, %s: digest %s, want %s", name, dev.Name(), got, want)
			}
		}
	}
}

// TestPositions compares the layouts with their formulas.
func TestPositions(t *testing.T) {
	const rows, dim = 40, 12
	for layout, frequency := range map[Positions]func(i float64) float64{
		Halves:     func(i float64) float64 { return math.Pow(10000, -2*i/dim) },
		Timescales: func(i float64) float64 { return math.Pow(10000, -i/(dim/2-1)) },
	} {
		table := Config{Dim: dim, Form: Form{Positions: layout}}.PositionTable(rows)
		for p := range rows {
			for i := range dim / 2 {
				angle := float64(p) * frequency(float64(i))
				sin, cos := table[p*dim+i], table[p*dim+dim/2+i]
				if math.Abs(float64(sin)-math.Sin(angle)) > 1e-6 || math.Abs(float64(cos)-math.Cos(angle)) > 1e-6 {
					t.Errorf("layout %d, position %d, frequency %d: %v and %v for the angle %v", layout, p, i, sin,
						cos, angle)
				}
			}
		}
	}
}

func TestFormValidate(t *testing.T) {
	for what, f := range map[string]Form{
		"activation":  {Activation: Swish + 1},
		"positions":   {Positions: Unplaced + 1},
		"epsilon":     {NormEps: -1},
		"NaN":         {NormEps: float32(math.NaN())},
		"mark":        {Marks: Marks{Pad: 1, BOS: 11, EOS: 2}},
		"negative":    {Marks: Marks{Pad: -1, BOS: 1, EOS: 2}},
		"EOS is Pad":  {Marks: Marks{Pad: 2, BOS: 1, EOS: 2}},
		"EOS is BOS":  {Marks: Marks{Pad: 1, BOS: 2, EOS: 2}},
		"EOS outside": {Marks: Marks{Pad: 1, BOS: 2, EOS: 11}},
	} {
		c := toy
		if c.Form = f; c.Validate() == nil {
			t.Errorf("%s: %+v passes", what, f)
		}
	}
}
