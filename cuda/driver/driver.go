//go:build cuda && linux && (amd64 || arm64)

package driver

// #cgo LDFLAGS: -ldl
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"unsafe"

	"gorgonia.org/cu"
)

// Variable is an environment variable: the file of another driver library, or "off" for no CUDA.
const Variable = "ALIA_CUDA"

// oldest is the oldest version of CUDA that the driver may support: 1000 times the major number plus 10
// times the minor number. The PTX in package cuda needs it, and so do primary contexts and unified
// addresses.
const oldest = 11000

var open = sync.OnceValue(load)

// Open opens the driver, once in a process. The error is the reason, in one line, why no driver can be
// used.
func Open() error { return open() }

// load is Open without the once.
func load() error {
	name := os.Getenv(Variable)
	switch name {
	case "off":
		return fmt.Errorf("CUDA is switched off by %s=off", Variable)
	case "":
		name = "libcuda.so.1"
	}
	find, library, err := finder(name)
	if err != nil {
		return err
	}
	// The shim fills its table and reports the first function that the library does not have.
	missed := make([]C.char, 64)
	r := C.alia_cuda_open(C.alia_find(find), library, &missed[0], C.size_t(len(missed)))
	if m := C.GoString(&missed[0]); m != "" {
		return fmt.Errorf("driver library %s has no %s: install a driver for CUDA %d or later",
			name, m, oldest/1000)
	}
	if r != C.CUDA_SUCCESS {
		return fmt.Errorf("driver library %s: %s", name, startReason("/dev/nvidiactl", int(r)))
	}
	if v := cu.Version(); v < oldest {
		return fmt.Errorf("the driver supports CUDA %d.%d, at least %d.%d is needed: install a newer driver",
			v/1000, v%1000/10, oldest/1000, oldest%1000/10)
	}
	return nil
}

// dynamic opens a driver library for the shim.
func dynamic(name string) (find, library unsafe.Pointer, err error) {
	why := make([]C.char, 256)
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	library = C.alia_dlopen(cname, &why[0], C.size_t(len(why)))
	if library == nil {
		return nil, nil, fmt.Errorf("no driver library: %s", C.GoString(&why[0]))
	}
	return C.alia_dlsym(), library, nil
}

// startReason returns the reason why the driver does not start, for cuInit's result r. The driver has the
// same number for "no device" and "no permission", so startReason also tries to open control, the
// device's file.
func startReason(control string, r int) string {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("no permission on %s: this user may not use the device", control)
	}
	switch r {
	case C.CUDA_ERROR_NO_DEVICE:
		return "no device (cuInit: 100)"
	case C.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
		return "the library has another version than the kernel's driver (cuInit: 803): " +
			"restart the machine, or reinstall one of them"
	case C.CUDA_ERROR_SYSTEM_NOT_READY:
		return "the system is not ready (cuInit: 802): is its fabric manager running?"
	case C.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE:
		return "the device needs a newer kernel driver (cuInit: 804)"
	}
	return fmt.Sprintf("the driver does not start (cuInit: %d)", r)
}
