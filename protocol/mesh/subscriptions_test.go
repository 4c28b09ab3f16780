package mesh

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
)

// TestTopicsAreBounded: a stranger that subscribes to topics without end is not remembered
// for all of them; a topic that the node has joined is always known.
func TestTopicsAreBounded(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		m := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		ours, err := m.topic("/ours")
		if err != nil {
			t.Fatal(err)
		}
		h := bare(t, n, simIP(1), 1)
		hostile, err := pubsub.NewGossipSub(ctx, h, pubsub.WithGossipSubProtocols(
			[]libp2pprotocol.ID{m.protocol("/meshsub/1")}, func(f pubsub.GossipSubFeature, _ libp2pprotocol.ID) bool {
				return pubsub.GossipSubDefaultFeatures(f, pubsub.GossipSubID_v12)
			}))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Connect(ctx, infoOf(m)); err != nil {
			t.Fatal(err)
		}
		names := []string{strings.Repeat("x", maxTopic+1)}
		for i := range 2 * maxTopics {
			names = append(names, fmt.Sprint("/junk/", i))
		}
		names = append(names, "/ours")
		for _, name := range names {
			topic, err := hostile.Join(name)
			if err == nil {
				_, err = topic.Subscribe()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		known := 0
		for _, name := range names {
			if len(m.pubsub.ListPeers(name)) > 0 {
				known++
			}
		}
		if known != maxTopics || len(ours.ListPeers()) != 1 || len(m.pubsub.ListPeers(names[0])) > 0 {
			t.Errorf("%d topics of a stranger are remembered, want %d; of ours: %v", known, maxTopics, ours.ListPeers())
		}
	})
}
