package ptx

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

// small is a module of one kernel with two pointers, x and y, 8 words of
// shared memory, and registers enough for a test.
func small(body string) string {
	return `.version 6.5
.target sm_75
.address_size 64
.visible .entry k(
	.param .u64 k_x,
	.param .u64 k_y
)
{
	.reg .pred %p<8>;
	.reg .b16 %rs<8>;
	.reg .b32 %r<16>;
	.reg .f32 %f<16>;
	.reg .b64 %rd<16>;
	.shared .align 16 .b8 s[256];
	ld.param.u64 %rd1, [k_x];
	ld.param.u64 %rd2, [k_y];
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	mul.wide.u32 %rd3, %r1, 4;
	add.s64 %rd4, %rd1, %rd3;
	add.s64 %rd5, %rd2, %rd3;
	mov.u64 %rd6, s;
	add.s64 %rd7, %rd6, %rd3;
` + body + `
	ret;
}
`
}

// launch runs a small kernel on x = 0, 1, 2 ... and returns what y holds.
func launch(t *testing.T, body string, blocks, threads uint32) ([]uint32, error) {
	t.Helper()
	m, err := Parse(small(body))
	if err != nil {
		t.Fatal(err)
	}
	mem := NewAddressSpace()
	words := make([]byte, 4*threads)
	for i := range threads {
		binary.LittleEndian.PutUint32(words[4*i:], i)
	}
	x, y := mem.Alloc(len(words)), mem.Alloc(len(words))
	if err := mem.Write(x, words); err != nil {
		t.Fatal(err)
	}
	params := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, x), y)
	if err := m.Kernel("k").Launch(mem, [3]uint32{blocks, 1, 1}, [3]uint32{threads, 1, 1}, params, 100000); err != nil {
		return nil, err
	}
	b, err := mem.Read(y, len(words))
	if err != nil {
		return nil, err
	}
	var out []uint32
	for ; len(b) > 0; b = b[4:] {
		out = append(out, binary.LittleEndian.Uint32(b))
	}
	return out, nil
}

const mma = "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32"

