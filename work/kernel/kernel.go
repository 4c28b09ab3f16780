package kernel

import "fmt"

// DType is the element type of a tensor.
type DType uint8

const (
	F32 DType = iota + 1 // IEEE-754 binary32
	I32                  // two's complement, 32 bits
	I8                   // two's complement, 8 bits
	numTypes
)

// String returns the type's name in this package, such as F32.
func (t DType) String() string {
	if t == 0 || t >= numTypes {
		return fmt.Sprintf("DType(%d)", uint8(t))
	}
	return [...]string{F32: "F32", I32: "I32", I8: "I8"}[t]
}

// Tensor is a dense row-major array: a shape, and storage in one of the slices F (F32),
// I (I32) and B (I8), according to Type. A scalar has shape [1].
type Tensor struct {
	Type  DType
	Shape []int
	F     []float32
	I     []int32
	B     []int8
	Home  Memory // the device memory that holds the storage; nil for the host's memory
}

// Trans says which operand of a matrix product is read transposed.
type Trans uint8

const (
	NN Trans = iota // A [M,K], B [K,N]
	NT              // A [M,K], B [N,K]
	TN              // A [K,M], B [K,N]
)

// Numerics is the name of the specification that every device computes by, and
// of its table of costs: NUMERICS.md.
const Numerics = "ALIA-F32 v1"

// Attr holds the attributes of an operation. A field that the operation does not
// use is zero. Attributes are part of an operation's hashed name: NUMERICS.md,
// section 9.
type Attr struct {
	Trans  Trans   // MatMul
	Heads  int     // attention: number of heads, which divide the last dimension
	Causal bool    // AttnSoftmax and its gradient: query i sees keys 0 to i
	Scale  float32 // a factor; each operation says of what
	Eps    float32 // LayerNorm, Adam: added before division; CrossEntropy: label smoothing
	Beta1  float32 // Adam
	Beta2  float32 // Adam
	Rate   float32 // Dropout: probability of a zero
	Site   uint32  // Dropout: which of a graph's dropouts this is
	Rows   int     // AttnMix, AttnMixT: least number of output rows, if the last segment ends earlier. TopK: K
}

// Op is an operation: an index of [Ops].
type Op uint8

