package mesh

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
)

// gossipQueue is the length of every queue of gossip. With the library's
// defaults, bursts of some thousand messages were silently dropped.
const gossipQueue = 4096

// newPubSub starts GossipSub. Messages carry no author and no signature of its
// own: records are signed by their account, and it does not matter who passes
// them on.
func newPubSub(ctx context.Context, h host.Host, name libp2pprotocol.ID) (*pubsub.PubSub, error) {
	features := func(f pubsub.GossipSubFeature, _ libp2pprotocol.ID) bool {
		return pubsub.GossipSubDefaultFeatures(f, pubsub.GossipSubID_v12)
	}
	return pubsub.NewGossipSub(ctx, h,
		pubsub.WithGossipSubProtocols([]libp2pprotocol.ID{name}, features),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithSeenMessagesTTL(10*time.Minute),
		pubsub.WithDefaultValidator(withinSize, pubsub.WithValidatorInline(true)),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithFloodPublish(true),
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

// peerScore scores peers by the specification's section 2.3. Addresses of the
// host and of private networks may hold any number of peers.
func peerScore() *pubsub.PeerScoreParams {
	var private []*net.IPNet
	for _, cidr := range []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"} {
		_, n, err := net.ParseCIDR(cidr)
		if err != nil {
			panic(err) // they are constants
		}
		private = append(private, n)
	}
	return &pubsub.PeerScoreParams{
		SkipAtomicValidation:        true,
		Topics:                      make(map[string]*pubsub.TopicScoreParams),
		AppSpecificScore:            func(peer.ID) float64 { return 0 },
		IPColocationFactorWeight:    -50,
		IPColocationFactorThreshold: 5,
		IPColocationFactorWhitelist: private,
		DecayInterval:               time.Second,
		DecayToZero:                 0.01,
		RetainScore:                 time.Hour,
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
// what is repeated for the sake of peers that join must differ.
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

// Subscription yields the messages of a topic.
type Subscription struct {
	sub  *pubsub.Subscription
	self peer.ID
}

// Subscribe begins to receive a topic, of which this is the mesh's one
// subscription. Each message of a peer is first put to validate, from several
// goroutines at once; on an error it is counted by its reason, dropped and not
// passed on. An error of a reason that is the sender's fault also costs the
// peer that sent it.
func (m *Mesh) Subscribe(topic string, validate func(data []byte) error) (*Subscription, error) {
	t, err := m.topic(topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	self := m.host.ID()
	err = m.pubsub.RegisterTopicValidator(topic, func(_ context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
		if from == self {
			return pubsub.ValidationAccept
		}
		err := validate(msg.GetData())
		if err == nil {
			return pubsub.ValidationAccept
		}
		reason := protocol.ReasonOf(err)
		m.counters.reject(reason)
		m.log.Debug("gossip refused", "topic", topic, "peer", from, "err", err)
		if reason.Fault() {
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
	return &Subscription{sub: sub, self: self}, nil
}

// Next returns the next valid message of another node, or the context's error.
func (s *Subscription) Next(ctx context.Context) ([]byte, error) {
	for {
		msg, err := s.sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		if msg.ReceivedFrom != s.self {
			return msg.GetData(), nil
		}
	}
}

// Cancel ends the subscription.
func (s *Subscription) Cancel() { s.sub.Cancel() }
