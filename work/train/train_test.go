package train

import (
	"slices"
	"testing"

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
	c.BatchTokens, c.Workers, c.Epochs = 64, 3, 4
	var lengths []Length
	for i := range 100 {
		lengths = append(lengths, Length{Source: 3 + i%11, Target: 2 + i%13})
	}
	s, err := NewSchedule(c, lengths)
	if err != nil {
		t.Fatal(err)
	}
	read := make([]int, len(lengths))
	for r := range s.Rounds() {
		round := s.Round(r)
		if len(round) == 0 || len(round) > 3 || len(round) < 3 && r+1 < s.Rounds() {
			t.Errorf("round %d has %d batches", r, len(round))
		}
		for _, batch := range round {
			var sum Length
			for _, i := range batch {
				read[i]++
				sum.Source, sum.Target = sum.Source+lengths[i].Source, sum.Target+lengths[i].Target
			}
			if sum.Source > 64 || sum.Target > 64 {
				t.Errorf("round %d: a batch of %+v tokens", r, sum)
			}
		}
		if !slices.EqualFunc(round, s.Round(r), slices.Equal) { // asked again, after others
			t.Errorf("round %d differs when asked again", r)
		}
	}
	for i, n := range read {
		if n != 4 {
			t.Errorf("pair %d was read %d times in 4 epochs", i, n)
		}
	}
	c.Rounds = 2
	if s, err = NewSchedule(c, lengths); err != nil || s.Rounds() != 2 {
		t.Errorf("%d rounds, %v; want the 2 asked for", s.Rounds(), err)
	}
}

// TestRate: linear to the peak, then the inverse square root.
func TestRate(t *testing.T) {
	c := demo(t)
	c.RatePPM, c.WarmUp = 4000, 100
	for r, want := range map[int]float32{0: 0.00004, 49: 0.002, 99: 0.004, 399: 0.002} {
		if got := c.hyper(r)[0]; got != want {
			t.Errorf("round %d: rate %v, want %v", r, got, want)
		}
	}
	if got := c.hyper(0)[1]; got != 10 { // 1/(1-0.9)
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

// TestCombine: the parameters move against the mean gradient, and whoever has
// the step arrives at them too.
func TestCombine(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	c := demo(t)
	params := vector(t, 1, -1, 0.5)
	deltas := []Delta{Quantize(dev, vector(t, 2, -2, 0)), Quantize(dev, vector(t, 4, -4, 0))}
	next, step, err := Combine(dev, c, Start(params), deltas, 0)
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
	if _, _, err := Combine(dev, c, Start(params), nil, 0); err == nil {
		t.Error("a round without deltas was combined")
	}
	if _, _, err := Combine(dev, c, Start(params), []Delta{Quantize(dev, vector(t, 1, 2))}, 0); err == nil {
		t.Error("a delta of another shape was combined")
	}
}
