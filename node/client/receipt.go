package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// receipt signs the receipt of a job whose units are all accepted. It returns no bytes
// if a unit is not.
func (j *job) receipt(ctx context.Context, key ed25519.PrivateKey, net protocol.Net) ([]byte, error) {
	r := &protocol.Receipt{}
	var err error
	if r.Job, err = block.Encode(j.record); err != nil {
		return nil, err
	}
	for i, u := range j.units {
		a, _, err := j.journal.Accepted(u.ID())
		if err != nil || a == nil {
			return nil, err
		}
		at := a.Attestation
		line := protocol.ReceiptUnit{Input: u.Inputs[1], Most: j.slots[i].Most, Miner: at.Account, Ticket: at.Ticket, Sig: at.Sig}
		if line.Result, err = j.blocks.Get(ctx, at.Result.Cid); err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		result, err := unit.ParseResult(line.Result)
		if err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		if err := unit.Fits(u, result); err != nil {
			return nil, err
		}
		if line.Source, err = j.lengths(ctx, u.Inputs[1]); err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		if line.Target, err = j.lengths(ctx, result.Outputs[0]); err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		r.Units = append(r.Units, line)
	}
	return protocol.Sign(key, net, r)
}

// lengths is the bytes of each segment of a text.
func (j *job) lengths(ctx context.Context, text block.Link) ([]uint32, error) {
	segments, err := j.segments(ctx, text)
	all := make([]uint32, len(segments))
	for i, s := range segments {
		all[i] = uint32(len(s))
	}
	return all, err
}

// segments is the segments of a text.
func (j *job) segments(ctx context.Context, text block.Link) ([]string, error) {
	var t unit.Text
	err := block.GetNode(ctx, j.blocks, text, &t)
	return t.Segments, err
}

// Opened is the sentences of a unit, and their translations as the miner gave them. A
// receipt has only the hashes of both.
type Opened struct {
	Sources, Targets []string
}

// Opened returns the sentences of the job's units, in the sequence of the units. All must be
// translated.
func (j *Job) Opened(ctx context.Context) ([]Opened, error) {
	ctx, done, err := j.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	w := j.work
	all := make([]Opened, len(w.units))
	for i, u := range w.units {
		a, _, err := w.journal.Accepted(u.ID())
		if err != nil {
			return nil, err
		} else if a == nil {
			return nil, fmt.Errorf("sentences of job %s: %w", w.link, ErrUnfinished)
		}
		data, err := w.blocks.Get(ctx, a.Attestation.Result.Cid)
		if err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		result, err := unit.ParseResult(data)
		if err == nil {
			err = unit.Fits(u, result)
		}
		if err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		if all[i].Sources, err = w.segments(ctx, u.Inputs[1]); err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
		if all[i].Targets, err = w.segments(ctx, result.Outputs[0]); err != nil {
			return nil, fmt.Errorf("unit %d: %w", i, err)
		}
	}
	return all, nil
}

// prove returns the ledger's proof of the job's escrow. After the escrow is closed that is
// the proof in the receipt that is kept already, or that of when the job was taken up: another
// home of the customer may have closed it. It may have opened another escrow for the job, too,
// whose proof takes nothing from a receipt that the first one paid.
func (c *Customer) prove(ctx context.Context, j *job) ([]byte, error) {
	job := j.link
	e, err := c.Ledger.ProveEscrow(ctx, c.account(), job)
	if err == nil {
		if p, proof, err := c.kept(job); err == nil && p.Status == Paid && p.escrow != e.Number {
			return proof, nil
		}
	}
	if !errors.Is(err, light.ErrNoEscrow) {
		return e.Proof, err
	}
	data, err := os.ReadFile(c.Home.Receipt(job))
	if errors.Is(err, os.ErrNotExist) {
		return j.proof, nil
	} else if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	f, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("receipt %s: %w: delete the file", c.Home.Receipt(job), err)
	}
	return f.Proof, nil
}

// kept is the receipt of a job that the home has, and its proof.
func (c *Customer) kept(job block.Link) (p Proven, proof []byte, err error) {
	data, err := os.ReadFile(c.Home.Receipt(job))
	if err != nil {
		return p, nil, err
	}
	f, err := parseFile(data)
	if err != nil {
		return p, nil, err
	}
	p, err = VerifyReceipt(c.Network, data)
	return p, f.Proof, err
}

// keep checks a receipt and writes it to a file: one that does not verify would be found
// out when it is needed.
func keep(n node.Network, path string, f file) (Proven, error) {
	data, err := block.Encode(f)
	if err != nil {
		return Proven{}, fmt.Errorf("receipt: %w", err)
	}
	p, err := VerifyReceipt(n, data)
	if err != nil {
		return p, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return p, fmt.Errorf("receipt: %w", err)
	}
	return p, node.WriteFile(path, data)
}

// keepReceipt makes the receipt of a job and keeps it. ok is false while a unit of the
// job is not accepted.
func (c *Customer) keepReceipt(ctx context.Context, j *job, paid bool) (p Proven, ok bool, err error) {
	f := file{Version: 1}
	if f.Receipt, err = j.receipt(ctx, c.Key, c.Network.Net()); err != nil || f.Receipt == nil {
		return p, false, err
	}
	if paid {
		if f.Proof, err = c.prove(ctx, j); err != nil {
			return p, false, err
		}
	}
	p, err = keep(c.Network, c.Home.Receipt(j.link), f)
	return p, err == nil, err
}

// Refresh checks the file of a receipt. If the receipt is not paid yet, Refresh asks the
// ledger for a newer proof, and replaces the file, whole or not at all. After the job's
// escrow is closed the file stays as it is, also when the customer opens another for the job.
func Refresh(ctx context.Context, n node.Network, l *light.Client, path string) (Proven, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Proven{}, fmt.Errorf("receipt: %w", err)
	}
	newer, p, err := Renew(ctx, n, l, data)
	if err != nil || newer == nil {
		return p, err
	}
	return p, node.WriteFile(path, newer)
}

// Renew checks the bytes of a receipt's file. If the receipt is not paid yet, Renew asks the
// ledger for a newer proof, and returns the bytes with that. newer is nil where the ledger
// has no newer proof: the bytes stay as they are.
func Renew(ctx context.Context, n node.Network, l *light.Client, data []byte) (newer []byte, p Proven, err error) {
	p, err = VerifyReceipt(n, data)
	if err != nil || p.Height == 0 || p.Status == Paid {
		return nil, p, err
	}
	e, err := l.ProveEscrow(ctx, p.Receipt.Account, p.Link)
	if errors.Is(err, light.ErrNoEscrow) {
		return nil, p, nil
	} else if err != nil {
		return nil, p, err
	} else if e.Number != p.escrow { // opened after that of the receipt was closed
		return nil, p, nil
	}
	f, err := parseFile(data)
	if err != nil {
		return nil, p, err
	}
	f.Proof = e.Proof
	if newer, err = block.Encode(f); err != nil {
		return nil, p, fmt.Errorf("receipt: %w", err)
	}
	q, err := VerifyReceipt(n, newer)
	if err != nil {
		return nil, p, err
	}
	return newer, q, nil
}