// The operations. T is a number of tokens (rows), D a width, V a vocabulary, S a
// number of segments (sentences). "fma" rounds once; every other product and sum
// rounds by itself. NUMERICS.md gives the sequence of every sum: a matrix product
// is one chain of fma in ascending k (section 2), a row reduction uses 32 lanes
// (section 3), a column reduction is one chain over the rows (section 4).
//
// The attention operations work on packed segments: queries [Tq,D], keys and values
// [Tk,D], and seg I32 [S,4] whose row s is (query start, query count, key
// start, key count). Scores are packed too: for each segment in sequence, for
// each head in sequence, a row-major block [query count, key count].
const (
	// MatMul: A, B -> C [M,N]. acc=+0; acc=fma(A[i,k],B[k,j],acc), k ascending. Attr.Trans.
	MatMul Op = iota + 1
	// AddBias: X [T,D], b [D] -> X+b.
	AddBias
	// Add: X, Y (same shape) -> X+Y.
	Add
	// Relu: X -> x>0 ? x : +0.
	Relu
	// ReluGrad: Y (Relu's output), dY -> y>0 ? dy : +0.
	ReluGrad
	// LayerNorm: X [T,D], gamma [D], beta [D] -> Y [T,D], stats [T,2] (mean, r).
	// mean=lanesum(x)/D; d=x-mean; var=lanefma(d*d)/D; r=1/sqrt(var+Eps); y=fma(d*r,gamma,beta).
	LayerNorm
	// LayerNormGrad: X, stats, gamma, dY -> dX. xh=(x-mean)*r; g=dy*gamma;
	// a=lanesum(g)/D; b=lanefma(g*xh)/D; dx=r*((g-a)-xh*b).
	LayerNormGrad
	// LayerNormGainGrad: X, stats, dY -> dgamma [D]. acc=fma(dy,xh,acc) over rows ascending.
	LayerNormGainGrad
	// ColSum: X [T,D] -> [D]. acc=acc+x over rows ascending.
	ColSum
	// Embed: table [V,D], ids I32 [T], pos I32 [T], pe [L,D] -> [T,D]. fma(table[id], Scale, pe[pos]).
	Embed
	// ScatterAdd: base [V,D], ids I32 [T], dY [T,D] -> base with row id := fma(dy, Scale, row id), t ascending.
	ScatterAdd
	// Dropout: X, key I32 [4] -> keep ? x*Scale : +0. Element e (index in row-major order) takes word e%4 of
	// Philox4x32-10(counter = (e/4 low, e/4 high, Site, key[2]), key = (key[0], key[1]));
	// kept when word >= uint32(Rate*2^32) (the product and truncation exact in float64). Its own gradient.
	Dropout
	// AttnScores: Q [Tq,D], K [Tk,D], seg -> scores. Each head's Q*K^T, chain over the head's D/Heads columns.
	AttnScores
	// AttnSoftmax: scores, seg -> same shape. Row softmax of x*Scale over all keys, or the first i+1 when
	// Causal (the rest +0): z=x*Scale; m=max; e=exp(z-m); s=lanesum(e); y=e*(1/s).
	AttnSoftmax
	// AttnSoftmaxGrad: P, dP, seg -> dS. t=lanefma(p*dp); ds=(p*(dp-t))*Scale over the keys seen, the rest +0.
	AttnSoftmaxGrad
	// AttnMix: P, V [Tk,D], seg -> [Tq,D]. Each head's P*V, chain over all the segment's keys ascending. Rows
	// in no segment are +0. Segments are in ascending order of queries, which do not overlap.
	AttnMix
	// AttnMixT: P, X [Tq,D], seg -> [Tk,D]. Each head's P^T*X, chain over queries ascending. Rows in no
	// segment are +0. Segments are in ascending order of keys, which do not overlap.
	AttnMixT
	// RowMax: X [T,V] -> [T]. Lane max from -inf, a>b ? a : b.
	RowMax
	// RowSumExp: X [T,V], m [T] -> [T]. lanesum(exp(x-m)).
	RowSumExp
	// RowSum: X [T,V] -> [T]. lanesum(x).
	RowSum
	// CrossEntropy: X [T,V], m [T], s [T], t [T] (RowSum), y I32 [T] -> loss [T], nll [T].
	// lse=m+log(s); nll=lse-x[y]; loss=(1-Eps)*nll + Eps*(lse-t/V), each product and sum rounded.
	CrossEntropy
	// CrossEntropyGrad: X, m, s, y, scale F32 [1] -> dX. p=exp(x-m)*(1/s); g=p-Eps/V, and at y: g=g-(1-Eps);
	// dx=g*scale[0].
	CrossEntropyGrad
	// Sum: X (any shape) -> [1]. Lane sum of the whole.
	Sum
	// ArgMax: X [T,V] -> I32 [T]. The lowest index of the largest; NaN is never chosen.
	ArgMax
	// Quantize: X (n elements) -> Q I8 (same shape), scales [ceil(n/1024)]. Per 1024 elements: a=max|x|;
	// s=a/127; q=s>0 ? clamp(roundeven(x*(1/s)),-127,127) : 0, where a subnormal or infinite 1/s makes s=0.
	Quantize
	// AddQuantized: base, Q, scales -> base with x := fma(q*Scale', s, x), where Scale' is Attr.Scale (+1 or -1).
	AddQuantized
	// Scale: X -> X*Attr.Scale.
	Scale
	// Adam: g, m, v, hyper F32 [3] (step size, 1/(1-beta1^t), 1/(1-beta2^t)) -> u, m', v'.
	// m'=fma(1-Beta1, g, Beta1*m); v'=fma(1-Beta2, g*g, Beta2*v);
	// u=(step*(m'*hyper[1]))/(sqrt(v'*hyper[2])+Eps).
	Adam
	// Gather: X [T,D], ids I32 [N] -> [N,D]. Row copies.
	Gather
	// RowSumSquares: X [T,V] -> [T]. lanefma(x*x).
	RowSumSquares
	// Quantize4: X (n elements) -> Q I32 [8*ceil(n/64)], scales [ceil(n/64)]. Per 64 elements: a=max|x|; s=a/7;
	// q=s>0 ? clamp(roundeven(x*(1/s)),-7,7) : 0, where a subnormal or infinite 1/s makes s=0. Element j of the
	// 64 is the 4 bits, two's complement, from bit 4*(j%8) of word j/8; elements beyond n are 0.
	Quantize4
	// AddQuantized4: base, Q, scales -> base with x := fma(q*Scale', s, x), as AddQuantized, of Quantize4's form.
	AddQuantized4
	// Quantize2: X [..., m] (n elements) -> Q I32 [b,8], scales [b], where b = n/m*ceil(m/128): each row is
	// divided into blocks of 128. Per block: r=sqrt(lanefma(x*x)/elements); s=r*0.151; q=±3, or ±10 where
	// |x| > r*0.98, with the sign bit's sign; s=0 where r*0.151 is subnormal or infinite. The levels are near the
	// best four for a normal distribution (Max 1960). Element j of a block is bits 2*(j%16) of word j/16: the low
	// bit is set for 10, the high bit for minus; the bits of elements beyond the row are 0.
	Quantize2
	// AddQuantized2: base, Q, scales -> base with x := fma(q*Scale', s, x), as AddQuantized, of Quantize2's form.
	AddQuantized2
	// QuantizeRows: X [T,K] -> Q I8 [T,K], scales [T]. Per row: a=max|x|; s=a/127;
	// q=clamp(roundeven(x*(1/s)),-127,127). Where 1/s would be subnormal or infinite, q=0 and s=0. Where a is
	// infinite, q=0 and s is infinite, so that Linear8's result is not finite either.
	QuantizeRows
	// Linear8: Q I8 [T,K], sx [T], W I8 [P,G,64], sw [N], b [N] -> Y [T,N], a product of codes; P=ceil(N/16),
	// G=ceil(K/4), K at most 2^17, so that no sum of codes within ±127 overflows (other sums wrap). W has the code
	// of row k and column n at [n/16, k/4, 4*(n%16)+k%4], see [Codes]; codes beyond K and N do not count.
	// a = sum of q*w over k, exact; y = float(a)*(sx*sw) + b, each product and sum rounded.
	Linear8
	// Swish: X -> x/(1+exp(-x)). x times its sigmoid (Ramachandran et al. 2017), the quotient rounded once.
	Swish
	// SwishGrad: X (Swish's input), dY -> s=1/(1+exp(-x)); dx=(dy*s)*(1+x*(1-s)), each product and sum rounded.
	SwishGrad
	// Attend: Q [Tq,D], K, V [Tk,D], seg -> [Tq,D]. AttnScores, AttnSoftmax over all keys by Attr.Scale, and
	// AttnMix in one operation that keeps no scores. A decoder needs it: it has many segments of one query each.
	// Rows in no segment are +0. Segments are in ascending order of queries, which do not overlap.
	Attend
	// Scatter: base [R,D], ids I32 [N], X [N,D] -> base with row id := x. Ids are distinct. Row copies.
	Scatter
	// TopK: X [T,V] -> values [T,K], ids I32 [T,K]. The K largest of each row in descending order, equal ones by
	// ascending index; NaN counts as -Inf. K is Attr.Rows, at most V. +0 and -0 are equal, and keep their signs.
	TopK
	// QuantizeScaledRows: X [T,K], f [K] -> Q I8 [T,K], scales [T]. QuantizeRows of x*f, each product rounded.
	QuantizeScaledRows
	// QuantizeScaledColumns: X [T,N], f [T] -> Q I8 [P,G,64], scales [B,N]; P=ceil(N/16), G=ceil(T/4),
	// B=ceil(T/128). Each column of x*f in each block of 128 rows is quantised as a row is in QuantizeRows. The
	// codes lie as in Linear8's W.
	QuantizeScaledColumns
	// QuantizeWeight: W [K,N] (NT: [N,K]) -> W8 I8 [P,G,64], scales [N], V8 I8 [P',G',64]. Each column is quantised
	// as a row is in QuantizeRows. W8 is the codes as Linear8's W [K,N], V8 the same codes as Linear8's W [N,K].
	QuantizeWeight
	// Linear8WeightGrad: Q I8 [T,K], Z I8 [P,G,64], scales [B,N] -> [K,N] (NT: [N,K]), the gradient of a weight
	// from the codes of X and those of QuantizeScaledColumns. For b = 0, 1, ...: a = sum of q*z over the rows
	// 128b to 128b+127, exact; y = fma(float(a), scales[b], y), from +0.
	Linear8WeightGrad
	numOps
)

