package nmt

import (
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/tensor"
)

func equal(a, b []int32) bool { return slices.Equal(a, b) }

// sharp is parameters of the toy with weights so large that every token
// decides about the next ones, leaning to EOS.
func sharp() *tensor.Set {
	p := Init(toy, 3)
	for i := range p.Len() {
		if x := p.At(i); len(x.Shape) == 2 && x.Name != "embedding.weight" {
			for j := range x.F {
				x.F[j] *= 4
			}
		}
	}
	table, _ := p.Get("embedding.weight")
	bias, _ := p.Get("decoder.norm.bias")
	for j := range bias.F {
		bias.F[j] = table.F[EOS*toy.Dim+j] / 2
	}
	return p
}

// steps decodes sources greedily for at most n tokens and returns every
// sentence's logits at each position.
func steps(t *testing.T, e *Engine, p *tensor.Set, sources [][]int32, n int) [][][]float32 {
	t.Helper()
	rows := make([][][]float32, len(sources))
	outputs := make([][]int32, len(sources))
	_, err := e.translate(p, sources, func(int) int { return n }, 1, func(w wave) error {
		for at := 0; len(e.decoder.live) > 0; at++ {
			logits := e.decoder.step(at)
			best := make([]int32, len(e.decoder.live))
			for i, h := range e.decoder.live {
				row := slices.Clone(logits.F[i*logits.Shape[1]:][:logits.Shape[1]])
				s := w.sentences[h.sentence]
				rows[s] = append(rows[s], row)
				best[i] = int32(slices.Index(row, slices.Max(row)))
			}
			e.advance(w, best, outputs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestGreedyBatch decodes in batches of 1, 7 and all, in two orders: a
// sentence's tokens and logits are the same bits.
func TestGreedyBatch(t *testing.T) {
	const limit = 9
	for _, dev := range devices(t) {
		for _, p := range layouts(t, toy, sharp()) {
			testGreedyBatch(t, NewEngine(dev, toy), p, limit)
		}
	}
}

func testGreedyBatch(t *testing.T, e *Engine, p *tensor.Set, limit int) {
	src := sentences(4, toy.Vocab, 64, 12)
	want := steps(t, e, p, src, limit)
	tokens, _, err := e.Greedy(p, src, func(int) int { return limit })
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 7} {
		from := 0
		for part := range slices.Chunk(src, size) {
			part = slices.Clone(part)
			slices.Reverse(part)
			got := steps(t, e, p, part, limit)
			out, _, err := e.Greedy(p, part, func(int) int { return limit })
			if err != nil {
				t.Fatal(err)
			}
			for i := range part {
				s := from + len(part) - 1 - i
				if !equal(out[i], tokens[s]) {
					t.Errorf("%s, batches of %d: sentence %d gives %v, with all %v", e.dev.Name(), size, s, out[i],
						tokens[s])
				}
				if !slices.EqualFunc(got[i], want[s], sameBits) {
					t.Errorf("%s, batches of %d: sentence %d has other logits", e.dev.Name(), size, s)
				}
			}
			from += len(part)
		}
	}
}

// TestStepEqualsForward compares the logits of decoding with those of the
// whole forward pass over the tokens decoded: the same bits.
func TestStepEqualsForward(t *testing.T) {
	for _, dev := range devices(t) {
		for _, p := range layouts(t, toy, sharp()) {
			testStepEqualsForward(t, NewEngine(dev, toy), p)
		}
	}
}

func testStepEqualsForward(t *testing.T, e *Engine, p *tensor.Set) {
	for _, src := range sentences(4, toy.Vocab, 5, 12) {
		const limit = 7
		got := steps(t, e, p, [][]int32{src}, limit)[0]
		out, _, err := e.Greedy(p, [][]int32{src}, func(int) int { return limit })
		if err != nil {
			t.Fatal(err)
		}
		e.in.load(p)
		e.in.pack([][]int32{src}, out)
		m := newModel(toy, &e.in)
		logits := m.decode(m.encode())
		plan := m.g.Compile(&e.arena, logits)
		plan.Run(e.dev)
		want := plan.Result(logits)
		for i, row := range got {
			if w := want.F[i*toy.Vocab:][:toy.Vocab]; !sameBits(row[EOS:], w[EOS:]) {
				t.Errorf("%s, layout %d: position %d has logits %v, the forward pass %v", e.dev.Name(), e.layout, i,
					row, w)
			}
		}
	}
}

// TestGreedyLimits checks limits, empty inputs and the tokens that come out.
func TestGreedyLimits(t *testing.T) {
	e, p := NewEngine(open(t, ""), toy), sharp()
	src := append(sentences(4, toy.Vocab, 9, 12), nil)
	for _, limit := range []int{0, 1, 5} {
		out, cost, err := e.Greedy(p, src, func(int) int { return limit })
		if err != nil || (cost == 0) != (limit == 0) {
			t.Fatalf("limit %d: cost %d, error %v", limit, cost, err)
		}
		for i, o := range out {
			if len(o) > limit {
				t.Errorf("limit %d: output %d has %d tokens", limit, i, len(o))
			}
			for _, id := range o {
				if id <= EOS || int(id) >= toy.Vocab {
					t.Errorf("output %d holds token %d", i, id)
				}
			}
		}
	}
	if out, cost, err := e.Greedy(p, nil, TwicePlusTen); len(out) != 0 || cost != 0 || err != nil {
		t.Errorf("no source: %v, %d, %v", out, cost, err)
	}
}

// TestWaves checks that each sentence is in one wave, within the bounds.
func TestWaves(t *testing.T) {
	src := sentences(4, toy.Vocab, 300, 200)
	seen := map[int]int{}
	var rooms []room
	for _, s := range src {
		rooms = append(rooms, room{limit: min(2*len(s), MaxLength-1), width: 4})
	}
	for _, w := range waves(src, rooms, 64) {
		rows := 0
		for i, s := range w.sentences {
			seen[s]++
			rows += 4 * w.room[i].limit
		}
		if len(w.sentences)*4 > 64 || rows > waveRows {
			t.Errorf("a wave has %d sentences and %d rows", len(w.sentences), rows)
		}
	}
	for i, s := range src {
		if want := min(len(s), 1); seen[i] != want {
			t.Errorf("sentence %d of %d tokens is in %d waves", i, len(s), seen[i])
		}
	}
}
