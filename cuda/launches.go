package cuda

import (
	"fmt"
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// Launch starts one kernel on one grid. The launches of a call run one after the other, and each
// must see the memory that the one before wrote. Shared memory is declared in the PTX; a launch
// asks for no more.
type Launch struct {
	Module string    // for [PTX]
	Kernel string    // the entry of the module
	Grid   [3]uint32 // number of blocks
	Block  [3]uint32 // number of threads in each block, at most 1024 in all
	Args   []Arg     // in the sequence of the kernel's parameters
}

// Arg is one argument of a kernel: the address of a tensor of the call, or a number.
type Arg struct {
	Kind  ArgKind
	Index int    // In, Out: the index in Call.In or Call.Out
	Bits  uint64 // U32, U64, F32: the number, in the low bits
}

// ArgKind is the kind of an argument.
type ArgKind uint8

const (
	In  ArgKind = iota + 1 // the device address of Call.In[Index]'s storage, 8 bytes
	Out                    // the device address of Call.Out[Index]'s storage, 8 bytes
	U32                    // an unsigned number of 4 bytes
	U64                    // an unsigned number of 8 bytes
	F32                    // a binary32 number, 4 bytes
)

// Size returns the size of the argument in bytes, which is also its alignment.
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

// u32 is a number of rows, columns or steps. Kernels count in 32 bits, and up to a tile or a block
// past the end. So a number of 2^31 or more becomes one that does not fit 32 bits, and [Launches]
// returns an error.
func u32(n int) Arg {
	if n > math.MaxInt32 {
		n = 1 << 32
	}
	return Arg{Kind: U32, Bits: uint64(n)}
}

// Launches returns the launches that compute c, which must obey its operation's shape rule.
//
// Launches reads shapes and attributes and no elements, not even those of segment tables, which
// the kernels read on the device. So the tensors need no storage. Addresses need only be aligned
// to an element. Where an output uses an input's storage, both arguments are the same address.
// The kernels do not check indexes: ids, labels and segments must be in range.
//
// The error is that an operation has no kernel here, or that a shape is too large for a grid or
// for a kernel's counters.
func Launches(c *kernel.Call) ([]Launch, error) {
	launcher := launchers[c.Op]
	if launcher == nil {
		return nil, fmt.Errorf("launch %v: the operation has no CUDA kernel", c.Op)
	}
	launches := launcher(c)
	for i := range launches {
		if err := launches[i].fits(); err != nil {
			return nil, fmt.Errorf("launch %v: %w", c.Op, err)
		}
	}
	return launches, nil
}

// fits returns an error for a launch beyond the limits of compute capability 7.5 and later, or
// with a size that its kernel cannot count to.
func (l *Launch) fits() error {
	// CUDA C++ Programming Guide, "Technical specifications per compute capability".
	limits := [3]uint32{math.MaxInt32, math.MaxUint16, math.MaxUint16}
	for i, n := range l.Grid {
		if n == 0 || n > limits[i] {
			return fmt.Errorf("%s: grid %v is beyond a device's limits, 1 to %v", l.Kernel, l.Grid, limits)
		}
	}
	for i, a := range l.Args {
		if a.Kind == U32 && a.Bits > math.MaxUint32 {
			return fmt.Errorf("%s: argument %d is a size of 2^31 or more, which kernels cannot count", l.Kernel, i)
		}
	}
	return nil
}

// launchers has for each operation the function that turns its calls into launches.
var launchers = map[kernel.Op]func(*kernel.Call) []Launch{
	kernel.MatMul:                launchMatMul,
	kernel.AddBias:               launchRows("addbias", in(0), in(1), out(0)),
	kernel.Add:                   launchElements("add", in(0), in(1), out(0)),
	kernel.Relu:                  launchElements("relu", in(0), out(0)),
	kernel.ReluGrad:              launchElements("relugrad", in(0), in(1), out(0)),
	kernel.LayerNorm:             launchLayerNorm,
	kernel.LayerNormGrad:         launchWarps("layernormgrad", in(0), in(1), in(2), in(3), out(0)),
	kernel.LayerNormGainGrad:     launchColumns("layernormgaingrad", in(0), in(1), in(2), out(0)),
	kernel.ColSum:                launchColumns("colsum", in(0), out(0)),
	kernel.Embed:                 launchEmbed,
	kernel.ScatterAdd:            launchScatterAdd,
	kernel.Dropout:               launchDropout,
	kernel.AttnScores:            launchScores,
	kernel.AttnSoftmax:           launchSoftmax("attnsoftmax", in(0), in(1), out(0)),
	kernel.AttnSoftmaxGrad:       launchSoftmax("attnsoftmaxgrad", in(0), in(1), in(2), out(0)),
	kernel.AttnMix:               launchMix("attnmix"),
	kernel.AttnMixT:              launchMix("attnmixt"),
	kernel.RowMax:                launchWarps("rowmax", in(0), out(0)),
	kernel.RowSumExp:             launchWarps("rowsumexp", in(0), in(1), out(0)),
	kernel.RowSum:                launchRowSum,
	kernel.CrossEntropy:          launchCrossEntropy,
	kernel.CrossEntropyGrad:      launchCrossEntropyGrad,
	kernel.Sum:                   launchSum,
	kernel.ArgMax:                launchWarps("argmax", in(0), out(0)),
	kernel.Quantize:              launchQuantize,
	kernel.AddQuantized:          launchSigned("addquantized"),
	kernel.Scale:                 launchScale,
	kernel.Adam:                  launchAdam,
	kernel.Gather:                launchRows("gather", in(0), in(1), out(0)),
	kernel.RowSumSquares:         launchWarps("rowsumsquares", in(0), out(0)),
	kernel.Quantize4:             launchQuantize4,
	kernel.AddQuantized4:         launchSigned("addquantized4"),
	kernel.Quantize2:             launchQuantize2,
	kernel.AddQuantized2:         launchAddQuantized2,
	kernel.QuantizeRows:          launchWarps("quantizerows", in(0), out(0), out(1)),
	kernel.Linear8:               launchLinear8,
	kernel.QuantizeScaledRows:    launchWarps("quantizescaledrows", in(0), in(1), out(0), out(1)),
	kernel.QuantizeScaledColumns: launchScaledColumns,
	kernel.QuantizeWeight:        launchQuantizeWeight,
	kernel.Linear8WeightGrad:     launchWeightGrad,
	kernel.Attend:                launchAttend,
	kernel.Scatter:               launchScatter,
	kernel.TopK:                  launchTopK,
	kernel.Swish:                 launchElements("swish", in(0), out(0)),
	kernel.SwishGrad:             launchElements("swishgrad", in(0), in(1), out(0)),
}

// blockThreads is the number of threads in a block, unless a kernel needs another number.
const blockThreads = 256

// launch is the kernel of the same name as its module, on a row of blocks. A number of blocks that
// does not fit 32 bits becomes 0, for which [Launches] returns an error.
func launch(name string, blocks, threads int, args ...Arg) Launch {
	if blocks > math.MaxInt32 {
		blocks = 0
	}
	return Launch{
		Module: name, Kernel: name, Args: args,
		Grid: [3]uint32{uint32(blocks), 1, 1}, Block: [3]uint32{uint32(threads), 1, 1},
	}
}

func one(l Launch) []Launch { return []Launch{l} }

// up is n/by rounded up.
func up(n, by int) int { return (n + by - 1) / by }

func rows(t *kernel.Tensor) int { return t.Shape[0] }
func cols(t *kernel.Tensor) int { return t.Shape[len(t.Shape)-1] }