// Call is one operation applied to tensors. In and Out have the number, types and
// shapes that the operation's shape rule gives: see [Infer].
//
// An output may use an input's storage only as [InPlace] lists.
type Call struct {
	Op   Op
	Attr Attr
	In   []Tensor
	Out  []Tensor

	// Label tells a profile which part of a model the call belongs to, such as
	// "forward/encoder.0.ffn". Devices ignore it.
	Label string
}

// Device computes calls with the reference's bits. One goroutine at a time may use
// it. A device that has memory of its own is an [Accelerator] too.
type Device interface {
	// Name is the value of the flag --kernels or --device: portable, avx2, avx512, neon, cuda:0.
	Name() string
	// Host reports whether the device is this machine's processor, which computes
	// in the host's memory. A device that is not is an [Accelerator].
	Host() bool
	// Do computes c. It panics when c breaks its operation's shape rule, because our
	// own code builds calls and peers never do.
	Do(c *Call)
	// Group computes calls that are independent, in any sequence or at once. No call
	// may read or write storage that another one writes.
	Group(calls []Call)
	// Stage computes calls in sequence on each item of a batch. An item is a pair of
	// sentences, say, and a device need not finish one call on all items before it
	// starts the next call on some of them.
	//
	// The items own rows of the tensors: item s owns rows rowSplits[p][s] to
	// rowSplits[p][s+1]-1 of partition p (source rows or target rows, say). Call i is
	// divided by partition partitions[i], whose rows are the call's rows or, in an
	// attention operation, its segments. Of the tensors that other calls of the stage
	// write, a call may read only the rows of the same item.
	//
	// The free calls form a group that may run at any time during the stage. They
	// share no written storage with calls.
	Stage(calls []Call, partitions []uint8, rowSplits [][]int32, free []Call)
}

