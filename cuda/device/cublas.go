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
	create func(handle *uintptr) int32
	sgemm  func(
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

// CuBLAS measures NVIDIA's own product of two matrices [n,n] in binary32, without TF32, to compare ours
// with it. It returns the library's file and the speed in GFLOP/s. The library adds in another sequence,
// so its results have other bits.
func (d *Device) CuBLAS(n int) (library string, gflops float64, err error) {
	var lib uintptr
	for _, library = range cublasNames() {
		if lib, err = purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
			break
		}
	}
	if err != nil {
		return "", 0, fmt.Errorf("no cuBLAS: %w", err)
	}
	// Find the functions.
	var f cublas
	for name, to := range map[string]any{"cublasCreate_v2": &f.create, "cublasSgemm_v2": &f.sgemm} {
		at, err := purego.Dlsym(lib, name)
		if err != nil {
			return library, 0, fmt.Errorf("%s: %w", library, err)
		}
		purego.RegisterFunc(to, at)
	}
	// The three matrices, in the device's memory.
	var at [3]uintptr
	var keep [3]kernel.Tensor
	for i := range keep {
		x := kernel.New(kernel.F32, n*n)
		for j := range x.F {
			x.F[j] = float32(j%17)/8 - 1
		}
		x = kernel.On(d, x)
		if x.Home == nil {
			return library, 0, errors.New("the device has no room for the comparison")
		}
		keep[i], at[i] = x, uintptr(unsafe.Pointer(unsafe.SliceData(x.F)))
	}
	defer runtime.KeepAlive(keep)
	d.Wait()
	err = d.on(func() error {
		var handle uintptr
		if r := f.create(&handle); r != 0 {
			return fmt.Errorf("%s does not start: %d", library, r)
		}
		// The fastest of ten.
		one, zero, size := float32(1), float32(0), int32(n)
		for range 10 {
			began := time.Now()
			if r := f.sgemm(handle, 0, 0, size, size, size, &one, at[0], size, at[1], size, &zero, at[2],
				size); r != 0 {
				return fmt.Errorf("%s does not multiply: %d", library, r)
			}
			if err := cu.Synchronize(); err != nil {
				return err
			}
			gflops = max(gflops, 2*float64(n)*float64(n)*float64(n)/time.Since(began).Seconds()/1e9)
		}
		return nil
	})
	return library, gflops, err
}
