//go:build linux && (amd64 || arm64)

// Command openblas, built as gemm-peer, times OpenBLAS for alia bench gemm
// --peer openblas. The library is opened at run time, where it is installed,
// and nothing needs it to build. See package gemmpeer for what it says.
//
//	$ echo '{"variant":"NN","m":256,"n":512,"k":512,"batch":1,"repeats":10,"threads":1}' | gemm-peer
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/alia-network/alia/node/alia/gemmpeer"
)

func main() {
	runtime.LockOSThread() // the error of dlopen is kept for the thread that called it
	out := json.NewEncoder(os.Stdout)
	b, hello := open("libopenblas.so.0")
	if out.Encode(hello) != nil || b == nil {
		os.Exit(1)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var q gemmpeer.Request
		r := gemmpeer.Reply{}
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			r.Error = err.Error()
		} else if r, err = b.measure(q); err != nil {
			r.Error = err.Error()
		}
		if out.Encode(r) != nil {
			os.Exit(1)
		}
	}
}

// blas is an open library. Its products are called by the Fortran interface,
// whose arguments are all pointers, so that a call is only a jump to C.
type blas struct {
	sgemm   uintptr
	threads uintptr // sets their number
	empty   uintptr // a function that does almost nothing
	call    time.Duration

	operands [3][]float32 // A, B and C of the last request
	sizes    [4]int
	fortran  fortran
}

// fortran is what the arguments of a product point to. It is kept on the heap,
// where it does not move.
type fortran struct {
	transB, transA byte
	m, n, k        int32
	ldb, lda       int32
	one, zero      float32
}

func open(name string) (*blas, gemmpeer.Hello) {
	lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, gemmpeer.Hello{Error: fmt.Sprintf("%s is not loaded: %v", name, err)}
	}
	var b blas
	for name, to := range map[string]*uintptr{"sgemm_": &b.sgemm, "openblas_get_num_threads": &b.empty, "openblas_set_num_threads": &b.threads} {
		if *to, err = purego.Dlsym(lib, name); err != nil {
			return nil, gemmpeer.Hello{Error: err.Error()}
		}
	}
	hello := gemmpeer.Hello{Library: name, Config: text(lib, "openblas_get_config"), Core: text(lib, "openblas_get_corename")}
	b.call = b.emptyCall()
	hello.Call = b.call.Seconds()
	return &b, hello
}

// text calls a function without arguments that returns a string.
func text(lib uintptr, name string) string {
	var f func() string
	at, err := purego.Dlsym(lib, name)
	if err != nil {
		return ""
	}
	purego.RegisterFunc(&f, at)
	return f()
}

// emptyCall is the least time of a call with as many arguments as a product.
func (b *blas) emptyCall() time.Duration {
	const calls = 10_000
	best := time.Duration(1 << 62)
	var args [13]uintptr
	for range 10 {
		began := processorTime()
		for range calls {
			purego.SyscallN(b.empty, args[:]...)
		}
		best = min(best, processorTime()-began)
	}
	return best / calls
}

// measure does q once to warm the caches, then times it.
func (b *blas) measure(q gemmpeer.Request) (gemmpeer.Reply, error) {
	const limit = 1 << 28 // elements: no more than a benchmark wants
	for _, n := range []int{q.M, q.N, q.K, q.Batch, q.Repeats, q.Threads} {
		if n < 1 || n > limit {
			return gemmpeer.Reply{}, fmt.Errorf("gemm-peer: %+v: give sizes from 1 on", q)
		}
	}
	sizes := [4]int{q.M, q.N, q.K, q.Batch}
	if sizes != b.sizes {
		b.sizes = sizes
		for i, n := range []int{q.M * q.K, q.K * q.N, q.M * q.N} {
			b.operands[i] = make([]float32, n*q.Batch)
			for j := range b.operands[i] {
				b.operands[i][j] = float32(j%17)/8 - 1
			}
		}
	}
	// Fortran's matrices are by columns: C' = B' A'.
	f := &b.fortran
	*f = fortran{m: int32(q.N), n: int32(q.M), k: int32(q.K), transB: 'N', transA: 'N', one: 1}
	f.ldb, f.lda = f.m, f.k
	switch q.Variant {
	case "NN":
	case "NT":
		f.transB, f.ldb = 'T', f.k
	case "TN":
		f.transA, f.lda = 'T', f.n
	default:
		return gemmpeer.Reply{}, fmt.Errorf("gemm-peer: variant %q is not NN, NT or TN", q.Variant)
	}
	args := [13]uintptr{address(&f.transB), address(&f.transA), address(&f.m), address(&f.n), address(&f.k), address(&f.one),
		0, address(&f.ldb), 0, address(&f.lda), address(&f.zero), 0, address(&f.m)}
	once := func() {
		for i := range q.Batch {
			args[6] = address(&b.operands[1][i*q.K*q.N])
			args[8] = address(&b.operands[0][i*q.M*q.K])
			args[11] = address(&b.operands[2][i*q.M*q.N])
			purego.SyscallN(b.sgemm, args[:]...)
		}
	}
	purego.SyscallN(b.threads, uintptr(q.Threads))
	once()
	cpu, wall := processorTime(), time.Now()
	for range q.Repeats {
		once()
	}
	r := gemmpeer.Reply{CPU: (processorTime() - cpu).Seconds(), Wall: time.Since(wall).Seconds()}
	calls := b.call.Seconds() * float64(q.Batch*q.Repeats)
	r.CPU, r.Wall = r.CPU-calls, r.Wall-calls
	runtime.KeepAlive(b)
	return r, nil
}

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// processorTime is the processor time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
