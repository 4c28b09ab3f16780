package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/work/document"
)

// upload is a document that a client sends, in a file. What is of it takes its place among
// the documents at once: many that come at a time do not fill the disk either.
type upload struct {
	jobs     *jobs
	id       string
	name     string // without folders and control characters
	size     int64
	fields   fields
	admitted bool  // the client is known
	saved    bool  // there is a file
	held     int64 // bytes of the place that it takes
	kept     bool
}

func (c *call) newUpload() *upload {
	return &upload{jobs: c.g.jobs, id: newID(16), fields: fields{form: url.Values{}}}
}

// discard deletes the file, unless it became a job.
func (u *upload) discard() {
	if !u.kept {
		u.jobs.files(u.id)
		u.jobs.free(u)
	}
}

// upload reads a multipart form with a document, and admits the client. secret finds a key
// among the parameters; nil: the API has none there.
func (c *call) upload(secret func(f fields) (string, error)) (*upload, error) {
	u := c.newUpload()
	// A key that is there before the document is looked at before the document is read.
	if secret == nil || c.r.Header.Get("Authorization") != "" || !c.g.keys.needed() {
		if err := c.admit(""); err != nil {
			return nil, err
		}
		u.admitted = true
	}
	admit := func(late bool) error {
		if u.admitted {
			return nil
		}
		s, err := secret(u.fields)
		if err != nil || s == "" && !late {
			return err
		}
		u.admitted = true
		return c.admit(s)
	}
	err := readParts(c.r, func(p *part) error {
		if p.FormName() != "file" {
			return u.fields.addPart(p)
		}
		if u.saved {
			return bad("Invalid request: there is more than one file")
		}
		if err := admit(false); err != nil {
			return err
		}
		u.name = cleanName(p.FileName())
		if err := u.save(p, c.g.Limits.Document); err != nil {
			return err
		}
		if u.name == "" && u.size == 0 { // how a page sends a form in which no file was chosen
			u.saved = false
			return u.jobs.files(u.id)
		}
		return nil
	})
	if err == nil {
		err = admit(true)
	}
	if err != nil {
		u.discard()
		return nil, err
	}
	return u, nil
}

// save writes the document to its file.
func (u *upload) save(from io.Reader, most int64) error {
	f, err := os.OpenFile(u.jobs.in(u.id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	u.saved = true
	var read error
	_, err = io.Copy(f, readerFunc(func(p []byte) (int, error) {
		n, err := from.Read(p)
		if err != nil && err != io.EOF {
			read = bodyError(err)
		}
		if u.size += int64(n); u.size > most {
			read = refuse(http.StatusRequestEntityTooLarge, "the document is larger than %d bytes", most)
		} else if read == nil {
			read = u.jobs.hold(u, int64(n))
		}
		if read != nil {
			return n, read
		}
		return n, err
	}))
	err = errors.Join(err, f.Close())
	if read != nil {
		return read
	}
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// maxName bounds the name of a document, in characters.
const maxName = 120

// cleanName is the name of a file as the gateway gives it back: without folders, control
// characters and what a shell or a browser could take for something else.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"|?*;%`, r) {
			return '_'
		}
		return r
	}, strings.Trim(name, ". "))
	if r := []rune(name); len(r) > maxName {
		ext := []rune(filepath.Ext(name))
		ext = ext[:min(len(ext), 16)]
		name = string(r[:maxName-len(ext)]) + string(ext)
	}
	return name
}

// parsers is how many documents are read at a time: each may take many times its size.
const parsers = 2

// submit makes a job of an upload. secret is the hash of a document's key, or "".
func (c *call) submit(u *upload, w wish, secret string) (record, error) {
	if u.name == "" {
		return record{}, bad("Invalid request: the file has no name")
	}
	if err := c.g.jobs.room(c.who.id, u); err != nil {
		return record{}, err
	}
	if w.to == "" { // the model says
		m, err := c.named(w.model)
		if err != nil {
			return record{}, err
		}
		w.to = m.Target
	}
	r, err := c.inspect(u, &w)
	if err != nil {
		return record{}, err
	}
	m, err := c.match(w)
	if err != nil {
		return record{}, err
	}
	r.From, r.Model = canonical(m.detected), m.model.Link.String()
	r.Source, r.Target = m.model.Source, m.model.Target
	r.ID, r.Owner, r.Secret, r.Status = u.id, c.who.id, secret, statusQueued
	r.Created, r.Bytes, r.Flags = c.g.Now(), 2*u.size, []flagged{} // the result is about as large
	if err := c.g.usage.characters(c.who, r.Characters); err != nil {
		return record{}, err
	}
	if err := c.g.jobs.add(r, u); err != nil {
		return record{}, errors.Join(err, c.g.usage.characters(c.who, -r.Characters))
	}
	return r, nil
}

// sample is how many characters of a document its language is found by.
const sample = 20_000

// parses waits until the call may read a document: few are in memory at a time. The caller calls
// done when it needs the document no more.
func (c *call) parses() (done func(), err error) {
	select {
	case c.g.parsing <- struct{}{}:
		return func() { <-c.g.parsing }, nil
	case <-c.r.Context().Done():
		return nil, c.r.Context().Err()
	}
}

// inspect reads a document once, for its format, its texts and its language.
func (c *call) inspect(u *upload, w *wish) (r record, err error) {
	done, err := c.parses()
	if err != nil {
		return r, err
	}
	defer done()
	data, err := os.ReadFile(c.g.jobs.in(u.id))
	if err != nil {
		return r, err
	}
	d, err := document.Parse(u.name, data)
	switch {
	case errors.Is(err, document.ErrUnsupported):
		return r, bad("Invalid request: file format not supported: %v", err)
	case err != nil:
		return r, bad("Invalid request: %v", err)
	}
	to := shown(canonical(w.to))
	if err := d.Accept(w.from, to); err != nil {
		return r, bad("Invalid request: %s: %v", u.name, err)
	}
	texts := d.TextsInto(to) // what the file has a translation of is not counted
	n := 0
	for _, t := range d.Texts() {
		if n += len(t); n > sample {
			break
		}
		w.texts = append(w.texts, t)
	}
	return record{
		Name: u.name, Format: string(d.Format), To: to, Segments: len(d.Segments), Characters: characters(texts),
		Terms: translate.Needed(w.glossary, w.from, texts...),
	}, nil
}
