package nmt

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Batch is pairs of tokenised sentences: Target[i] is the translation of Source[i].
type Batch struct {
	Source, Target [][]int32
}

// Tokens is the number of tokens that the loss sums over: all target tokens, and one EOS for
// each target.
func (b Batch) Tokens() int {
	n := 0
	for _, t := range b.Target {
		n += len(t) + 1
	}
	return n
}

// targets is the number of rows that the loss of b sums over: its tokens, and BOS where it is
// predicted too, behind Form.Start.
func (c Config) targets(b Batch) int { return b.Tokens() + c.lead()*len(b.Target) }

// check returns an error for tokens or lengths that the model does not take. Batches come
// from strangers.
func (b Batch) check(c Config) error {
	if len(b.Source) != len(b.Target) {
		return fmt.Errorf("nmt: there are %d sources but %d targets", len(b.Source), len(b.Target))
	}
	if err := checkSentences("source", b.Source, c); err != nil {
		return err
	}
	return checkSentences("target", b.Target, c)
}

func checkSentences(side string, sentences [][]int32, c Config) error {
	special, vocab := c.Tokens().is, c.Vocab // the engine alone adds special tokens
	if side == "source" {
		special, vocab = c.foreign, c.Sources()
	}
	if len(sentences) == 0 {
		return fmt.Errorf("nmt: there is no %s sentence", side)
	}
	for i, s := range sentences {
		if len(s) >= MaxLength {
			return fmt.Errorf("nmt: %s %d has %d tokens, at most %d are allowed", side, i, len(s), MaxLength-1)
		}
		for _, id := range s {
			if id < 0 || int(id) >= vocab || special(id) {
				return fmt.Errorf("nmt: %s %d has the token %d, which is special or not in 0 to %d",
					side, i, id, vocab-1)
			}
		}
	}
	return nil
}

// inputs is the tensors of all leaves: the parameters and the present batch. Its storage is
// used again for the next batch.
type inputs struct {
	dev                    kernel.Device
	config                 Config
	shapes                 []ParamShape    // of the parameters, ascending by name
	params                 []kernel.Tensor // by shape
	positions              kernel.Tensor   // [L, Dim]: the position table, in dev's memory
	source, target         ragged
	sourceIDs, sourceWhere kernel.Tensor // I32 [T]: the sources' tokens, and their positions
	targetIDs, targetWhere kernel.Tensor // I32 [T]: the same of the targets, BOS first, or Form.Start and BOS
	next                   kernel.Tensor // I32 [T]: the token that follows each target token
	self, mask, cross      kernel.Tensor // I32 [S,4]: segments source to source, target to target, target to source
	key                    kernel.Tensor // I32 [4]: the dropout key
	mean                   kernel.Tensor // [1]: the weight of a token's loss
}

func newInputs(dev kernel.Device, c Config, shapes []ParamShape) inputs {
	row := func() kernel.Tensor { return ints(nil, 0) }
	table := func() kernel.Tensor { return ints(nil, 0, 4) }
	return inputs{
		dev: dev, config: c,
		shapes: shapes, params: make([]kernel.Tensor, len(shapes)), positions: floats(nil, 0, c.Dim),
		sourceIDs: row(), sourceWhere: row(), targetIDs: row(), targetWhere: row(), next: row(),
		self: table(), mask: table(), cross: table(),
		key: kernel.New(kernel.I32, 4), mean: kernel.New(kernel.F32, 1),
	}
}

// load makes p the parameters.
func (in *inputs) load(p *tensor.Set) {
	for i := range in.params {
		in.params[i] = p.At(i).Tensor
	}
}

// pack packs a batch, or only sources where targets is nil.
func (in *inputs) pack(sources, targets [][]int32) {
	in.source.reset()
	in.target.reset()
	in.next.I = in.next.I[:0]
	marks := in.config.Tokens()
	for _, s := range sources {
		end := in.config.sourceEnd()
		if in.config.SourceLength(len(s)) == len(s) {
			end = -1
		}
		in.source.add(nil, s, end)
	}
	before := []int32{in.config.Start, marks.BOS}[1-in.config.lead():]
	for _, t := range targets {
		in.target.add(before, t, -1)
		in.next.I = append(append(append(in.next.I, before[1:]...), t...), marks.EOS)
	}
	// Tensors of the new lengths over the storage that grew above.
	in.sourceIDs.I, in.sourceWhere.I = in.source.ids, in.source.pos
	in.targetIDs.I, in.targetWhere.I = in.target.ids, in.target.pos
	in.self.I = appendSegments(in.self.I[:0], &in.source, &in.source)
	in.mask.I = appendSegments(in.mask.I[:0], &in.target, &in.target)
	in.cross.I = appendSegments(in.cross.I[:0], &in.target, &in.source)
	for _, t := range []*kernel.Tensor{&in.sourceIDs, &in.sourceWhere, &in.targetIDs, &in.targetWhere, &in.next} {
		t.Shape[0] = len(t.I)
	}
	for _, t := range []*kernel.Tensor{&in.self, &in.mask, &in.cross} {
		t.Shape[0] = len(t.I) / 4
	}
	in.reach(max(in.source.longest(), in.target.longest()))
}

// reach makes the position table at least n rows long. It doubles, so that longer and longer
// batches do not copy it each time.
func (in *inputs) reach(n int) {
	if have, dim := in.positions.Shape[0], in.positions.Shape[1]; have < n {
		n = max(n, 2*have)
		in.positions = kernel.On(in.dev, floats(in.config.PositionTable(n), n, dim))
	}
}

// ragged is sentences packed end to end.
type ragged struct {
	ids, pos []int32 // [T]: each token and its position in its sentence
	starts   []int32 // by sentence, and T at the end
}

// reset empties r and keeps its storage.
func (r *ragged) reset() {
	r.ids, r.pos, r.starts = r.ids[:0], r.pos[:0], append(r.starts[:0], 0)
}

// add appends the tokens before, s and after. A negative after means none.
func (r *ragged) add(before, s []int32, after int32) {
	r.ids = append(append(r.ids, before...), s...)
	if after >= 0 {
		r.ids = append(r.ids, after)
	}
	start := int(r.starts[len(r.starts)-1])
	for p := range len(r.ids) - start { // positions count from 0 in every sentence
		r.pos = append(r.pos, int32(p))
	}
	r.starts = append(r.starts, int32(len(r.ids)))
}

// appendSegments appends a segment table [S,4], in which sentence s of queries attends to
// sentence s of keys.
func appendSegments(table []int32, queries, keys *ragged) []int32 {
	for s := range len(queries.starts) - 1 {
		q, k := queries.starts[s], keys.starts[s]
		table = append(table, q, queries.starts[s+1]-q, k, keys.starts[s+1]-k)
	}
	return table
}

// ints is x as a tensor of the given shape.
func ints(x []int32, shape ...int) kernel.Tensor {
	return kernel.Tensor{Type: kernel.I32, Shape: shape, I: x}
}

// floats is x as a tensor of the given shape.
func floats(x []float32, shape ...int) kernel.Tensor {
	return kernel.Tensor{Type: kernel.F32, Shape: shape, F: x}
}

// longest is the length of the longest sentence.
func (r *ragged) longest() int {
	n := int32(0)
	for s := range len(r.starts) - 1 {
		n = max(n, r.starts[s+1]-r.starts[s])
	}
	return int(n)
}
