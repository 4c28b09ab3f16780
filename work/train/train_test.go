package train

import (
	"math"
	"reflect"
	"testing"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

func demo(t *testing.T) Config {
	t.Helper()
	c, err := Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Source, c.Target = "en", "de"
	return c
}

func TestPresetsAreValid(t *testing.T) {
	for _, name := range Presets() {
		c, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Source, c.Target = "en", "de"
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Model(int(c.Pieces)).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Preset("huge"); err == nil {
		t.Error("an unknown preset was given")
	}
}

// TestScheduleReadsEveryPairOnceAnEpoch, whatever the rounds cut it into.
func TestScheduleReadsEveryPairOnceAnEpoch(t *testing.T) {
	c := demo(t)
	c.BatchTokens, c.Units, c.Epochs = 64, 3, 4
	var lengths []corpus.Length
	for i := range 100 {
		lengths = append(lengths, corpus.Length{Source: 3 + i%11, Target: 2 + i%13})
	}
	s, err := NewBatchSchedule(c, lengths)
	if err != nil {
		t.Fatal(err)
	}
	read := make([]int, len(lengths))
	for r := range s.Rounds() {
		round := s.Round(r)
		if len(round) == 0 || len(round) > 3 || len(round) < 3 && r+1 < s.Rounds() {
			t.Errorf("round %d has %d batches", r, len(round))
		}
		for _, unit := range round {
			batch := unit[0]
			var sum corpus.Length
			for _, i := range batch {
				read[i]++
				sum.Source, sum.Target = sum.Source+lengths[i].Source, sum.Target+lengths[i].Target
			}
			if sum.Source > 64 || sum.Target > 64 {
				t.Errorf("round %d: a batch of %+v tokens", r, sum)
			}
		}
		if !reflect.DeepEqual(round, s.Round(r)) { // asked again, after others
			t.Errorf("round %d differs when asked again", r)
		}
	}
	for i, n := range read {
		if n != 4 {
			t.Errorf("pair %d was read %d times in 4 epochs", i, n)
		}
	}
	c.Rounds = 2
	if s, err = NewBatchSchedule(c, lengths); err != nil || s.Rounds() != 2 {
		t.Errorf("%d rounds, %v; want the 2 asked for", s.Rounds(), err)
	}
}

// TestDecays: from the peak after the warm-up to zero at the last step.
func TestDecays(t *testing.T) {
	c := demo(t)
	c.RatePPM, c.WarmUp = 8000, 10
	half := func(x float64) float64 { return 0.5 * (1 + math.Cos(math.Pi*x)) }
	for decay, f := range map[string]func(done float64) float64{
		Cosine: half, Linear: func(x float64) float64 { return 1 - x }, Constant: func(float64) float64 { return 1 },
	} {
		c.Decay = decay
		for step := range 110 {
			want := 0.008 * f(float64(max(step-9, 0))/101)
			if step < 9 {
				want = 0.008 * float64(step+1) / 10
			}
			if got := float64(c.Rate(Position{Step: step, Steps: 110})); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: step %d: rate %v, want %v", decay, step, got, want)
			}
		}
	}
}

// TestRate: linear to the peak, then the inverse square root.
func TestRate(t *testing.T) {
	c := demo(t)
	c.RatePPM, c.WarmUp = 4000, 100
	for r, want := range map[int]float32{0: 0.00004, 49: 0.002, 99: 0.004, 399: 0.002} {
		if got := c.Rate(Position{Step: r}); got != want {
			t.Errorf("round %d: rate %v, want %v", r, got, want)
		}
	}
	if got := c.hyper(Position{}).F[1]; got != 10 { // 1/(1-0.9)
		t.Errorf("first correction %v, want 10", got)
	}
}

func vector(t *testing.T, xs ...float32) *tensor.Set {
	t.Helper()
	s, err := tensor.NewSet([]tensor.Named{{Name: "w", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{len(xs)}, F: xs}}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScheduleOfSteps: units of several steps read the batches that units of
// one would, in the same order, and every batch once.
func TestScheduleOfSteps(t *testing.T) {
	c := demo(t)
	c.BatchTokens, c.Units, c.Epochs = 64, 3, 4
	var lengths []corpus.Length
	for i := range 100 {
		lengths = append(lengths, corpus.Length{Source: 3 + i%11, Target: 2 + i%13})
	}
	flat := func(c Config) (all [][]int, s *BatchSchedule) {
		s, err := NewBatchSchedule(c, lengths)
		if err != nil {
			t.Fatal(err)
		}
		places := map[int]bool{}
		for r := range s.Rounds() {
			for k, unit := range s.Round(r) {
				if len(unit) == 0 || len(unit) > c.localSteps(r)*int(c.Accumulate) {
					t.Errorf("H=%d: round %d has a unit of %d batches", c.LocalSteps, r, len(unit))
				}
				for i := range unit {
					if at := c.Batch(r, k) + i; places[at] {
						t.Errorf("H=%d: two batches with number %d", c.LocalSteps, at)
					} else {
						places[at] = true
					}
				}
				all = append(all, unit...)
			}
		}
		return all, s
	}
	want, s := flat(c)
	if got := s.Steps(); got != s.Rounds() {
		t.Errorf("%d steps in %d rounds of one", got, s.Rounds())
	}
	for _, v := range []struct{ accumulate, steps, lead uint32 }{{1, 5, 0}, {2, 1, 0}, {2, 4, 3}, {1, 100, 1}, {3, 7, 1000}} {
		c := c
		c.Accumulate, c.LocalSteps, c.Lead = v.accumulate, v.steps, v.lead
		got, s := flat(c)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %d batches in another order than the %d of rounds of one step", v, len(got), len(want))
		}
		if steps := ceil(len(want), int(c.Units*c.Accumulate)); s.Steps() != steps {
			t.Errorf("%+v: %d steps, want %d", v, s.Steps(), steps)
		}
	}
}

// TestFactor: rank-one matrices are kept, vectors are, and what is not factors
// of these parameters is refused.
func TestFactor(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	params, err := tensor.NewSet([]tensor.Named{
		{Name: "b", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{3}, F: []float32{1, 2, 3}}},
		{Name: "w", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{2, 2}, F: []float32{2, 6, 1, 3}}},
		{Name: "z", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{2, 2}, F: []float32{0, 0, 0, 0}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := Factor(dev, params)
	got, err := Expand(dev, params, v)
	if err != nil {
		t.Fatal(err)
	}
	if name, differs := got.Difference(params); differs {
		t.Errorf("tensor %s is not what was factored", name)
	}
	for name, bad := range map[string]*tensor.Set{"unfactored": params, "of another model": Factor(dev, vector(t, 1))} {
		if _, err := Expand(dev, params, bad); err == nil {
			t.Errorf("a second moment %s was taken", name)
		}
	}
}

// TestCombine: the parameters move against the mean gradient, and whoever has
// the step arrives at them too.
func TestCombine(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	c := demo(t)
	params := vector(t, 1, -1, 0.5)
	deltas := []Contribution{{Delta: Quantize(dev, vector(t, 2, -2, 0), 8)}, {Delta: Quantize(dev, vector(t, 4, -4, 0), 8)}}
	next := Start(c, params.Clone())
	step, err := Combine(dev, c, Position{}, &next, deltas, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := next.Params.At(0).F
	if !(got[0] < 1 && got[1] > -1 && got[2] == 0.5) {
		t.Errorf("parameters moved to %v", got)
	}
	advanced, err := Advance(dev, params, step)
	if err != nil {
		t.Fatal(err)
	}
	if name, differs := advanced.Difference(next.Params); differs {
		t.Errorf("tensor %s differs for one who took the step", name)
	}
	if _, err := Combine(dev, c, Position{}, &next, nil, 0); err == nil {
		t.Error("a round without deltas was combined")
	}
	if _, err := Combine(dev, c, Position{}, &next, []Contribution{{Delta: Quantize(dev, vector(t, 1, 2), 8)}}, 0); err == nil {
		t.Error("a delta of another shape was combined")
	}
	if name, differs := advanced.Difference(next.Params); differs {
		t.Errorf("a combine that failed changed tensor %s", name)
	}
}
