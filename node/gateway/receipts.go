package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// prove makes the receipt of a document, where the gateway has a shelf, and returns its
// file and the bytes of it; of is what the engine said. A unit of a job is opened whole, with sentences of whoever
// asked for the job. So only the document's own job is in the receipt: a text that an
// earlier job gave counts as computed, without proof.
func (j *jobs) prove(ctx context.Context, id string, d proof.Draft, of engine.Receipt) (file string, size int64, err error) {
	shelf := j.g.Receipts
	if shelf.Dir == "" {
		return "", 0, nil
	}
	if of.Job.Defined() {
		if err := shelf.KeepJob(of.Job, of.Opened); err != nil {
			return "", 0, err
		}
	}
	for i := range d.Texts {
		if d.Texts[i].Job != of.Job {
			d.Texts[i].Job = block.Link{}
		}
	}
	d.Arithmetic = "binary32"
	if j.g.Arithmetic != nil {
		if d.Arithmetic, err = j.g.Arithmetic(ctx, d.Model); err != nil {
			return "", 0, err
		}
	}
	receipt, _, err := proof.Make(shelf, d)
	if err != nil {
		return "", 0, err
	}
	file = j.receipt(id)
	return file, int64(len(receipt)), disk.WriteFileMode(disk.OS, file, receipt, 0o600)
}

// ownVerify serves POST /api/verify: is this the receipt of these files?
func ownVerify(c *call) error {
	if err := c.admit(""); err != nil {
		return err
	}
	files := map[string]*upload{"receipt": nil, "document": nil, "translation": nil}
	defer func() {
		for _, u := range files {
			if u != nil {
				u.discard()
			}
		}
	}()
	err := readParts(c.r, func(p *part) error {
		name := p.FormName()
		switch before, ok := files[name]; {
		case !ok:
			return bad("%.40q is no part of this form: it has receipt, document and translation", name)
		case before != nil:
			return bad("there is more than one %s", name)
		}
		u := c.newUpload()
		u.admitted = true
		files[name] = u
		return u.save(p, c.g.Limits.Document)
	})
	if err != nil {
		return err
	}
	if files["receipt"] == nil {
		return bad("give the receipt as receipt, and if you have them the files as document and translation")
	}
	// Files are in memory one check after the other.
	select {
	case c.g.parsing <- struct{}{}:
		defer func() { <-c.g.parsing }()
	case <-c.r.Context().Done():
		return c.r.Context().Err()
	}
	data := map[string][]byte{}
	for name, u := range files {
		if u == nil {
			continue // not compared
		}
		if data[name], err = os.ReadFile(c.g.jobs.in(u.id)); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	if p, err := proof.Parse(data["receipt"]); err == nil && p.Jobs > 0 && len(c.g.Receipts.Network.Genesis) == 0 {
		return refuse(http.StatusConflict, "the receipt is of a network, and this gateway is of none: ask a gateway of the network, or alia verify")
	}
	return c.answer(http.StatusOK, proof.Judge(c.g.Receipts.Network, data["receipt"], data["document"], data["translation"]))
}
