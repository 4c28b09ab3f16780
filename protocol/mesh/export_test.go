package mesh

import (
	"context"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// AwaitSubscribers returns when this node knows n other nodes that subscribe to
// the topic.
func (m *Mesh) AwaitSubscribers(ctx context.Context, topic string, n int) error {
	t, err := m.topic(topic)
	if err != nil {
		return err
	}
	h, err := t.EventHandler()
	if err != nil {
		return err
	}
	defer h.Cancel()
	for n > 0 {
		e, err := h.NextPeerEvent(ctx)
		if err != nil {
			return err
		}
		if e.Type == pubsub.PeerJoin {
			n--
		}
	}
	return nil
}
