package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
)

// Verified is a receipt that was checked: its jobs are as their customers and miners have
// signed, and the texts are those of the jobs.
type Verified struct {
	Statement
	Jobs  []client.Proven
	Texts []ProvenText // in the sequence of the document
	// Others is how many sentences of other documents are in the file.
	Others int

	id       [sha256.Size]byte // of the statement
	compared []string          // files that were compared
	again    int               // texts that were computed again
}

// Verify checks the file of a receipt without the network. An error names what does not
// hold. n may be the zero Network for a receipt without jobs.
func Verify(n node.Network, data []byte) (*Verified, error) {
	c, err := verify(n, data)
	if err == nil && !whole(data) {
		err = errDamaged // in what no other hash covers, such as the name of a file
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return c, nil
}

func verify(n node.Network, data []byte) (*Verified, error) {
	r, err := parse(data)
	if err != nil {
		return nil, err
	}
	c := &Verified{Statement: r.Statement}
	if c.id, err = r.Statement.id(); err != nil {
		return nil, err
	}
	laid := make([]sentences, len(r.jobs))
	used := make([]map[int]bool, len(r.jobs))
	for i := range r.jobs {
		p, err := r.verifyJob(n, &r.jobs[i])
		if err != nil {
			return nil, fmt.Errorf("job %d: %w", i, err)
		}
		c.Jobs = append(c.Jobs, p)
		sizes := make([]int, len(p.Receipt.Units))
		for u := range p.Receipt.Units {
			sizes[u] = len(p.Receipt.Units[u].Source)
		}
		laid[i], used[i] = r.jobs[i].lay(sizes, r.To), map[int]bool{}
	}
	size := 0
	for i, t := range r.texts {
		p := ProvenText{Origin: t.Origin, Source: t.Source, Target: t.Target}
		if t.Origin == Bought {
			if p, err = laid[t.Job].pair(t); err != nil {
				return nil, fmt.Errorf("text %d: %w", i, err)
			}
			for s := range len(t.Gaps) - 1 {
				used[t.Job][int(t.At)+s] = true
			}
		}
		// Texts may name one long sentence many times over.
		if size += len(p.Source) + len(p.Target); size > MaxFile {
			return nil, fmt.Errorf("text %d: the texts have more than %d bytes together", i, MaxFile)
		}
		c.Texts = append(c.Texts, p)
	}
	for i := range laid {
		c.Others += len(laid[i].sources) - len(used[i])
	}
	return c, nil
}

// verifyJob checks a job and its opened units.
func (r *Parsed) verifyJob(n node.Network, j *job) (client.Proven, error) {
	p, err := client.VerifyReceipt(n, j.file)
	if err != nil {
		return p, err
	}
	if p.Job.Model != r.Model {
		return p, fmt.Errorf("it is of model %s, and the document of model %s", p.Job.Model, r.Model)
	}
	if !p.Job.Decoding.Same(r.Decoding) {
		return p, errors.New("it has another search than the document")
	}
	for _, u := range j.units {
		if err := p.Opens(int(u.Unit), client.Opened{Sources: u.Sources, Targets: u.Targets}); err != nil {
			return p, err
		}
	}
	return p, nil
}

// id names a statement.
func (s Statement) id() ([sha256.Size]byte, error) {
	data, err := block.Encode(s)
	return sha256.Sum256(data), err
}

// idOf names the statement of a file.
func idOf(data []byte) (id [sha256.Size]byte, err error) {
	r, err := Parse(data)
	if err != nil {
		return id, err
	}
	return r.Statement.id()
}

// is compares a file with its description.
func (f FileRecord) is(data []byte) bool {
	return uint64(len(data)) == f.Size && sha256.Sum256(data) == f.Hash
}

// Files checks that the files are the document and the translation of the receipt. A file
// that is nil is not compared. The translation must have the hash of the receipt; with the
// document it must also be what the document gives when the texts of the receipt are put
// into it. The error names the first place that differs.
func (c *Verified) Files(in, out []byte) error {
	c.compared = nil
	var d *document.Document
	if in != nil {
		var err error
		if d, err = c.document(in); err != nil {
			return fmt.Errorf("document: %w", err)
		}
		c.compared = append(c.compared, "document")
	}
	if out == nil {
		return nil
	}
	if d == nil {
		if f := c.Statement.Translation; !f.is(out) {
			return fmt.Errorf("translation: the file is not the translation of the receipt: it has %s; with the document the place can be named", f.unlike(out))
		}
	} else if err := c.translation(d, out); err != nil {
		return fmt.Errorf("translation: %w", err)
	}
	c.compared = append(c.compared, "translation")
	return nil
}

// document checks the document, and reads it.
func (c *Verified) document(data []byte) (*document.Document, error) {
	if !c.Statement.Document.is(data) {
		return nil, c.otherDocument(data)
	}
	d, err := c.open(data)
	if err != nil {
		return nil, err
	}
	return d, c.byRules(c.sameTexts(d))
}

// translation checks the translation of a document.
func (c *Verified) translation(d *document.Document, out []byte) error {
	want, err := c.rebuild(d)
	if err != nil {
		return err
	}
	switch f := c.Statement.Translation; {
	case !f.is(want):
		return c.byRules(errors.New("the document with the texts of the receipt is another file than the receipt says"))
	case !bytes.Equal(want, out):
		return c.difference(want, out)
	}
	return nil
}

// open reads a file of the document's format, whatever name it has.
func (c *Verified) open(data []byte) (*document.Document, error) {
	return document.Parse("the file"+document.Format(c.Format).Extensions()[0], data)
}

// sameTexts holds the texts of a document against those of the receipt.
func (c *Verified) sameTexts(d *document.Document) error {
	texts := d.TextsInto(c.To)
	for i, t := range texts {
		if i >= len(c.Texts) {
			return fmt.Errorf("%s: %.60q is not in the receipt", whereOf(d, t), t)
		}
		if t != c.Texts[i].Source {
			return fmt.Errorf("%s: the text is %.60q, and the receipt has %.60q", whereOf(d, t), t, c.Texts[i].Source)
		}
	}
	if n := len(texts); n < len(c.Texts) {
		return fmt.Errorf("the receipt has one text more: %.60q", c.Texts[n].Source)
	}
	return nil
}

// byRules adds to an error that the receipt was made by other rules than this program has.
func (c *Verified) byRules(err error) error {
	if err == nil || c.DocumentRules == document.Rules {
		return err
	}
	return fmt.Errorf("%w (the receipt was made by version %d of the rules for documents, and this program has version %d: check it with the program that made it)",
		err, c.DocumentRules, document.Rules)
}

// rebuild puts the texts of the receipt into the document.
func (c *Verified) rebuild(d *document.Document) ([]byte, error) {
	known := make(map[string]string, len(c.Texts))
	for _, t := range c.Texts {
		known[t.Source] = t.Target
	}
	out, _, err := d.Rebuild(document.Translations{
		Source: c.From, Target: c.To, Of: func(text string) (string, bool) { t, ok := known[text]; return t, ok },
	})
	return out, err
}
