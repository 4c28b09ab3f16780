package machine

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports from firstPort to lastPort are given to nobody who does not ask for them: Linux takes
// those from 32768 on for calls to others, and RFC 6335 (section 6) has those from 49152 on for
// that.
const (
	firstPort = 10_000
	lastPort  = 32_767
)

// FreePorts returns n different ports of 127.0.0.1 at which nobody listens. No call of another
// process can have one of them before it is used: another listener could, and is unlikely to.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for tries := 100 * n; len(ports) < n; tries-- {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort+1)))
		if err == nil {
			defer l.Close() // all are open until all are found, so that they differ
			ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		} else if tries == 0 {
			return nil, fmt.Errorf("find a free port of 127.0.0.1 from %d to %d: %w", firstPort, lastPort, err)
		}
	}
	return ports, nil
}
