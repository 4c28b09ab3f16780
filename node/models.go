package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/model"
)

// servedModels is the models that this node tells other peers it serves. It is safe for
// concurrent use.
type servedModels struct {
	mu  sync.Mutex // guards all
	all []protocol.HeldModel
}

// ServeModel tells other peers that this node serves a model, whose blocks are in the
// store, and for what it translates with the model. The node announces itself in the
// directory for the model, and for its pair of languages.
func (p *Peer) ServeModel(ctx context.Context, h protocol.HeldModel) error {
	pair, err := block.Owned{Store: p.Store, Owner: ModelOwner(h.Model)}.Put(ctx, block.Raw, mesh.PairBlock(h.Source, h.Target))
	if err != nil {
		return fmt.Errorf("serve model %s: %w", h.Model, err)
	}
	p.served.mu.Lock()
	p.served.all = append(slices.DeleteFunc(p.served.all, func(o protocol.HeldModel) bool { return o.Model == h.Model }), h)
	slices.SortStableFunc(p.served.all, func(a, b protocol.HeldModel) int { return cmp.Compare(b.ChrF, a.ChrF) })
	p.served.mu.Unlock()
	p.Mesh.Provide(h.Model.Cid)
	p.Mesh.Provide(pair)
	return nil
}

// millionths is a score between 0 and 100 in millionths, as in [protocol.HeldModel].
func millionths(chrF float64) uint32 { return uint32(max(0, min(chrF, 100)) * 10_000) }

// ReadHeldModel returns what a node tells others of a model in a directory. The score is
// that of the first test set in the directory's manifest, if it has one.
func ReadHeldModel(dir string, m model.Model, link block.Link) (protocol.HeldModel, error) {
	h := protocol.HeldModel{Model: link, Source: m.Source, Target: m.Target}
	manifest, err := ReadManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil // an imported model's
	} else if err != nil {
		return h, err
	}
	if len(manifest.Tests) > 0 {
		h.ChrF = millionths(manifest.Tests[0].ChrF)
	}
	return h, nil
}

// of returns the models of a pair of languages, or with empty languages all of them.
func (s *servedModels) of(source, target string) (some []protocol.HeldModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.all {
		if source == "" || h.Source == source && h.Target == target {
			some = append(some, h)
		}
	}
	return some
}

// FoundModel is a model that peers say they serve.
type FoundModel struct {
	Model          block.Link
	Source, Target string
	// ChrF is the middle one of the scores that the holders claim, in millionths, and the
	// lower of two middle ones; 0 where nobody claims one. Nothing proves it: `alia model
	// eval` measures a model.
	ChrF uint32
	// Price is the least amount for a GFLOP that a holder asks.
	Price   uint64 // 0 where no holder names a price
	Holders []protocol.Account
}

// FindModels asks peers for their models of a pair of languages, or with empty languages
// for all. The models with the best claimed chrF come first; of equal ones, those with
// more holders.
func (p *Peer) FindModels(ctx context.Context, source, target string) []FoundModel {
	answers := p.Mesh.FindModels(ctx, source, target)
	if mine := p.served.of(source, target); len(mine) > 0 {
		answers = append(answers, mesh.PeerModels{Account: p.Account(), Models: mine})
	}
	return joinModels(answers)
}

// lookAgain is the pause between two searches of AwaitModels.
const lookAgain = 500 * time.Millisecond

// AwaitModels is FindModels, again and again until there is a model or most has passed: a
// peer that has just joined knows nobody.
func (p *Peer) AwaitModels(ctx context.Context, source, target string, most time.Duration) ([]FoundModel, error) {
	for began := time.Now(); ; {
		found := p.FindModels(ctx, source, target)
		if len(found) > 0 || time.Since(began) >= most {
			return found, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// joinModels makes one entry of what several peers say of one model and pair. Each peer is
// heard once for a model, the first time.
func joinModels(answers []mesh.PeerModels) []FoundModel {
	type name struct {
		model          block.Link
		source, target string
	}
	at, heard := map[name]int{}, map[name]protocol.Account{}
	var all []FoundModel
	var claims [][]uint32
	for _, a := range answers {
		for _, h := range a.Models {
			n := name{h.Model, h.Source, h.Target}
			i, known := at[n]
			if !known {
				i = len(all)
				at[n] = i
				all, claims = append(all, FoundModel{Model: h.Model, Source: h.Source, Target: h.Target, Price: h.Price}), append(claims, nil)
			} else if heard[n] == a.Account {
				continue
			}
			heard[n] = a.Account
			if p := &all[i].Price; *p == 0 || h.Price > 0 && h.Price < *p {
				*p = h.Price
			}
			all[i].Holders = append(all[i].Holders, a.Account)
			if h.ChrF > 0 {
				claims[i] = append(claims[i], h.ChrF)
			}
		}
	}
	for i, c := range claims {
		if slices.Sort(c); len(c) > 0 {
			all[i].ChrF = c[(len(c)-1)/2]
		}
	}
	slices.SortFunc(all, func(a, b FoundModel) int {
		return cmp.Or(cmp.Compare(b.ChrF, a.ChrF), cmp.Compare(len(b.Holders), len(a.Holders)),
			cmp.Compare(a.Source+"-"+a.Target, b.Source+"-"+b.Target), cmp.Compare(a.Model.String(), b.Model.String()))
	})
	return all
}
