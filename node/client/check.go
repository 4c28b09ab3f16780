package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// This file is the customer's own check: it has some segments of each result translated again
// on the customer's machine, before the result is accepted.
//
// Segments are drawn, not units: a segment's translation depends on nothing beside it, so it
// can be computed alone. For the same work a miner that makes up whole units is caught almost
// at once, and one that changes a single segment as often as if units were drawn.

const (
	// everything is all segments, in parts per million.
	everything = 1_000_000
	// wrongVersion is that of the file of a proof.
	wrongVersion = 1
)

var errNoCheck = errors.New("this program cannot check translations: it has no model (Client.Recompute)")

// Wrong is a proof that a miner gave a wrong result: its signature, and all that is needed to
// compute the unit again.
type Wrong struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16   // 1
	Spec        []byte   // of the unit
	Attestation []byte   // signed by the miner
	Result      []byte   // the block of the result that it names
	Source      []byte   // the blocks of the unit's text and of the result's
	Target      []byte
	Segment     uint32 // the first that was found to be wrong
	Computed    string // its translation, as this machine computes it
}

// Miner is the account that signed the wrong result.
func (w Wrong) Miner(net protocol.Net) (protocol.Account, error) {
	var at protocol.Attestation
	err := protocol.Parse(w.Attestation, net, &at)
	return at.Account, err
}

// check has the publisher of a job check results, and leave out the miners that gave wrong
// ones before.
func (c *Client) check(w *job, config *node.PublisherConfig) error {
	wrong, err := c.Wrong(w.link)
	if err != nil {
		return err
	}
	for _, p := range wrong {
		miner, err := p.Miner(c.Peer.Net)
		if err != nil {
			return fmt.Errorf("proof of a wrong result: %w", err)
		}
		config.Barred = append(config.Barred, miner)
	}
	if w.document.CheckPPM == 0 {
		return nil
	}
	if c.Recompute == nil {
		return errNoCheck
	}
	config.Verify = func(ctx context.Context, u unit.Unit, at protocol.Attestation, r unit.Result) error {
		return c.verify(ctx, w, u, at, r)
	}
	return nil
}

// verify translates some segments of a result again. An error with a reason says that the
// result is wrong.
func (c *Client) verify(ctx context.Context, w *job, u unit.Unit, at protocol.Attestation, r unit.Result) error {
	var source, target unit.Text
	if err := block.GetNode(ctx, c.Peer.Store, u.Inputs[1], &source); err != nil {
		return fmt.Errorf("check unit %d: %w", u.Index, err)
	}
	if err := block.GetNode(ctx, c.Peer.Store, r.Outputs[0], &target); err != nil {
		return fmt.Errorf("check unit %d: %w", u.Index, err)
	}
	drawn := draw(len(source.Segments), w.document.CheckPPM)
	if len(drawn) == 0 {
		return nil
	}
	var segments []string
	var terms [][]string
	for _, i := range drawn {
		segments, terms = append(segments, source.Segments[i]), append(terms, source.TermsOf(i))
	}
	c.checking.Lock()
	mine, err := c.Recompute(ctx, u.Inputs[0], unit.NewText(segments, terms), u.Decoding)
	c.checking.Unlock()
	if err == nil && len(mine) != len(drawn) {
		err = fmt.Errorf("%d translations of %d segments", len(mine), len(drawn))
	}
	if err != nil {
		return fmt.Errorf("check unit %d: %w", u.Index, err)
	}
	w.checked.Add(int64(len(drawn)))
	for k, i := range drawn {
		if mine[k] == target.Segments[i] {
			continue
		}
		if err := c.keepWrong(ctx, w, u, at, r, uint32(i), mine[k]); err != nil {
			return err
		}
		return protocol.Refuse(protocol.ResultMismatch,
			"the customer's check found a wrong translation, in segment %d of the unit, and keeps the proof", i)
	}
	return nil
}

// draw draws each of n segments with a probability of ppm parts per million, by a source that
// nobody can foresee.
func draw(n int, ppm uint32) (drawn []int) {
	random := make([]byte, 8*n)
	rand.Read(random) // never fails
	for i := range n {
		// The remainder of 64 bits is uneven by less than one part in 10^13.
		if binary.BigEndian.Uint64(random[8*i:])%everything < uint64(ppm) {
			drawn = append(drawn, i)
		}
	}
	return drawn
}

// keepWrong writes the proof of a wrong result to the home, sealed.
func (c *Client) keepWrong(ctx context.Context, w *job, u unit.Unit, at protocol.Attestation, r unit.Result, segment uint32, computed string) error {
	p := Wrong{Version: wrongVersion, Spec: u.Spec(), Segment: segment, Computed: computed}
	var err error
	read := func(l block.Link) (data []byte) {
		if err == nil {
			data, err = c.Peer.Store.Get(ctx, l.Cid)
		}
		return data
	}
	p.Result, p.Source, p.Target = read(at.Result), read(u.Inputs[1]), read(r.Outputs[0])
	if err == nil {
		p.Attestation, err = protocol.Encode(&at)
	}
	var data []byte
	if err == nil {
		data, err = block.Encode(p)
	}
	if err == nil {
		data, err = c.Peer.Sealer.Seal(data)
	}
	path := filepath.Join(c.Peer.Home.Wrong(w.link), at.Account.String()+"-"+u.ID().String())
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = node.WriteFile(path, data)
	}
	if err != nil {
		return fmt.Errorf("keep the proof of a wrong result: %w", err)
	}
	return nil
}

// Wrong reads the proofs of wrong results that were kept of a job.
func (c *Client) Wrong(job block.Link) ([]Wrong, error) {
	return ReadWrong(c.Peer.Home, c.Peer.Sealer, job)
}

// ReadWrong reads the proofs of wrong results that a home keeps of a job.
func ReadWrong(dir home.Dir, sealer *home.Sealer, job block.Link) (all []Wrong, err error) {
	files, err := os.ReadDir(dir.Wrong(job))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("proofs of wrong results: %w", err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") { // one that a crash left half written
			continue
		}
		path := filepath.Join(dir.Wrong(job), f.Name())
		data, err := os.ReadFile(path)
		if err == nil {
			data, err = sealer.Unseal(data)
		}
		var p Wrong
		if err == nil {
			err = block.Decode(data, &p)
		}
		if err == nil && p.Version != wrongVersion {
			err = fmt.Errorf("version %d, this program knows version %d", p.Version, wrongVersion)
		}
		if err != nil {
			return nil, fmt.Errorf("proof of a wrong result %s: %w", path, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// Checked is how many segments of the job were translated again on this machine, by this
// process.
func (j *Job) Checked() int { return int(j.work.checked.Load()) }