// TestTraps gives kernels that no device would complain of, and what must be
// said of each.
func TestTraps(t *testing.T) {
	for name, c := range map[string]struct {
		body            string
		blocks, threads uint32
		want            string
	}{
		"beyond an allocation": {
			"ld.global.f32 %f1, [%rd4+4];", 1, 32, "thread [31 0 0]: `ld.global.f32 %f1, [%rd4+4]` at",
		},
		"before an allocation":   {"st.global.f32 [%rd5+-4], 0f00000000;", 1, 32, "outside of every allocation"},
		"not aligned":            {"ld.global.f32 %f1, [%rd4+2];", 1, 32, "not aligned to 4 bytes"},
		"vector not aligned":     {"ld.global.v2.f32 {%f1, %f2}, [%rd4];", 1, 32, "thread [1 0 0]"},
		"never written":          {"ld.global.f32 %f1, [%rd5];", 1, 32, "reads memory that was never written"},
		"shared never written":   {"ld.shared.f32 %f1, [%rd7];", 1, 32, "reads memory that was never written"},
		"beyond shared":          {"st.shared.f32 [%rd7+252], 0f00000000;", 1, 32, "thread [1 0 0]"},
		"register never written": {"add.s32 %r3, %r1, %r4;", 1, 32, "reads a register that was never written"},
		"predicate never written": {
			"@%p1 st.global.f32 [%rd5], 0f00000000;", 1, 32, "reads a register that was never written",
		},
		"written by some lanes only": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 mov.u32 %r3, 1; st.global.u32 [%rd5], %r3;", 1, 32, "thread [7 0 0]",
		},
		"two threads write": {
			"st.global.f32 [%rd2], 0f00000000;", 1, 32,
			"writes memory that thread 0 of the block wrote, without a barrier",
		},
		"two blocks write": {
			"st.global.f32 [%rd5], 0f00000000;", 2, 32, "writes memory that another block wrote",
		},
		"reads what a block wrote": {
			"st.global.f32 [%rd5], 0f00000000; ld.global.f32 %f1, [%rd5];", 2, 32, "another block",
		},
		"writes what a block read": {
			"ld.global.f32 %f1, [%rd1]; setp.ne.s32 %p1, %r2, 2; @%p1 ret; setp.ne.s32 %p1, %r1, 0; @%p1 ret; st.global.f32 [%rd1], %f1;",
			3, 32, "writes memory that another block read",
		},
		"missing barrier": {
			"st.shared.u32 [%rd7], %r1; and.b32 %r3, %r1, 31; mul.wide.u32 %rd8, %r3, 4; add.s64 %rd9, %rd6, %rd8; ld.shared.u32 %r4, [%rd9];",
			1, 64, "reads memory that thread 0 of the block wrote, without a barrier between",
		},
		"missing second barrier": {
			"st.shared.u32 [%rd7], %r1; bar.sync 0; ld.shared.u32 %r4, [%rd6]; st.shared.u32 [%rd7], %r4;", 1, 64,
			"without a barrier between",
		},
		"barrier of some threads": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 bra $L; bar.sync 0; $L: mov.u32 %r3, 1;", 1, 32,
			"not all threads of the warp reach",
		},
		"barrier after a return": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 ret; bar.sync 0;", 1, 32, "not all threads of the warp reach",
		},
		"barrier of some warps": {
			"setp.lt.u32 %p1, %r1, 32; @%p1 bra $L; bar.sync 0; $L: mov.u32 %r3, 1;", 1, 64,
			"not all warps of the block reach",
		},
		"exchange of some lanes": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 shfl.sync.down.b32 %r3, %r1, 1, 31, -1;", 1, 32,
			"not all lanes it names reach",
		},
		"vote of some lanes": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 vote.sync.ballot.b32 %r3, %p1, -1;", 1, 32,
			"not all lanes it names reach",
		},
		"product of some lanes": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 " + mma + " {%r3, %r4}, {%r1}, {%r1}, {%r1, %r1};", 1, 32,
			"is a product of matrices that not all lanes reach",
		},
		"product after a return": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 ret; " + mma + " {%r3, %r4}, {%r1}, {%r1}, {%r1, %r1};", 1, 32,
			"is a product of matrices that not all lanes reach",
		},
		"product of a lane without a value": {
			"setp.lt.u32 %p1, %r1, 7; @%p1 mov.u32 %r3, 1; " + mma + " {%r4, %r5}, {%r1}, {%r3}, {%r1, %r1};", 1, 32,
			"thread [7 0 0]",
		},
		"no end": {"$L: add.s32 %r3, %r1, 1; bra $L;", 1, 32, "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := launch(t, c.body, c.blocks, c.threads)
			var f *Trap
			if !errors.As(err, &f) || f.Kernel != "k" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a trap with %q", err, c.want)
			}
		})
	}
}

// TestOutputUnwritten reads what a kernel left out.
func TestOutputUnwritten(t *testing.T) {
	_, err := launch(t, "setp.lt.u32 %p1, %r1, 31; @%p1 st.global.u32 [%rd5], %r1;", 1, 32)
	if err == nil || !strings.Contains(err.Error(), "byte 124 was never written") {
		t.Errorf("got %v", err)
	}
}

