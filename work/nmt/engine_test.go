package nmt

import (
	"errors"
	"math"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// devices opens every device of this machine on one thread.
func devices(t testing.TB) []kernel.Device {
	t.Helper()
	var all []kernel.Device
	for _, name := range kernel.Names() {
		all = append(all, open(t, name))
	}
	return all
}

func open(t testing.TB, name string) kernel.Device {
	t.Helper()
	dev, err := kernel.Open(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// sentences draws n sentences of at most longest tokens.
func sentences(seed uint32, vocab, n, longest int) [][]int32 {
	all := make([][]int32, n)
	for i := range all {
		for j := range int(kernel.Philox([4]uint32{uint32(i), 1}, [2]uint32{seed})[0]) % (longest + 1) {
			w := kernel.Philox([4]uint32{uint32(i), 2, uint32(j)}, [2]uint32{seed})
			all[i] = append(all[i], int32(EOS+1+int(w[0]%uint32(vocab-EOS-1))))
		}
	}
	return all
}

// TestGradientGolden holds the bits of one gradient in each arithmetic, the same on every device.
func TestGradientGolden(t *testing.T) {
	for _, want := range []struct {
		int8   bool
		digest string
		loss   float32
		nll    float32
		cost   uint64
	}{
		{false, "ec1210bfe858119c", 228.17824, 229.50182, 6641668},
		{true, "95c5b04dbc91fd2b", 228.15816, 229.48322, 7135856},
	} {
		c := Config{Vocab: 37, Dim: 24, FFN: 40, Heads: 3, Encoder: 2, Decoder: 2, Dropout: 0.25, Smoothing: 0.1, Int8: want.int8}
		p := Init(c, 5)
		b := Batch{Source: sentences(1, c.Vocab, 6, 9), Target: sentences(2, c.Vocab, 6, 11)}
		for _, dev := range devices(t) {
			e := NewEngine(dev, c)
			for range 2 { // the second time with the arena of the first
				g, err := e.Gradient(p, []Batch{b}, DropoutKey{Seed: 3, Step: 4})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Check(g.Grads); err != nil {
					t.Fatal(err)
				}
				if got := digest(g.Grads); got != want.digest {
					t.Errorf("int8 %v, %s: digest %s, want %s", c.Int8, dev.Name(), got, want.digest)
				}
				if g.Loss != want.loss || g.NLL != want.nll || g.Tokens != b.Tokens() || g.Cost != want.cost {
					t.Errorf("int8 %v, %s: loss %v, nll %v, %d tokens, cost %d", c.Int8, dev.Name(), g.Loss, g.NLL, g.Tokens, g.Cost)
				}
			}
		}
	}
}

// TestGradientOfBatches compares with the batches' own gradients, each of
// which is weighted by its share of the tokens.
func TestGradientOfBatches(t *testing.T) {
	p := Init(toy, 1)
	e := NewEngine(open(t, ""), toy)
	var batches []Batch
	tokens := 0
	for i := range uint32(3) {
		b := Batch{Source: sentences(i, toy.Vocab, 3, 4), Target: sentences(9-i, toy.Vocab, 3, 4)}
		batches, tokens = append(batches, b), tokens+b.Tokens()
	}
	key := DropoutKey{Seed: 3, Step: 7}
	want := p.Zeros()
	var loss, nll float32
	cost := uint64(2 * p.Elements()) // two batches are added to the first
	for i, b := range batches {
		g, err := e.Gradient(p, []Batch{b}, DropoutKey{Seed: 3, Step: 7 + uint32(i)})
		if err != nil {
			t.Fatal(err)
		}
		for j := range want.Len() {
			for k, x := range g.Grads.At(j).F {
				want.At(j).F[k] += x * float32(b.Tokens()) / float32(tokens)
			}
		}
		loss, nll, cost = loss+g.Loss, nll+g.NLL, cost+g.Cost
	}
	g, err := e.Gradient(p, batches, key)
	if err != nil {
		t.Fatal(err)
	}
	if g.Loss != loss || g.NLL != nll || g.Tokens != tokens || g.Cost != cost {
		t.Errorf("loss %v, nll %v, %d tokens, cost %d; want %v, %v, %d, %d", g.Loss, g.NLL, g.Tokens, g.Cost, loss,
			nll, tokens, cost)
	}
	for j := range want.Len() {
		for k, x := range g.Grads.At(j).F {
			if y := want.At(j).F[k]; math.Abs(float64(x-y)) > 1e-6 {
				t.Fatalf("%s[%d] is %v, want about %v", want.At(j).Name, k, x, y)
			}
		}
	}
	first := digest(g.Grads)
	if g, err = e.Gradient(p, batches, key); err != nil || digest(g.Grads) != first {
		t.Errorf("again: %v, other bits", err)
	}
	if _, err := e.Gradient(p, nil, key); err == nil {
		t.Error("no batch: no error")
	}
}

// callByCall is a device that takes stages and groups apart.
type callByCall struct{ kernel.Device }

func (d callByCall) Group(calls []kernel.Call) {
	for i := range calls {
		d.Do(&calls[i])
	}
}

func (d callByCall) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	d.Group(calls)
	d.Group(free)
}

// TestStages compares stages, on one thread and on several, with one call
// after the other, in batches of more than one block. In a row of 18 elements
// dropouts share counters with the next row.
func TestStages(t *testing.T) {
	base := Config{Vocab: 37, Dim: 24, FFN: 40, Heads: 3, Encoder: 1, Decoder: 2, Dropout: 0.25, Smoothing: 0.1}
	narrow, coded := base, base
	narrow.Dim, coded.Int8 = 18, true
	for _, c := range []Config{base, narrow, coded} {
		p := Init(c, 5)
		b := Batch{Source: sentences(1, c.Vocab, 190, 9), Target: sentences(2, c.Vocab, 190, 11)}
		want := ""
		names := kernel.Names()
		if testing.Short() {
			names = names[:1]
		}
		for _, name := range names {
			for _, threads := range []int{0, 1, 2, 3} {
				dev, err := kernel.Open(name, max(threads, 1))
				if err != nil {
					t.Fatal(err)
				}
				if threads == 0 {
					dev = callByCall{dev}
				}
				g, err := NewEngine(dev, c).Gradient(p, []Batch{b}, DropoutKey{Seed: 3, Step: 4})
				if err != nil {
					t.Fatal(err)
				}
				got := digest(g.Grads)
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("%+v, %s, %d threads: digest %s, want %s", c, name, threads, got, want)
				}
			}
		}
	}
}

// TestGradientAllocatesNothing once it has met a batch as large: batches of
// different shapes use the graph, the plan and the memory of those before.
func TestGradientAllocatesNothing(t *testing.T) {
	p, e := Init(toy, 1), NewEngine(open(t, ""), toy)
	if e.dev.Name() == "portable" {
		t.Skip("the reference kernels allocate")
	}
	large := Batch{Source: sentences(1, toy.Vocab, 9, 6), Target: sentences(2, toy.Vocab, 9, 6)}
	small := Batch{Source: large.Target[3:], Target: large.Source[3:]}
	steps := [][]Batch{{large}, {small}, {small, large}}
	run := func() {
		for _, batches := range steps {
			if _, err := e.Gradient(p, batches, DropoutKey{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("three gradients allocate %v times", n)
	}
}

// TestGradientOfTheModel compares with central differences of the loss, with
// the same dropout masks; the tolerance is the rounding of a binary32 loss.
func TestGradientOfTheModel(t *testing.T) {
	const h = 1.0 / 1024
	p := Init(toy, 1)
	b := Batch{Source: sentences(1, toy.Vocab, 3, 4), Target: sentences(2, toy.Vocab, 3, 4)}
	e := NewEngine(open(t, ""), toy)
	key := DropoutKey{Seed: 1, Step: 2}
	g, err := e.Gradient(p, []Batch{b}, key)
	if err != nil {
		t.Fatal(err)
	}
	grads := g.Grads.Clone() // the engine's own are good until its next call
	loss := func() float64 {
		g, err := e.Gradient(p, []Batch{b}, key)
		if err != nil {
			t.Fatal(err)
		}
		return float64(g.Loss) / float64(g.Tokens)
	}
	for i := range p.Len() {
		x, dx := p.At(i), grads.At(i)
		for j := 0; j < len(x.F); j += max(1, len(x.F)/5) {
			was := x.F[j]
			x.F[j] = was + h
			above := loss()
			x.F[j] = was - h
			below := loss()
			x.F[j] = was
			got, want := float64(dx.F[j]), (above-below)/(2*h)
			if math.Abs(got-want) > 3e-3 {
				t.Errorf("%s[%d]: gradient %v, difference quotient %v", x.Name, j, got, want)
			}
		}
	}
}

// TestDropoutKey checks that masks depend on the key's every part and on
// nothing else, and that Loss drops nothing.
func TestDropoutKey(t *testing.T) {
	p := Init(toy, 1)
	b := Batch{Source: sentences(1, toy.Vocab, 3, 4), Target: sentences(2, toy.Vocab, 3, 4)}
	e := NewEngine(open(t, ""), toy)
	gradient := func(k DropoutKey) string {
		g, err := e.Gradient(p, []Batch{b}, k)
		if err != nil {
			t.Fatal(err)
		}
		return digest(g.Grads)
	}
	seen := map[string]DropoutKey{}
	for _, k := range []DropoutKey{{1, 1}, {1, 2}, {2, 1}, {1 + 1<<32, 1}} {
		d := gradient(k)
		if other, ok := seen[d]; ok {
			t.Errorf("keys %v and %v have the same masks", k, other)
		}
		if seen[d] = k; gradient(k) != d {
			t.Errorf("key %v: two runs differ", k)
		}
	}
	first, err := e.Loss(p, b)
	if err != nil {
		t.Fatal(err)
	}
	plain := toy
	plain.Dropout = 0
	g, err := NewEngine(open(t, ""), plain).Gradient(p, []Batch{b}, DropoutKey{})
	if err != nil {
		t.Fatal(err)
	}
	if first.Loss != g.Loss || first.NLL != g.NLL {
		t.Errorf("the loss is %v, without dropout in training %v", first, g.LossSums)
	}
}

// TestLossOfASentence checks that nothing in a batch leaks into a sentence's
// loss: the sum over sentences alone is the batch's, but for rounding.
func TestLossOfASentence(t *testing.T) {
	p := Init(toy, 1)
	b := Batch{Source: sentences(1, toy.Vocab, 7, 6), Target: sentences(2, toy.Vocab, 7, 6)}
	e := NewEngine(open(t, ""), toy)
	whole, err := e.Loss(p, b)
	if err != nil {
		t.Fatal(err)
	}
	sum, tokens := 0.0, 0
	for i := range b.Source {
		s, err := e.Loss(p, Batch{Source: b.Source[i : i+1], Target: b.Target[i : i+1]})
		if err != nil {
			t.Fatal(err)
		}
		sum += float64(s.Loss)
		tokens += s.Tokens
	}
	if math.Abs(sum-float64(whole.Loss)) > 1e-5*sum || tokens != whole.Tokens {
		t.Errorf("losses add up to %v over %d tokens, the batch's is %v over %d", sum, tokens, whole.Loss, whole.Tokens)
	}
}

// TestOverfit trains on a copy task until it is learnt by heart.
func TestOverfit(t *testing.T) {
	t.Run("binary32", func(t *testing.T) { overfit(t, false) })
	t.Run("int8", func(t *testing.T) { overfit(t, true) })
}

func overfit(t *testing.T, int8 bool) {
	c := Config{Vocab: 13, Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1, Int8: int8}
	dev := open(t, "")
	e, p := NewEngine(dev, c), Init(c, 1)
	m, v := p.Zeros(), p.Zeros()
	src := sentences(1, c.Vocab, 8, 4)
	b := Batch{Source: src, Target: src}
	hyper := floats([]float32{0.01, 1, 1}, 3)
	var first, last float32
	for step := range 120 {
		g, err := e.Gradient(p, []Batch{b}, DropoutKey{Step: uint32(step)})
		if err != nil {
			t.Fatal(err)
		}
		if last = g.Loss / float32(g.Tokens); step == 0 {
			first = last
		}
		for i := range p.Len() {
			u := kernel.New(kernel.F32, p.At(i).Shape...)
			dev.Do(&kernel.Call{
				Op: kernel.Adam, Attr: kernel.Attr{Beta1: 0.9, Beta2: 0.98, Eps: 1e-9},
				In:  []kernel.Tensor{g.Grads.At(i).Tensor, m.At(i).Tensor, v.At(i).Tensor, hyper},
				Out: []kernel.Tensor{u, m.At(i).Tensor, v.At(i).Tensor},
			})
			for j := range u.F {
				p.At(i).F[j] -= u.F[j]
			}
		}
	}
	if !(last < first/10) {
		t.Errorf("the loss went from %v to %v per token", first, last)
	}
	out, _, err := e.Greedy(p, src, TwicePlusTen)
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		if !equal(out[i], src[i]) {
			t.Errorf("sentence %d: %v copied as %v", i, src[i], out[i])
		}
	}
}

func TestBadBatches(t *testing.T) {
	p, e := Init(toy, 1), NewEngine(open(t, ""), toy)
	good := [][]int32{{3, 4}}
	for what, b := range map[string]Batch{
		"empty":    {},
		"unequal":  {Source: good},
		"pad":      {Source: good, Target: [][]int32{{Pad}}},
		"eos":      {Source: [][]int32{{3, EOS}}, Target: good},
		"negative": {Source: [][]int32{{-1}}, Target: good},
		"large":    {Source: [][]int32{{int32(toy.Vocab)}}, Target: good},
		"long":     {Source: [][]int32{make([]int32, MaxLength)}, Target: good},
	} {
		if _, err := e.Gradient(p, []Batch{b}, DropoutKey{}); err == nil {
			t.Errorf("%s: gradient without error", what)
		}
		if _, err := e.Loss(p, b); err == nil {
			t.Errorf("%s: loss without error", what)
		}
	}
	for _, b := range [][]int32{{Pad}, {int32(toy.Vocab)}, make([]int32, MaxLength)} {
		if _, _, err := e.Greedy(p, [][]int32{b}, TwicePlusTen); err == nil {
			t.Errorf("%d tokens %v...: greedy without error", len(b), b[0])
		}
	}
	other := toy
	other.FFN++
	if _, err := e.Gradient(Init(other, 1), []Batch{{Source: good, Target: good}}, DropoutKey{}); err == nil {
		t.Error("parameters of another shape: gradient without error")
	}
}

func TestNonFinite(t *testing.T) {
	b := Batch{Source: [][]int32{{3, 4}}, Target: [][]int32{{5}}}
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32} {
		p, e := Init(toy, 1), NewEngine(open(t, ""), toy)
		w, _ := p.Get("decoder.1.ffn.down.weight")
		for i := range w.F {
			w.F[i] = x
		}
		if _, err := e.Gradient(p, []Batch{b}, DropoutKey{}); !errors.Is(err, ErrNonFinite) {
			t.Errorf("%v: the gradient's error is %v", x, err)
		}
		if x == math.MaxFloat32 {
			continue // whether logits overflow depends on the signs met
		}
		if _, err := e.Loss(p, b); !errors.Is(err, ErrNonFinite) {
			t.Errorf("%v: the loss's error is %v", x, err)
		}
		if _, _, err := e.Greedy(p, b.Source, TwicePlusTen); !errors.Is(err, ErrNonFinite) {
			t.Errorf("%v: greedy's error is %v", x, err)
		}
	}
}

// TestNonFiniteNames checks that the error says which batch, which operation
// and which tensor a gradient was spoilt by.
func TestNonFiniteNames(t *testing.T) {
	c := toy
	c.Dropout = 0
	inf, most := float32(math.Inf(1)), float32(math.MaxFloat32)
	fine := Batch{Source: [][]int32{{3, 4}}, Target: [][]int32{{5}}}
	odd := Batch{Source: [][]int32{{6, 4}}, Target: [][]int32{{5}}}
	for what, x := range map[string]struct {
		spoil func(p *tensor.Set)
		want  NonFiniteError
	}{
		"a parameter": {func(p *tensor.Set) { fill(p, "encoder.0.ffn.up.bias", 2, inf) },
			NonFiniteError{0, "parameter", "encoder.0.ffn.up.bias"}},
		"a product": {func(p *tensor.Set) {
			fill(p, "encoder.0.ffn.up.bias", 0, most)
			fill(p, "encoder.0.ffn.down.weight", 0, 2)
		}, NonFiniteError{0, "MatMul", "encoder.0.ffn.down"}},
		"a token": {func(p *tensor.Set) {
			fill(p, "embedding.weight", 6*c.Dim, most/2)
			fill(p, "decoder.norm.weight", 0, 0) // the output does not see it
		}, NonFiniteError{1, "Embed", "source"}},
	} {
		p, e := Init(c, 1), NewEngine(open(t, ""), c)
		x.spoil(p)
		_, err := e.Gradient(p, []Batch{fine, odd}, DropoutKey{})
		var got *NonFiniteError
		if !errors.As(err, &got) || *got != x.want || !errors.Is(err, ErrNonFinite) {
			t.Errorf("%s: %v, want %v", what, err, &x.want)
		}
	}
}

// fill sets an element of a parameter.
func fill(p *tensor.Set, name string, at int, x float32) {
	t, _ := p.Get(name)
	t.F[at] = x
}

// TestTrace checks that the last digests of a trace are the gradient's.
func TestTrace(t *testing.T) {
	p, e := Init(toy, 1), NewEngine(open(t, ""), toy)
	b := Batch{Source: [][]int32{{3, 4}}, Target: [][]int32{{5}}}
	g, err := e.Gradient(p, []Batch{b}, DropoutKey{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	digests, names := map[[32]byte]bool{}, map[tensor.Name]bool{}
	err = e.Trace(p, []Batch{b}, DropoutKey{1, 2}, func(s tensor.Step) {
		names[s.Name] = true
		for _, d := range s.Digests {
			digests[d] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Grads.Len() {
		if it := g.Grads.At(i); !digests[tensor.Digest(it.Tensor)] {
			t.Errorf("no step of the trace has the gradient of %s", it.Name)
		}
	}
	if len(names) < 100 {
		t.Errorf("%d different names", len(names))
	}
}
