package mesh

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
)

// gossipQueue is the length of every queue of gossip, in messages. GossipSub's
// default queues silently drop parts of a burst of some thousand messages.
const gossipQueue = 4096

// seenTime is how long a message is remembered. An offer that comes again later has
// ended. A longer time would let a flood fill the memory.
const seenTime = 3 * time.Minute

// newPubSub starts GossipSub. Its messages carry no author and no signature: the
// records in them are signed by their accounts, and a peer that forwards a message
// cannot change them.
func newPubSub(ctx context.Context, h host.Host, name libp2pprotocol.ID, log *slog.Logger) (*pubsub.PubSub, error) {
	features := func(f pubsub.GossipSubFeature, _ libp2pprotocol.ID) bool {
		return pubsub.GossipSubDefaultFeatures(f, pubsub.GossipSubID_v12)
	}
	return pubsub.NewGossipSub(ctx, h,
		pubsub.WithGossipSubProtocols([]libp2pprotocol.ID{name}, features),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithLogger(slog.New(debugHandler{log.Handler()})),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithSeenMessagesTTL(seenTime),
		pubsub.WithDefaultValidator(withinSize, pubsub.WithValidatorInline(true)),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithFloodPublish(true),
		pubsub.WithSubscriptionFilter(&subscriptions{topics: make(map[string]struct{})}),
		pubsub.WithPeerScore(peerScore(), scoreThresholds()),
	)
}

// messageID is the first 20 bytes of SHA-256 over the topic and the data.
func messageID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write(m.GetData())
	return string(h.Sum(nil)[:20])
}

func withinSize(_ context.Context, _ peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if len(m.GetData()) > protocol.MaxGossip {
		return pubsub.ValidationReject
	}
	return pubsub.ValidationAccept
}

// peerScore is how GossipSub scores peers (gossipsub v1.1, "Peer Scoring";
// PROTOCOL.md, section 6.5). Peers that share an address are not punished: a
// school has one address, and [connsPerIP] bounds the connections from it.
func peerScore() *pubsub.PeerScoreParams {
	return &pubsub.PeerScoreParams{
		SkipAtomicValidation: true,
		Topics:               make(map[string]*pubsub.TopicScoreParams),
		AppSpecificScore:     func(peer.ID) float64 { return 0 },
		DecayInterval:        time.Second,
		DecayToZero:          0.01,
		RetainScore:          time.Hour,
	}
}

func topicScore() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		SkipAtomicValidation:           true,
		TopicWeight:                    0.1,
		TimeInMeshWeight:               0.0003,
		TimeInMeshQuantum:              time.Second,
		TimeInMeshCap:                  3333,
		FirstMessageDeliveriesWeight:   1,
		FirstMessageDeliveriesDecay:    pubsub.ScoreParameterDecay(10 * time.Minute),
		FirstMessageDeliveriesCap:      100,
		InvalidMessageDeliveriesWeight: -1000,
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
	}
}

func scoreThresholds() *pubsub.PeerScoreThresholds {
	return &pubsub.PeerScoreThresholds{
		GossipThreshold: -500, PublishThreshold: -1000, GraylistThreshold: -2500,
		AcceptPXThreshold: 1000, OpportunisticGraftThreshold: 2.5,
	}
}

// topic joins a topic once.
func (m *Mesh) topic(name string) (*pubsub.Topic, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.topics[name]; ok {
		return t, nil
	}
	t, err := m.pubsub.Join(name)
	if err != nil {
		return nil, err
	}
	if err := t.SetScoreParams(topicScore()); err != nil {
		return nil, err
	}
	m.topics[name] = t
	return t, nil
}

// Publish sends data, at most [protocol.MaxGossip] bytes, to the subscribers of
// a topic. Gossip is lossy: nothing may depend on a message arriving. The same
// bytes on the same topic are one message, and for ten minutes sent only once:
// a message that is repeated for new peers must therefore differ each time.
func (m *Mesh) Publish(ctx context.Context, topic string, data []byte) error {
	if len(data) > protocol.MaxGossip {
		return protocol.Refuse(protocol.TooLarge, "publish on %s: %d bytes, the limit is %d", topic, len(data), protocol.MaxGossip)
	}
	t, err := m.topic(topic)
	if err == nil {
		err = t.Publish(ctx, data)
	}
	if err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	return nil
}

// Subscription yields the messages of a topic, parsed as T.
type Subscription[T any] struct{ sub *pubsub.Subscription }

// Subscribe begins to receive a topic. A mesh has one subscription of a topic.
// Each message is parsed once, by several goroutines at a time, and
// [Subscription.Next] returns the parsed value. from is the peer that forwarded the
// message. A message that parse refuses is counted by its reason, dropped and not
// forwarded. If the reason is
// misbehaviour, the refusal also costs score of the peer that sent the message.
func Subscribe[T any](m *Mesh, topic string, parse func(from peer.ID, data []byte) (T, error)) (*Subscription[T], error) {
	t, err := m.topic(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	self := m.host.ID()
	err = m.pubsub.RegisterTopicValidator(topic, func(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
		if from == self {
			return pubsub.ValidationAccept
		}
		v, err := parse(from, msg.GetData())
		if err == nil {
			msg.ValidatorData = v
			return pubsub.ValidationAccept
		}
		reason := protocol.ReasonOf(err)
		m.counters.reject(reason)
		m.log.Debug("gossip refused", "topic", topic, "peer", from, "err", err)
		if reason.Misbehaviour() {
			return pubsub.ValidationReject
		}
		return pubsub.ValidationIgnore
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	sub, err := t.Subscribe(pubsub.WithBufferSize(gossipQueue))
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return &Subscription[T]{sub}, nil
}

// Next returns the next valid message of another node, or the context's error.
func (s *Subscription[T]) Next(ctx context.Context) (T, error) {
	for {
		msg, err := s.sub.Next(ctx)
		if err != nil {
			var none T
			return none, err
		}
		if v, ok := msg.ValidatorData.(T); ok { // messages of this node are not validated
			return v, nil
		}
	}
}

// Cancel ends the subscription.
func (s *Subscription[T]) Cancel() { s.sub.Cancel() }