// TestRuns computes y of x = 0, 1, 2 ..., by ways that part and meet.
func TestRuns(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want func(i uint32) uint32
	}{
		"loop of each lane's length": {`mov.u32 %r3, 0; mov.u32 %r4, 0;
			$L: setp.ge.u32 %p1, %r3, %r1; @%p1 bra $M; add.s32 %r4, %r4, %r3; add.s32 %r3, %r3, 1; bra.uni $L;
			$M: shfl.sync.idx.b32 %r5, %r4, 31, 31, -1; add.s32 %r4, %r4, %r5; st.global.u32 [%rd5], %r4;`,
			func(i uint32) uint32 { l := i/32*32 + 31; return i*(i-1)/2 + l*(l-1)/2 }},
		"if within if": {`and.b32 %r3, %r1, 1; setp.eq.s32 %p1, %r3, 0; mov.u32 %r4, 5; @!%p1 bra $O;
			setp.lt.u32 %p2, %r1, 10; @%p2 bra $I; mov.u32 %r4, 6; bra.uni $E; $I: mov.u32 %r4, 7; bra.uni $E;
			$O: mov.u32 %r4, 8; $E: vote.sync.ballot.b32 %r5, %p1, -1; add.s32 %r4, %r4, %r5; st.global.u32 [%rd5], %r4;`,
			func(i uint32) uint32 {
				switch {
				case i%2 == 1:
					return 8 + 0x55555555
				case i < 10:
					return 7 + 0x55555555
				}
				return 6 + 0x55555555
			}},
		"through shared memory": {`st.shared.u32 [%rd7], %r1; bar.sync 0; xor.b32 %r3, %r1, 63; mul.wide.u32 %rd8, %r3, 4;
			add.s64 %rd9, %rd6, %rd8; ld.shared.u32 %r4, [%rd9]; st.global.u32 [%rd5], %r4;`,
			func(i uint32) uint32 { return i ^ 63 }},
		"down and across": {`shfl.sync.down.b32 %r3, %r1, 16, 31, -1; shfl.sync.bfly.b32 %r4, %r3, 1, 31, -1; st.global.u32 [%rd5], %r4;`,
			func(i uint32) uint32 {
				if j := i%32 ^ 1; j < 16 {
					return i/32*32 + j + 16
				} else {
					return i/32*32 + j
				}
			}},
		"products of codes": {"mov.u32 %r3, 0x80ff017f; dp4a.s32.s32 %r4, %r3, %r3, %r1; st.global.u32 [%rd5], %r4;",
			func(i uint32) uint32 { return 127*127 + 1 + 1 + 128*128 + i }},
		"halves": {"{ .reg .b32 tmp; mov.b64 {tmp, %r3}, -4294967295; st.global.u32 [%rd5], tmp; } add.s32 %r3, %r3, 1;",
			func(uint32) uint32 { return 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			y, err := launch(t, c.body, 1, 64)
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range y {
				if want := c.want(uint32(i)); got != want {
					t.Fatalf("element %d is %d, want %d", i, got, want)
				}
			}
		})
	}
}

// TestArithmetic gives single instructions their results, bit for bit.
func TestArithmetic(t *testing.T) {
	nan := uint32(0x7fc00000)
	for instruction, want := range map[string]uint32{
		// 2^-46, lost by two roundings
		"fma.rn.f32 %f1, 0f3F800001, 0f3F800001, 0fBF800002":                                  0x28800000,
		"mul.rn.f32 %f1, 0f00800000, 0f3F000000":                                              0x00400000,
		"add.rn.f32 %f1, 0f00000001, 0f80000001":                                              0,
		"div.rn.f32 %f1, 0f3F800000, 0f40400000":                                              0x3eaaaaab,
		"div.rn.f32 %f1, 0f80000000, 0f40400000":                                              0x80000000,
		"sqrt.rn.f32 %f1, 0f40000000":                                                         0x3fb504f3,
		"sqrt.rn.f32 %f1, 0f00000001":                                                         0x1a3504f3,
		"neg.f32 %f1, 0f00000000":                                                             0x80000000,
		"cvt.rn.f32.s32 %f1, -16777217":                                                       0xcb800000,
		"cvt.rn.f32.u32 %f1, -1":                                                              0x4f800000,
		"shl.b32 %r3, 1, 32; mov.b32 %f1, %r3":                                                0,
		"shr.s32 %r3, -8, 40; mov.b32 %f1, %r3":                                               0xffffffff,
		"bfe.u32 %r3, 0x12345678, 8, 12; mov.b32 %f1, %r3":                                    0x456,
		"prmt.b32 %r3, 0x33221100, 0x88665544, 0xf347; mov.b32 %f1, %r3":                      0xff334488,
		"mul.hi.u32 %r3, -1, -1; mov.b32 %f1, %r3":                                            0xfffffffe,
		"setp.ltu.f32 %p1, 0f7FC00000, 0f00000000; selp.f32 %f1, 0f3F800000, 0f00000000, %p1": math.Float32bits(1),
		"setp.lt.f32 %p1, 0f7FC00000, 0f00000000; selp.f32 %f1, 0f3F800000, 0f00000000, %p1":  0,
		"setp.ne.f32 %p1, 0f7FC00000, 0f7FC00000; selp.f32 %f1, 0f3F800000, 0f00000000, %p1":  0,
		"setp.neu.f32 %p1, 0f7FC00000, 0f7FC00000; selp.f32 %f1, 0f3F800000, 0f00000000, %p1": math.Float32bits(1),
		"setp.eq.f32 %p1, 0f80000000, 0f00000000; selp.f32 %f1, 0f7FC00000, 0f00000000, %p1":  nan,
		"setp.lt.s32 %p1, -1, 1; setp.lt.u32 %p2, -1, 1; xor.pred %p3, %p1, %p2; selp.f32 %f1, 0f3F800000, 0f00000000, %p3": math.Float32bits(1),
	} {
		y, err := launch(t, instruction+"; st.global.f32 [%rd5], %f1;", 1, 32)
		if err != nil {
			t.Errorf("%s: %v", instruction, err)
		} else if y[0] != want {
			t.Errorf("%s gives %08x, want %08x", instruction, y[0], want)
		}
	}
}

