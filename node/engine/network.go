package engine

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Network is the miners of a network, paid by the customer's account. It is an [Engine].
type Network struct {
	Client *client.Client
	// Named are models that the user names. Network offers them, and the models of the
	// customer's home.
	Named []block.Link
	// From and To are the languages that will be asked for, as far as they are known: the
	// network's directory has the models of a pair.
	From, To string
	// Holders are addresses of peers that have the models. Without them the network's
	// directory is asked.
	Holders []string
	// CheckPPM is the share of the sentences, in parts per million, that the customer checks
	// of a job for money with a model; nil checks none. See [client.Document].
	CheckPPM func(ctx context.Context, model block.Link) (uint32, error)
}

// How Models looks for models that nobody has named.
const (
	findTime  = 10 * time.Second // until a peer that has just joined says that there are none
	checkTime = 5 * time.Second  // until a peer has to have sent the record of a model
	checkAll  = 8 * time.Second  // until the records of all models have to be there
	checks    = 16               // records that are fetched at a time
	mostFound = 3                // models of one pair of languages, those with the best scores
)

// Models implements [Engine]. A model that is named and that no peer has is an error. Then
// come those that peers say they serve. Their languages are those of their records; their
// scores are the peers' word, see [node.FoundModel].
func (n *Network) Models(ctx context.Context) ([]Model, error) {
	held, err := home.Named(n.Client.Peer.Home.Models())
	if err != nil {
		return nil, err
	}
	var all []Model
	for _, link := range slices.Concat(n.Named, held) {
		if slices.ContainsFunc(all, func(m Model) bool { return m.Link == link }) {
			continue
		}
		m, err := n.Client.Model(ctx, link, n.Holders)
		if err != nil {
			return nil, err
		}
		one := Model{Link: link, Source: m.Model.Source, Target: m.Model.Target, Price: client.DefaultPrice}
		all = append(all, one.each(m.Targets())...)
	}
	found, err := n.find(ctx, len(n.Named) > 0)
	if err != nil {
		return nil, err
	}
	var open []node.FoundModel
	for _, f := range found {
		ours := false
		for i, m := range all {
			if m.Link == f.Model {
				ours = true
				all[i].ChrF, all[i].Holders, all[i].Price = float64(f.ChrF)/10_000, len(f.Holders), cmp.Or(f.Price, m.Price)
			}
		}
		if !ours {
			open = append(open, f)
		}
	}
	for _, f := range n.checked(ctx, inTurn(open)) {
		all = append(all, Model{
			Link: f.Model, Source: f.Source, Target: f.Target, ChrF: float64(f.ChrF) / 10_000,
			Price: cmp.Or(f.Price, client.DefaultPrice), Holders: len(f.Holders),
		})
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.SortStableFunc(all, func(a, b Model) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target), cmp.Compare(b.ChrF, a.ChrF))
	})
	return all, nil
}

// find asks the network for models. Once is enough where a model is named already.
func (n *Network) find(ctx context.Context, once bool) ([]node.FoundModel, error) {
	from, to := n.From, n.To
	if from == "" || to == "" {
		from, to = "", ""
	}
	if once {
		return n.Client.Peer.FindModels(ctx, from, to), ctx.Err()
	}
	return n.Client.Peer.AwaitModels(ctx, from, to, findTime)
}

// inTurn sorts models so that the holders take turns: each holder's best comes before any
// holder's second. A page of models that nobody has, with the best of scores, costs a liar
// nothing, and must not keep those of others from being looked at.
func inTurn(found []node.FoundModel) []node.FoundModel {
	type ranked struct {
		node.FoundModel
		rank int
	}
	said := map[protocol.Account]int{}
	all := make([]ranked, len(found))
	for i, f := range found {
		rank := len(found)
		for _, h := range f.Holders {
			rank = min(rank, said[h])
			said[h]++
		}
		all[i] = ranked{f, rank}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	sorted := make([]node.FoundModel, len(all))
	for i, r := range all {
		sorted[i] = r.FoundModel
	}
	return sorted
}

// checked returns those of the models that are what peers say, a few of each pair of
// languages. It takes a bounded time, however many models peers make up.
func (n *Network) checked(ctx context.Context, found []node.FoundModel) (good []node.FoundModel) {
	ctx, stop := context.WithTimeout(ctx, checkAll)
	defer stop()
	var mu sync.Mutex // guards good and pairs
	pairs := map[[2]string]int{}
	var all errgroup.Group
	all.SetLimit(checks)
	for _, f := range found {
		if ctx.Err() != nil {
			break
		}
		pair := [2]string{f.Source, f.Target}
		all.Go(func() error {
			mu.Lock()
			enough := pairs[pair] == mostFound
			mu.Unlock()
			if enough || !n.isOf(ctx, f) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if pairs[pair] < mostFound {
				pairs[pair]++
				good = append(good, f)
			}
			return nil
		})
	}
	_ = all.Wait() // no check returns an error
	return good
}

// isOf reports whether a model is for the languages that peers say. What cannot be had is
// passed over: its holders may lie, or be gone.
func (n *Network) isOf(ctx context.Context, f node.FoundModel) bool {
	ctx, stop := context.WithTimeout(ctx, checkTime)
	defer stop()
	m, err := n.Client.Model(ctx, f.Model, n.Holders)
	return err == nil && m.Model.Source == f.Source && m.Model.Target == f.Target
}

// Start implements [Engine]. The ledger sets the quote aside when Texts begins.
func (n *Network) Start(ctx context.Context, r Request) (Job, error) {
	var check uint32
	if n.CheckPPM != nil {
		var err error
		if check, err = n.CheckPPM(ctx, r.Model); err != nil {
			return nil, err
		}
	}
	j, err := n.Client.Start(ctx, client.Document{
		Privacy: r.Privacy, Miners: r.Miners, CheckPPM: check,
		Texts: r.Texts, Model: r.Model, Target: r.To, Holders: n.Holders, Decoding: r.Decoding, Terms: r.Terms, Budget: r.Budget, Price: r.Price,
	})
	if err != nil {
		return nil, err
	}
	return networkJob{j}, nil
}

// networkJob is a job of the client as a [Job].
type networkJob struct{ *client.Job }

func (j networkJob) Quote() Quote {
	q := j.Job.Quote()
	return Quote{Amount: q.Amount, MFLOP: q.MFLOP, Units: q.Units, Job: j.ID()}
}

func (j networkJob) Texts(ctx context.Context) iter.Seq2[Translated, error] {
	return func(yield func(Translated, error) bool) {
		for s, err := range j.Segments(ctx) {
			if !yield(Translated{Index: s.Index, Text: s.Text}, err) {
				return
			}
		}
	}
}

func (j networkJob) Settle(ctx context.Context) (Receipt, error) {
	p, err := j.Job.Settle(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("settle: %w", err)
	}
	opened, err := j.Job.Opened(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("settle: %w", err)
	}
	return Receipt{
		Job: p.Link, File: j.ReceiptFile(), Status: string(p.Status), Amount: p.Paid, Due: p.Due, Units: len(p.Receipt.Units), Opened: opened,
		Checked: j.Checked(),
	}, nil
}
