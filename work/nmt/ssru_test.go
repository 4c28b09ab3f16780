package nmt

import (
	"errors"
	"slices"
	"testing"
)

// recurrent is the toy with SSRUs, embeddings of its own and bare sources.
func recurrent() Config {
	c := toy
	c.Form = Form{Recurrent: true, BareSource: true, OwnOutput: true, SourceVocab: 9, SourceEOS: EOS, Positions: Unplaced}
	return c
}

// TestSSRU: on every device, alone and with others, in steps and in a loss, a decoder with SSRUs
// gives the same bits; each costs what the meter says.
func TestSSRU(t *testing.T) {
	c := recurrent()
	p := Init(c, 5)
	for i := range p.Len() { // no bias is zero
		for j := range p.At(i).F {
			p.At(i).F[j] += float32((5*i+3*j)%13-6) / 16
		}
	}
	prepared, err := Prepare(c, p, false)
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{Source: [][]int32{{5, 3, 8}, {4}, {}, {7, 7}}, Target: [][]int32{{6, 3}, {9, 4, 4, 5, 6}, {3}, {}}}
	var first [][]float32
	var loss LossSums
	for _, dev := range devices(t) {
		e := NewEngine(dev, c)
		probs, err := e.LogProbs(p, b)
		if err != nil {
			t.Fatal(err)
		}
		sums, err := e.Loss(prepared, b)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first, loss = probs, sums
		}
		if !slices.EqualFunc(probs, first, sameBits) || sums != loss {
			t.Errorf("%s: %v and %+v, want %v and %+v", dev.Name(), probs, sums, first, loss)
		}
		for i := range b.Source {
			alone, err := e.LogProbs(prepared, Batch{Source: b.Source[i : i+1], Target: b.Target[i : i+1]})
			if err != nil || !sameBits(alone[0], first[i]) {
				t.Errorf("%s: pair %d alone has %v (%v), with others %v", dev.Name(), i, alone, err, first[i])
			}
		}
		if _, err := e.Gradient(p, []Batch{b}, DropoutKey{}); !errors.Is(err, errRecurrent) {
			t.Errorf("a gradient: %v", err)
		}
		e.Shortlist = &Shortlist{starts: make([]int32, c.Vocab+1)}
		if _, _, err := e.Greedy(p, b.Source, TwicePlusTen); err == nil {
			t.Error("a shortlist of another vocabulary is taken")
		}
	}
	m := NewMeter(c)
	sizes, err := SizesOf(c, b)
	if err != nil || m.Loss(sizes) != loss.Cost {
		t.Errorf("the loss costs %d, the meter says %d (%v)", loss.Cost, m.Loss(sizes), err)
	}
	for _, bad := range []Batch{
		{Source: [][]int32{{9}}, Target: [][]int32{{3}}},          // not in the sources' vocabulary
		{Source: [][]int32{{EOS}}, Target: [][]int32{{3}}},        // the engine's own
		{Source: [][]int32{{3}}, Target: [][]int32{{int32(BOS)}}}, // likewise
	} {
		if _, err := NewEngine(devices(t)[0], c).LogProbs(p, bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	// The rows of its cache begin with BOS.
	if c.Start = 5; c.Validate() == nil {
		t.Error("SSRUs behind a token in front of BOS are taken")
	}
}