// TestRefused gives instructions that are not for these kernels, and why.
func TestRefused(t *testing.T) {
	for instruction, why := range map[string]string{
		"add.f32 %f1, %f2, %f3":                       "names no rounding",
		"mul.f32 %f1, %f2, %f3":                       "names no rounding",
		"fma.rz.f32 %f1, %f2, %f3, %f4":               "does not round to nearest",
		"add.rn.ftz.f32 %f1, %f2, %f3":                "flushes subnormal",
		"div.approx.f32 %f1, %f2, %f3":                "approximate",
		"div.full.f32 %f1, %f2, %f3":                  "approximate",
		"ex2.approx.f32 %f1, %f2":                     "approximate",
		"rsqrt.approx.f32 %f1, %f2":                   "approximate",
		"atom.global.add.f32 %f1, [%rd4], %f2":        "atomic",
		"red.global.add.f32 [%rd4], %f2":              "atomic",
		"max.f32 %f1, %f2, %f3":                       "not on the list",
		"mad.rn.f32 %f1, %f2, %f3, %f4":               "not on the list",
		"ld.global.nc.f32 %f1, [%rd4]":                "not on the list",
		"ld.f32 %f1, [%rd4]":                          "not on the list",
		"ld.volatile.global.f32 %f1, [%rd4]":          "not on the list",
		mma + " {%r1}, {%r2}, {%r3}, {%r4, %r5}":      "a vector of 2 registers has 1",
		mma + " {%r1, %r2}, %r2, {%r3}, {%r4, %r5}":   "a vector of 1 registers has 0",
		mma + " {%r1, %f2}, {%r2}, {%r3}, {%r4, %r5}": "does not hold type",
		mma + " {%r1, %r2}, {%r2}, {%r3}":             "3 operands, want 4",
		"mma.sync.aligned.m8n8k16.row.col.satfinite.s32.s8.s8.s32 {%r1, %r2}, {%r2}, {%r3}, {%r4, %r5}": "not on the list",
		"mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%r1, %r2}, {%r2}, {%r3}, {%r4, %r5}":          "not on the list",
		"wmma.load.a.sync.row.m16n16k16.f16 %r1":                                                        "not on the list",
		"cvt.rn.f16.f32 %rs1, %f1":                                                                      "not on the list",
		"bar.sync 1":                                                                                    "only barrier 0",
		"shfl.sync.down.b32 %r1, %r2, 1, 7943, -1":                                                      "not on the list",
		"add.s32 %f1, %r1, %r2":                                                                         "does not hold type",
		"add.rn.f32 %f1, %r1, %f2":                                                                      "does not hold type",
		"add.s32 %r1, %r2":                                                                              "2 operands, want 3",
		"add.s32 %r1, %r2, %r99":                                                                        "not declared",
		"add.s32 5, %r2, %r3":                                                                           "not declared",
		"add.s32 %r1, %r2, 4294967296":                                                                  "does not fit 32 bits",
		"ld.param.u64 %rd1, [k_z]":                                                                      "not a parameter",
		"ld.param.u32 %r1, [k_x]":                                                                       "not a parameter of 4 bytes",
		"ld.global.v4.f32 {%f1, %f2}, [%rd4]":                                                           "a vector of 4 values has 2",
		"bra $nowhere":                                                                                  "no instruction",
		"@%r1 bra $L":                                                                                   "not a predicate",
		"mov.u32 %r1, %laneid":                                                                          "not declared",
		".shared .align 4 .b8 t[49152]":                                                                 "bytes of shared memory",
		".reg .f64 %fd<3>":                                                                              "registers have type",
	} {
		_, err := Parse(small(instruction + ";"))
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: got %v, want %q", instruction, err, why)
		}
	}
}

