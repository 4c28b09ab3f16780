package cuda

import (
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

// eachRow runs f for every row of the table.
func eachRow(t *testing.T, f func(t *testing.T, op kernel.Op)) {
	for op := kernel.Op(1); int(op) < len(kernel.Ops); op++ {
		t.Run(op.String(), func(t *testing.T) {
			if launchers[op] == nil {
				t.Fatal("the row has no CUDA kernel: the host would compute it, with copies both ways")
			}
			f(t, op)
		})
	}
}

func reference(t testing.TB) kernel.Device {
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}
