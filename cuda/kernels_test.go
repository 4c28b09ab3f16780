package cuda

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// TestSourcesMatch holds every PTX to the sources it names, kernels/*.h in the
// order of their names and the kernel's own, and to its own text.
func TestSourcesMatch(t *testing.T) {
	var headers []byte
	files, err := sources.ReadDir("kernels")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".h") {
			headers = append(headers, read(t, f.Name())...)
		}
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".c")
		if !ok {
			continue
		}
		sum := sha256.Sum256(append(headers[:len(headers):len(headers)], read(t, f.Name())...))
		text, err := PTX(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if want := fmt.Sprintf("// sources sha256 %x\n", sum); !strings.HasPrefix(text, want) {
			t.Errorf("kernels/%s.ptx is not of the sources beside it: run make ptx, which needs clang-19", name)
			continue
		}
		head, body, _ := strings.Cut(text[strings.IndexByte(text, '\n')+1:], "\n")
		if want := fmt.Sprintf("// text sha256 %x", sha256.Sum256([]byte(body))); head != want {
			t.Errorf("kernels/%s.ptx was changed since it was made: run make ptx, which needs clang-19", name)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := sources.ReadFile("kernels/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