// TestLaunchRefused gives grids, blocks and parameters that do not fit.
func TestLaunchRefused(t *testing.T) {
	m, err := Parse(strings.Replace(small(""), ")\n{", ")\n.maxntid 64, 1, 1 .minnctapersm 2\n{", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		grid, block [3]uint32
		params      int
		want        string
	}{
		{[3]uint32{1, 1, 1}, [3]uint32{96, 1, 1}, 16, "up to 64 threads"},
		{[3]uint32{1, 1, 1}, [3]uint32{33, 1, 1}, 16, "not whole warps"},
		{[3]uint32{1, 1, 1}, [3]uint32{0, 1, 1}, 16, "not whole warps"},
		{[3]uint32{1, 0, 1}, [3]uint32{32, 1, 1}, 16, "beyond a device's"},
		{[3]uint32{1, 65536, 1}, [3]uint32{32, 1, 1}, 16, "beyond a device's"},
		{[3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 12, "12 bytes of parameters, want 16"},
	} {
		err := m.Kernel("k").Launch(NewAddressSpace(), c.grid, c.block, make([]byte, c.params), 0)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("grid %v, block %v, %d bytes: got %v, want %q", c.grid, c.block, c.params, err, c.want)
		}
	}
}

// TestLaunchBlock runs the last of blocks that nobody could wait for.
func TestLaunchBlock(t *testing.T) {
	m, err := Parse(small("st.global.u32 [%rd5], %r2;"))
	if err != nil {
		t.Fatal(err)
	}
	mem := NewAddressSpace()
	y := mem.Alloc(4 * 32)
	params := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, y), y)
	grid, block := [3]uint32{math.MaxInt32, 1, 1}, [3]uint32{32, 1, 1}
	if err := m.Kernel("k").LaunchBlock(mem, grid, block, [3]uint32{math.MaxInt32 - 1, 0, 0}, params, 0); err != nil {
		t.Fatal(err)
	}
	b, err := mem.Read(y, 4*32)
	if err != nil || binary.LittleEndian.Uint32(b) != math.MaxInt32-1 {
		t.Errorf("the block was %v, error %v", b, err)
	}
	if err := m.Kernel("k").LaunchBlock(mem, grid, block, [3]uint32{0, 1, 0}, params, 0); err == nil ||
		!strings.Contains(err.Error(), "is not in the grid") {
		t.Errorf("a block beyond the grid: %v", err)
	}
}