// Accelerator is a [Device] that is not the processor, such as a GPU: it has memory
// of its own and may compute calls after they were given to it. It is optional;
// callers use the functions [Alloc], [On], [BeginAsync], [EndAsync], [Wait], [Watched]
// and [Close], which do the right thing for the processor too.
type Accelerator interface {
	Device
	Memory

	// BeginAsync and EndAsync enclose a section in which the device may postpone
	// calls. See [BeginAsync].
	BeginAsync()
	EndAsync()
	// Wait returns when all calls given before it are done.
	Wait()
	// Watched returns a device that tells w about each call. See [Watched].
	Watched(w Watch) Device
	// Close releases the device. Tensors in its memory must not be used afterwards.
	Close() error
}

// Memory is a device's own memory, which the host cannot read or write. The slices of
// a tensor there begin at the tensor's address on the device: the host may measure and
// cut them, but reading an element would crash the process. [Local] and [Copy] move
// elements between memories.
//
// A device computes on tensors in its own memory without moving them, and on the
// host's tensors more slowly. The segment tables of the attention operations always
// lie in the host's memory, since shapes follow from them.
type Memory interface {
	// Alloc returns a vector of n zeros, or false when the memory is full.
	Alloc(t DType, n int) (Tensor, bool)
	// Copy copies between tensors of which at least one lies in this memory. See
	// the function [Copy].
	Copy(to, from Tensor)
}
