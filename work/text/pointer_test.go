package text

import (
	"strings"
	"testing"
)

// TestPointer: a pointer of Git LFS is named for what it is, with the size of the file.
func TestPointer(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 290924733\n"
	for data, says := range map[string]string{
		pointer: "Git LFS pointer, and not the file of 290924733 bytes", pointer[:45]: "Git LFS pointer, and not the file itself",
		"version https://git-lfs.github.com/spec": "", "": "", "a" + pointer: "",
	} { // order-free: independent cases
		err := CheckPointer([]byte(data))
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want it to say %q", data, err, says)
		}
	}
}
