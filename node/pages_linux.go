package node

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a large page of x86-64 and of arm64 with pages of 4 KiB.
const hugePage = 2 << 20

// largePages is n bytes that the system may keep in large pages. A model's parameters in small
// pages take two to three times as long to read, because each page is a fault of its own.
func largePages(n int) []byte {
	data := make([]byte, n+hugePage)
	from := hugePage - int(uintptr(unsafe.Pointer(unsafe.SliceData(data)))%hugePage)
	data = data[from : from+n]
	if whole := n / hugePage * hugePage; whole > 0 {
		_ = unix.Madvise(data[:whole], unix.MADV_HUGEPAGE) // a system without them keeps small ones
	}
	return data
}
