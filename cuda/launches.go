package cuda

import (
	"fmt"
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// Launch is one kernel on one grid. The launches of a call run one after the
// other; each must see what the one before wrote. Shared memory is declared in
// the PTX, none is asked for at launch.
type Launch struct {
	Module string    // what [PTX] takes
	Kernel string    // the entry in it
	Grid   [3]uint32 // blocks
	Block  [3]uint32 // threads of each block, 1024 at most together
	Args   []Arg     // in the order of the kernel's parameters
}

// Arg is one argument of a kernel: where a tensor of the call begins, or a
// number.
type Arg struct {
	Kind  ArgKind
	Index int    // which of Call.In (In) or Call.Out (Out)
	Bits  uint64 // the number (U32, U64, F32), in its low bits
}

// ArgKind is what an argument is.
type ArgKind uint8

const (
	In  ArgKind = iota + 1 // the device address of Call.In[Index]'s storage, 8 bytes
	Out                    // the device address of Call.Out[Index]'s storage, 8 bytes
	U32                    // 4 bytes
	U64                    // 8 bytes
	F32                    // 4 bytes
)

// Size returns the argument's size as a parameter, in bytes, which is also its
// alignment.
func (a Arg) Size() int {
	if a.Kind == U32 || a.Kind == F32 {
		return 4
	}
	return 8
}

func in(i int) Arg      { return Arg{Kind: In, Index: i} }
func out(i int) Arg     { return Arg{Kind: Out, Index: i} }
func word(n uint32) Arg { return Arg{Kind: U32, Bits: uint64(n)} }
func u64(n int) Arg     { return Arg{Kind: U64, Bits: uint64(n)} }
func f32(x float32) Arg { return Arg{Kind: F32, Bits: uint64(math.Float32bits(x))} }

// u32 is a number of rows, columns or steps. Kernels count in 32 bits, and up to
// a tile or a block past the end, so one from 2^31 on becomes more than 32 bits
// hold, which [Launches] refuses.
func u32(n int) Arg {
	if n > math.MaxInt32 {
		n = 1 << 32
	}
	return Arg{Kind: U32, Bits: uint64(n)}
}

// Launches returns the launches that compute c, whose shapes fit its row. It looks
// at shapes and attributes and never at what tensors hold, the segment tables
// of the attention rows included, whose kernels read them on the device; the
// tensors need no storage. Addresses need be aligned to an element alone. Where
// the row lets an output share an input's storage, both arguments are then the
// same address. What tensors say of others, ids, labels and segments, must be in
// range: a kernel does not look. The error is of a row that has no kernel here, or of a shape
// beyond what a grid can hold or a kernel can count.
func Launches(c *kernel.Call) ([]Launch, error) {
	plan := plans[c.Op]
	if plan == nil {
		return nil, fmt.Errorf("plan %v: the row has no CUDA kernel", c.Op)
	}
	launches := plan(c)
	for i := range launches {
		if err := launches[i].fits(); err != nil {
			return nil, fmt.Errorf("plan %v: %w", c.Op, err)
		}
	}
	return launches, nil
}

// fits holds a launch against the grid and block limits of compute capability
// 7.5 and later, and against what its kernel counts in.
func (l *Launch) fits() error {
	limits := [3]uint32{math.MaxInt32, math.MaxUint16, math.MaxUint16}
	for i, n := range l.Grid {
		if n == 0 || n > limits[i] {
			return fmt.Errorf("%s: grid %v is beyond a device's %v", l.Kernel, l.Grid, limits)
		}
	}
	for i, a := range l.Args {
		if a.Kind == U32 && a.Bits > math.MaxUint32 {
			return fmt.Errorf("%s: argument %d is a size from 2^31 on, which kernels do not count to", l.Kernel, i)
		}
	}
	return nil
}

// plans is, by row, how its calls become launches.
var plans = map[kernel.Op]func(*kernel.Call) []Launch{
	kernel.MatMul:            planMatMul,
	kernel.AddBias:           planRows("addbias", in(0), in(1), out(0)),
	kernel.Add:               planElements("add", in(0), in(1), out(0)),
	kernel.Relu:              planElements("relu", in(0), out(0)),
	kernel.ReluGrad:          planElements("relugrad", in(0), in(1), out(0)),
	kernel.LayerNorm:         planLayerNorm,
	kernel.LayerNormGrad:     planWarps("layernormgrad", in(0), in(1), in(2), in(3), out(0)),
	kernel.LayerNormGainGrad: planColumns("layernormgaingrad", in(0), in(1), in(2), out(0)),
	kernel.ColSum:            planColumns("colsum", in(0), out(0)),
	kernel.Embed:             planEmbed,
	kernel.ScatterAdd:        planScatterAdd,
	kernel.Dropout:           planDropout,
	kernel.AttnScores:        planScores,
	kernel.AttnSoftmax:       planSoftmax("attnsoftmax", in(0), in(1), out(0)),
	kernel.AttnSoftmaxGrad:   planSoftmax("attnsoftmaxgrad", in(0), in(1), in(2), out(0)),
	kernel.AttnMix:           planMix("attnmix"),
	kernel.AttnMixT:          planMix("attnmixt"),
	kernel.RowMax:            planWarps("rowmax", in(0), out(0)),
	kernel.RowSumExp:         planWarps("rowsumexp", in(0), in(1), out(0)),
	kernel.RowSum:            planRowSum,
	kernel.CrossEntropy:      planCrossEntropy,
	kernel.CrossEntropyGrad:  planCrossEntropyGrad,
	kernel.Sum:               planSum,
	kernel.ArgMax:            planWarps("argmax", in(0), out(0)),
	kernel.Quantize:          planQuantize,
	kernel.AddQuantized:      planSigned("addquantized"),
	kernel.Scale:             planScale,
	kernel.Adam:              planAdam,
	kernel.Gather:            planRows("gather", in(0), in(1), out(0)),
	kernel.RowSumSquares:     planWarps("rowsumsquares", in(0), out(0)),
	kernel.Quantize4:         planQuantize4,
	kernel.AddQuantized4:     planSigned("addquantized4"),
	kernel.Quantize2:         planQuantize2,
	kernel.AddQuantized2:     planAddQuantized2,
	kernel.QuantizeRows:      planWarps("quantizerows", in(0), out(0), out(1)),
	kernel.Linear8:           planLinear8,
	kernel.Attend:            planAttend,
	kernel.Scatter:           planScatter,
	kernel.TopK:              planTopK,
	kernel.Swish:             planElements("swish", in(0), out(0)),
	kernel.SwishGrad:         planElements("swishgrad", in(0), in(1), out(0)),
}

// blockThreads is the threads of a block, where nothing asks for another number.
const blockThreads = 256

// launch is a kernel of its own module on a line of blocks. A grid too large
// for 32 bits becomes 0, which [Launches] refuses.
func launch(name string, blocks, threads int, args ...Arg) Launch {
	if blocks > math.MaxInt32 {
		blocks = 0
	}
	return Launch{Module: name, Kernel: name, Grid: [3]uint32{uint32(blocks), 1, 1}, Block: [3]uint32{uint32(threads), 1, 1}, Args: args}
}

func one(l Launch) []Launch { return []Launch{l} }

func up(n, by int) int { return (n + by - 1) / by }

func rows(t *kernel.Tensor) int { return t.Shape[0] }
func cols(t *kernel.Tensor) int { return t.Shape[len(t.Shape)-1] }
