package machine_test

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/alia-network/alia/node/machine"
)

// TestFreePorts: the ports differ, somebody can listen at each, and none is of those that Linux
// takes for calls to others.
func TestFreePorts(t *testing.T) {
	ports, err := machine.FreePorts(50)
	if err != nil || len(ports) != 50 {
		t.Fatalf("%d ports, %v", len(ports), err)
	}
	slices.Sort(ports)
	if len(slices.Compact(slices.Clone(ports))) != 50 || ports[49] >= 32768 {
		t.Errorf("%v", ports)
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}
