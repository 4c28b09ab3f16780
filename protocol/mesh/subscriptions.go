package mesh

import (
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// The gossip topics of others that a node remembers.
const (
	maxTopics = 1024
	maxTopic  = 128 // bytes of a topic's name
)

// subscriptions bounds the topics to which peers subscribe. GossipSub remembers them all,
// also after the peers have left, and strangers may name topics without end. A peer whose
// topic is passed over gets no gossip on it from here, and can still ask for open offers.
type subscriptions struct {
	mu     sync.Mutex // guards the field below
	topics map[string]struct{}
}

// CanSubscribe implements [pubsub.SubscriptionFilter] for this node, which may subscribe
// to all topics.
func (s *subscriptions) CanSubscribe(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics[topic] = struct{}{}
	return true
}

// FilterIncomingSubscriptions implements [pubsub.SubscriptionFilter] for peers.
func (s *subscriptions) FilterIncomingSubscriptions(_ peer.ID, opts []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pubsub.FilterSubscriptions(opts, func(topic string) bool {
		if _, known := s.topics[topic]; known {
			return true
		}
		if len(topic) > maxTopic || len(s.topics) >= maxTopics {
			return false
		}
		s.topics[topic] = struct{}{}
		return true
	}), nil
}
