package fit

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/alia-network/alia/protocol/mesh"
)

// probeBytes travels each way over a link that is measured: enough to get over
// a connection's slow start, little enough for a slow line.
const probeBytes = 1 << 20

// Of the peers that are measured.
const (
	mostProbed  = 8
	peersWithin = 10 * time.Second // for the first peer to connect
	lookAgain   = 200 * time.Millisecond
)

// Measure measures the links of m to the peers that are connected, and returns
// the median speed and how many peers were measured. It waits a while for the
// first peer.
func Measure(ctx context.Context, m *mesh.Mesh, log *slog.Logger) (link mesh.LinkSpeed, peers int) {
	for begin := time.Now(); len(m.Peers()) == 0 && time.Since(begin) < peersWithin; {
		select {
		case <-ctx.Done():
			return mesh.LinkSpeed{}, 0
		case <-time.After(lookAgain):
		}
	}
	var up, down []float64
	for _, p := range m.Peers() {
		if len(up) == mostProbed {
			break
		}
		l, err := m.Probe(ctx, p.ID, probeBytes)
		if err != nil {
			log.Info("link not measured", "peer", p.ID, "err", err)
			continue
		}
		up, down = append(up, l.Up), append(down, l.Down)
	}
	if len(up) == 0 {
		return mesh.LinkSpeed{}, 0
	}
	slices.Sort(up)
	slices.Sort(down)
	return mesh.LinkSpeed{Up: up[len(up)/2], Down: down[len(down)/2]}, len(up)
}
