//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"gorgonia.org/cu"

	"github.com/alia-network/alia/work/kernel"
)

// cublas has the functions of NVIDIA's library that are used, by their names in its reference. Each
// returns 0 on success.
type cublas struct {
	create  func(handle *uintptr) int32
	destroy func(handle uintptr) int32
	mode    func(handle uintptr, mode int32) int32
	sgemm   func(
		handle uintptr, ta, tb, m, n, k int32, alpha *float32, a uintptr, lda int32, b uintptr, ldb int32,
		beta *float32, c uintptr, ldc int32,
	) int32
}

// cublasNames returns the places where the library may be: the value of ALIA_CUBLAS, or else the names
// that the loader finds, the folders of CUDA toolkits, and the folder of PyTorch's libraries for the
// first python3 on the path.
func cublasNames() []string {
	if name := os.Getenv("ALIA_CUBLAS"); name != "" {
		return []string{name}
	}
	names := []string{"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"}
	dirs := []string{"/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/*/lib", "/opt/cuda/lib64"}
	if python, err := exec.LookPath("python3"); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(python), "../lib/python3*/site-packages/nvidia/*/lib"))
	}
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "libcublas.so.1[1-9]")) // the pattern is ours
		names = append(names, found...)
	}
	return names
}

// CuBLASSpeed is what CuBLAS has measured.
type CuBLASSpeed struct {
	Library  string  // its file
	Binary32 float64 // GFLOP/s
	TF32     float64 // GFLOP/s of the same product of operands that are rounded to 11 bits, by tensor cores
}

// CuBLAS measures NVIDIA's own product of matrices [m,k] and [k,n] in binary32, with and without TF32, to
// compare ours with it. The library adds in another sequence, so its results have other bits. Cards before
// compute capability 8.0 have no TF32, and compute in binary32 both times.
func (d *Device) CuBLAS(m, n, k int) (s CuBLASSpeed, err error) {
	var lib uintptr
	for _, s.Library = range cublasNames() {
		if lib, err = purego.Dlopen(s.Library, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
	}
	if err != nil {
		return CuBLASSpeed{}, fmt.Errorf("no cuBLAS: %w", err)
	}
	// Find the functions.
	var f cublas
	for name, to := range map[string]any{
		"cublasCreate_v2": &f.create, "cublasDestroy_v2": &f.destroy, "cublasSetMathMode": &f.mode,
		"cublasSgemm_v2": &f.sgemm,
	} {
		at, err := purego.Dlsym(lib, name)
		if err != nil {
			return s, fmt.Errorf("%s: %w", s.Library, err)
		}
		purego.RegisterFunc(to, at)
	}
	// The three matrices, in the device's memory.
	var at [3]uintptr
	var keep [3]kernel.Tensor
	for i, size := range []int{m * k, k * n, m * n} {
		x := kernel.New(kernel.F32, size)
		for j := range x.F {
			x.F[j] = float32(j%17)/8 - 1
		}
		x = kernel.On(d, x)
		if x.Home == nil {
			return s, errors.New("the device has no room for the comparison")
		}
		keep[i], at[i] = x, uintptr(unsafe.Pointer(unsafe.SliceData(x.F)))
	}
	defer runtime.KeepAlive(keep)
	d.Wait()
	err = d.on(func() error {
		var handle uintptr
		if r := f.create(&handle); r != 0 {
			return fmt.Errorf("%s does not start: %d", s.Library, r)
		}
		defer f.destroy(handle)
		// CUBLAS_DEFAULT_MATH and CUBLAS_TF32_TENSOR_OP_MATH of the library's reference.
		for mode, gflops := range map[int32]*float64{0: &s.Binary32, 3: &s.TF32} {
			if r := f.mode(handle, mode); r != 0 {
				return fmt.Errorf("%s does not know mode %d: %d", s.Library, mode, r)
			}
			// The fastest of ten. The library's matrices are in columns: ours, transposed.
			one, zero := float32(1), float32(0)
			for range 10 {
				began := time.Now()
				if r := f.sgemm(handle, 0, 0, int32(n), int32(m), int32(k), &one, at[1], int32(n), at[0], int32(k),
					&zero, at[2], int32(n)); r != 0 {
					return fmt.Errorf("%s does not multiply: %d", s.Library, r)
				}
				if err := cu.Synchronize(); err != nil {
					return err
				}
				*gflops = max(*gflops, 2*float64(m)*float64(n)*float64(k)/time.Since(began).Seconds()/1e9)
			}
		}
		return nil
	})
	return s, err
}
