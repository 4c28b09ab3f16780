package mesh

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

const (
	modelsProtocol = "/models/1"
	modelsTimeout  = 5 * time.Second
	searchTimeout  = 10 * time.Second // of FindModels, however many peers are slow
	maxModelPeers  = 64               // peers that FindModels finds in the DHT
	modelAsks      = 64               // peers that FindModels asks at a time
)

// PairBlock is the bytes of the raw block by which peers find one another who have models
// of a pair of languages: a peer that has one provides the block, see [Mesh.Provide].
func PairBlock(source, target string) []byte {
	return []byte("ALIA models from " + source + " to " + target + "\n")
}

// HandleModels answers peers that ask for models: f returns those that this node serves,
// the best first. source and target are both empty when the peer asks for every pair.
func (m *Mesh) HandleModels(f func(source, target string) []protocol.HeldModel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.models = f
}

// serveModels answers one query.
func (m *Mesh) serveModels(_ context.Context, s network.Stream) {
	if err := m.answerModels(s); err != nil && err != io.EOF {
		m.log.Debug("models not served", "peer", s.Conn().RemotePeer(), "err", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (m *Mesh) answerModels(s network.Stream) error {
	if err := s.SetDeadline(time.Now().Add(modelsTimeout)); err != nil {
		return err
	}
	var query protocol.ModelQuery
	if err := m.readRecord(s, &query); err != nil {
		return err
	}
	m.mu.Lock()
	f := m.models
	m.mu.Unlock()
	page := protocol.ModelPage{Version: protocol.Version}
	if f != nil {
		page.Models = f(query.Source, query.Target)
	}
	page.Models = page.Models[:min(len(page.Models), protocol.MaxHeldModels)]
	return writeRecord(s, &page)
}

// AskModels asks a connected peer for the models that it serves, of one pair of languages
// or, if both are empty, of all. What it answers is a claim.
func (m *Mesh) AskModels(ctx context.Context, of peer.ID, source, target string) ([]protocol.HeldModel, error) {
	ctx, cancel := context.WithTimeout(ctx, modelsTimeout)
	defer cancel()
	s, err := m.host.NewStream(ctx, of, m.protocol(modelsProtocol))
	if err != nil {
		return nil, fmt.Errorf("ask %s for models: %w", of, plain(ctx, err))
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	var page protocol.ModelPage
	if err = writeRecord(s, &protocol.ModelQuery{Version: protocol.Version, Source: source, Target: target}); err == nil {
		err = m.readRecord(s, &page)
	}
	if err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("ask %s for models: %w", of, plain(ctx, err))
	}
	return page.Models, s.Close()
}

// PeerModels is the models that a peer says it serves.
type PeerModels struct {
	Account protocol.Account
	Models  []protocol.HeldModel
}

// FindModels asks peers for the models that they serve: the connected peers, and up to 64
// that the DHT names for the pair of languages. If both languages are empty it asks the
// connected peers for models of every pair. Peers that do not answer in 5 s are left out, and
// after 10 s it takes what it has: peers that answer slowly keep nobody waiting for long.
func (m *Mesh) FindModels(ctx context.Context, source, target string) []PeerModels {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	ids := map[peer.ID]bool{}
	var all []peer.AddrInfo
	for _, p := range m.Peers() {
		ids[p.ID] = true
		all = append(all, peer.AddrInfo{ID: p.ID})
	}
	if source != "" {
		for _, info := range m.providers(ctx, block.Sum(block.Raw, PairBlock(source, target)), maxModelPeers) {
			if !ids[info.ID] {
				ids[info.ID] = true
				all = append(all, info)
			}
		}
	}
	answers := make([]PeerModels, len(all))
	var asked sync.WaitGroup
	turn := make(chan struct{}, modelAsks)
	for i, info := range all {
		asked.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			answers[i] = m.modelsOf(ctx, info, source, target)
		})
	}
	asked.Wait()
	var found []PeerModels
	for _, a := range answers {
		if len(a.Models) > 0 {
			found = append(found, a)
		}
	}
	return found
}

// modelsOf asks one peer, and dials it first where it has addresses: it is not connected
// then. Models of other pairs than were asked for are left out.
func (m *Mesh) modelsOf(ctx context.Context, info peer.AddrInfo, source, target string) PeerModels {
	account, err := AccountOf(info.ID)
	if err == nil && len(info.Addrs) > 0 {
		err = m.greet(ctx, info)
	}
	var models []protocol.HeldModel
	if err == nil {
		models, err = m.AskModels(ctx, info.ID, source, target)
	}
	if err != nil {
		m.log.Debug("a peer's models are not known", "peer", info.ID, "err", err)
		return PeerModels{}
	}
	out := PeerModels{Account: account}
	for _, h := range models {
		if source == "" || h.Source == source && h.Target == target {
			out.Models = append(out.Models, h)
		}
	}
	return out
}