// TestMemory is what a host does with a device's memory.
func TestMemory(t *testing.T) {
	m := NewAddressSpace()
	a, host := m.Alloc(10), make([]byte, 8)
	if err := m.Write(a+4, make([]byte, 7)); err == nil {
		t.Error("a write past the end passes")
	}
	if err := m.Write(a, make([]byte, 4)); err != nil {
		t.Error(err)
	}
	if _, err := m.Read(a, 5); err == nil {
		t.Error("a read of what was not written passes")
	}
	if err := m.Map(a+8, host); err == nil {
		t.Error("memory is mapped over an allocation")
	}
	if err := m.Map(a-8, host); err != nil {
		t.Error(err)
	}
	if err := m.Write(a-8, []byte{1, 2}); err != nil || host[1] != 2 {
		t.Errorf("host memory holds %v, error %v", host, err)
	}
	if err := m.Free(a + 1); err == nil {
		t.Error("the middle of an allocation is freed")
	}
	if err := m.Free(a); err != nil {
		t.Error(err)
	}
	if err := m.Write(a, nil); err == nil {
		t.Error("freed memory is written")
	}
}

// TestProduct multiplies two matrices of codes element by element, as the tables of PTX's reference say
// where each lies.
func TestProduct(t *testing.T) {
	// A lane's words of A and B are its number times two odd numbers, its two sums begin at 1 and at
	// its number. The results lie over the operands.
	body := `mul.lo.s32 %r3, %r1, 0x9e3779b1; mul.lo.s32 %r4, %r1, 0x85ebca6b; mov.u32 %r5, 1;
		` + mma + ` {%r3, %r4}, {%r3}, {%r4}, {%r5, %r1};
		and.b32 %r6, %r1, 1; setp.eq.s32 %p1, %r6, WHICH; selp.b32 %r7, %r3, %r4, %p1; st.global.u32 [%rd5], %r7;`
	for _, which := range []uint32{0, 1} {
		y, err := launch(t, strings.Replace(body, "WHICH", strconv.Itoa(int(which)), 1), 1, 32)
		if err != nil {
			t.Fatal(err)
		}
		for lane, got := range y {
			// An even lane shows its first sum or its second, an odd one the other.
			l, i := uint32(lane), (uint32(lane)^which)&1
			row, col, want := l/4, 2*(l%4)+i, int32([]uint32{1, l}[i])
			for k := range uint32(16) {
				a := int8((row*4 + k/4) * 0x9e3779b1 >> (8 * (k % 4)))
				b := int8((col*4 + k/4) * 0x85ebca6b >> (8 * (k % 4)))
				want += int32(a) * int32(b)
			}
			if int32(got) != want {
				t.Errorf("row %d, column %d is %d, want %d", row, col, int32(got), want)
			}
		}
	}
}

// FuzzParse parses hostile modules, and runs those that parse: neither may
// panic nor go on for ever.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		"", "bar.sync 0;", "@%p1 bra $L; $L: st.global.v4.f32 [%rd4], {%f1, %f2, %f3, %f4};",
		"{ .reg .b32 tmp; mov.b64 {tmp, %r3}, %rd1; }", ".pragma \"nounroll\";", "shfl.sync.down.b32 %r3, %r1, 1, 31, -1;",
		mma + " {%r3, %r4}, {%r1}, {%r2}, {%r1, %r2};",
		"ld.shared.s8 %rs1, [s+3]; cvt.s32.s8 %r3, %rs1;", "div.u32 %r3, %r1, %r2; rem.u64 %rd8, %rd1, %rd2;",
	} {
		f.Add(small(body))
	}
	f.Fuzz(func(t *testing.T, src string) {
		m, err := Parse(src)
		if err != nil {
			return
		}
		for _, k := range m.Kernels() {
			if len(k.code) > 1000 {
				continue
			}
			mem := NewAddressSpace()
			x := mem.Alloc(256)
			params := make([]byte, k.paramBytes())
			for i := 0; i+8 <= len(params); i += 8 {
				binary.LittleEndian.PutUint64(params[i:], x)
			}
			if err := mem.Write(x, make([]byte, 128)); err != nil {
				t.Fatal(err)
			}
			var fault *Trap
			if err := k.Launch(mem, [3]uint32{2, 1, 1}, [3]uint32{64, 1, 1}, params, 10000); err != nil &&
				!errors.As(err, &fault) {
				t.Errorf("launch: %v", err)
			}
		}
	})
}
