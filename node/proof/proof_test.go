package proof_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/node/translate"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
)

// world is a network, and a customer who has documents translated by its miners.
type world struct {
	testing.TB
	*testnet.Cluster
	ctx    context.Context
	client *client.Client
	config *translate.Config
	dir    string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	n, err := testnet.Start(ctx, t.TempDir())
	w := &world{TB: t, Cluster: n, ctx: ctx, dir: t.TempDir()}
	w.check(err)
	t.Cleanup(n.Close)
	w.check(n.Mine("miner"))
	home, err := n.Customer(ctx, "ada")
	w.check(err)
	w.client, err = client.Open(ctx, home)
	w.check(err)
	t.Cleanup(func() { w.client.Close() })
	m, err := memory.Open(home.Memory(), memory.DefaultLimit)
	w.check(err)
	t.Cleanup(func() { m.Close() })
	w.config = &translate.Config{
		Engine: &engine.Network{Client: w.client, Named: []block.Link{n.Model}, Holders: n.Holder.Mesh.Addrs()},
		Memory: m, From: "en", To: "de", Budget: protocol.Coin / 2, Price: client.DefaultPrice, Force: true, Receipts: proof.Shelf{Dir: home.Receipts(), Network: n.File},
	}
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// translated is a document, its translation and its receipt.
type translated struct {
	report.TranslatedFile
	in, out, receipt []byte
}

// translate has a document translated.
func (w *world) translate(name string, in []byte) (t translated) {
	w.Helper()
	path, out := filepath.Join(w.dir, name), filepath.Join(w.dir, "de-"+name)
	w.check(os.WriteFile(path, in, 0o644))
	r, err := w.config.File(w.ctx, path, out)
	w.check(err)
	t = translated{TranslatedFile: r, in: in}
	t.out, err = os.ReadFile(out)
	w.check(err)
	t.receipt, err = os.ReadFile(r.Receipt)
	w.check(err)
	return t
}

// paid waits until all jobs of a receipt are paid. The client closes an escrow as soon as it
// can, and then only the home has the ledger's proof.
func (w *world) paid(path string) {
	w.Helper()
	for status := ""; status != "paid"; {
		c, err := proof.Refresh(w.ctx, w.Holder.Ledger, w.config.Receipts, path)
		w.check(err)
		status = c.Report("").Status
		w.pause()
	}
}

// pause waits before the ledger is asked again: a ledger node answers one host at a bounded
// rate, and the network that is waited for has the same host.
func (w *world) pause() {
	select {
	case <-w.ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// local is an engine of this machine with the model of the network.
func (w *world) local(int8 bool) *engine.Local {
	w.Helper()
	tr, err := model.Load(w.ctx, w.Holder.Store, w.Model)
	w.check(err)
	dir := w.TempDir()
	for name, data := range tr.Files() {
		w.check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	dev, err := kernel.Open("", 1)
	w.check(err)
	return engine.NewLocal(engine.LocalConfig{Dirs: []string{dir}, Device: dev, Int8: int8})
}

// zipped makes an archive of names and contents.
func zipped(t testing.TB, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := z.Create(members[i])
		if err == nil {
			_, err = f.Write([]byte(members[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	contentTypes = `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`
	relations    = `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`
	wordDocument = `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>one two three</w:t></w:r></w:p><w:p><w:r><w:t xml:space="preserve">four </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>five</w:t></w:r><w:r><w:t xml:space="preserve"> six</w:t></w:r></w:p></w:body></w:document>`
	openDocument = `<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text><text:h>two three</text:h><text:p>four five. Six one!</text:p></office:text></office:body></office:document-content>`
)

// documents are small files of several formats.
func documents(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"letter.txt":   []byte("one two three. Four five!\r\n\r\n  six one\r\n"),
		"page.html":    []byte("<!doctype html><html lang=en><title>one two</title><p>three <b>four</b> five<br>six &amp; one</p><img alt='two three'>"),
		"hand.md":      []byte("# one two\n\nthree **four** five\n\n- six `code` one\n"),
		"strings.json": []byte("{\"a\": \"one two\", \"b\": [\"three %s\", 4]}\n"),
		"mill.po":      []byte("msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\nmsgid \"one two\"\nmsgstr \"\"\n"),
		"film.srt":     []byte("1\n00:00:01,000 --> 00:00:02,000\none two\nthree\n\n2\n00:00:03,000 --> 00:00:04,000\nfour\n"),
		"letter.docx":  zipped(t, "[Content_Types].xml", contentTypes, "_rels/.rels", relations, "word/document.xml", wordDocument),
		"letter.odt":   zipped(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", openDocument),
	}
}

// TestDocuments: documents of several formats are translated by miners. Each receipt holds
// for its files, and is refused with one changed byte anywhere: of the receipt, of the
// document or of the translation.
func TestDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, in := range documents(t) {
		tr := w.translate(name, in)
		c, err := proof.Verify(w.File, tr.receipt)
		w.check(err)
		w.check(c.Files(tr.in, tr.out))
		r := c.Report("testnet")
		if !r.Good || !slices.Equal(r.Compared, []string{"document", "translation"}) || r.Bought == 0 || r.Bought != r.Texts && r.Human+r.Computed > 0 ||
			r.Paid == 0 || r.Status != "claimed" && r.Status != "paid" && r.Status != "mixed" || r.Document.Name != name || r.Translation.Name != "de-"+name ||
			r.From != "en" || r.To != "de" || r.Model != w.Model.String() || r.Format != tr.Format {
			t.Errorf("%s: %+v", name, r)
		}
		flips(t, w.File, tr, 20)
	}
}

// flips changes bytes of three files, one at a time: each byte, or some of each file.
func flips(t *testing.T, n node.Network, tr translated, some int) {
	t.Helper()
	all := [][]byte{tr.receipt, tr.in, tr.out}
	for which, data := range all {
		step := 1
		if some > 0 {
			step += len(data) / some
		}
		for at := 0; at < len(data); at += step {
			changed := slices.Clone(all)
			changed[which] = slices.Clone(data)
			changed[which][at] ^= 1 << (at % 8)
			r := proof.Judge(n, changed[0], changed[1], changed[2])
			if r.Good || !strings.HasPrefix(r.Error, []string{"receipt: ", "document: ", "translation: "}[which]) {
				t.Errorf("%s: byte %d of file %d changed: %v, %s", tr.Input, at, which, r.Good, r.Error)
				break
			}
		}
		for _, short := range [][]byte{data[:len(data)-1], append(slices.Clone(data), '\n')} {
			changed := slices.Clone(all)
			changed[which] = short
			if r := proof.Judge(n, changed[0], changed[1], changed[2]); r.Good {
				t.Errorf("%s: file %d with %d bytes for %d is good", tr.Input, which, len(short), len(data))
			}
		}
	}
	if r := proof.Judge(n, tr.receipt, nil, tr.out); !r.Good || len(r.Compared) != 1 {
		t.Errorf("%s: the translation alone: %+v", tr.Input, r)
	}
	if r := proof.Judge(n, tr.receipt, nil, tr.in); r.Good || !strings.Contains(r.Error, "is not the translation") {
		t.Errorf("%s: the document for its translation: %+v", tr.Input, r)
	}
}

// TestNames: a refusal names the place that was changed.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.translate("letter.txt", []byte("one two\nthree four\n\nfive\n"))
	for _, c := range []struct{ in, out, want string }{
		{"one two\nthree FOUR\n\nfive\n", "", `line 2: the text is "three FOUR", and the receipt has "three four"`},
		{"one two\nthree four\n\nfive\nsix\n", "", `line 5: "six" is not in the receipt`},
		{"one two\nthree four\n", "", `the receipt has one text more: "five"`},
		{"one two\nthree four\n\n\nfive\n", "", "its texts are the same, so a byte outside of them was changed"},
		{"\x00\x01\x02\xff", "", "it cannot be read as txt either"},
		{"", "+x", "goes on behind the"},
		{"", "-1", "ends after"},
		{"", "2", "line 1, byte 2 of the file is not that of the translation"},
		{"", "word", "and the translation has "},
	} {
		in, out := tr.in, slices.Clone(tr.out)
		if c.in != "" {
			in = []byte(c.in)
		}
		switch c.out {
		case "+x":
			out = append(out, 'x')
		case "-1":
			out = out[:len(out)-1]
		case "2":
			out[2] ^= 1
		case "word":
			out = append([]byte("word "), out...)
		}
		if r := proof.Judge(w.File, tr.receipt, in, out); r.Good || !strings.Contains(r.Error, c.want) {
			t.Errorf("%q, %q: %q, want %q", c.in, c.out, r.Error, c.want)
		}
	}
	// A receipt of another network, or of a job.
	if r := proof.Judge(w.File, []byte("x"), nil, nil); r.Good || !strings.Contains(r.Error, "is not the receipt of a document") {
		t.Errorf("no receipt: %+v", r)
	}
	other := w.File
	other.Genesis = append([]byte(" "), other.Genesis...)
	if r := proof.Judge(other, tr.receipt, nil, nil); r.Good || !strings.Contains(r.Error, "wrong-network") {
		t.Errorf("another network: %+v", r)
	}
}

// TestReuse: a document rests on an earlier job, on a job of its own and on a person. When
// the ledger has paid both jobs, the file says so.
func TestReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.translate("first.txt", []byte("one two. Three four!\nfive six\nsecret words\n"))
	w.check(w.config.Memory.Put(memory.Known{Settings: memory.Settings{From: "en", To: "de"}, Source: "six one", Target: "sechs, eins"}))
	var warned string
	w.config.Warn = func(text string) { warned = text }
	second := w.translate("second.txt", []byte("six one\n one two. Three four!\nfour three\n"))
	if !strings.Contains(warned, "has 2 sentences of earlier documents too") {
		t.Errorf("warned of %q", warned)
	}
	c, err := proof.Verify(w.File, second.receipt)
	w.check(err)
	w.check(c.Files(second.in, second.out))
	r := c.Report("testnet")
	if r.Texts != 3 || r.Bought != 2 || r.Human != 1 || r.Others != 2 || len(r.Jobs) != 2 || r.Jobs[0].Texts != 1 || r.Jobs[0].Job != first.Job || r.Jobs[1].Job != second.Job {
		t.Errorf("%+v", r)
	}
	flips(t, w.File, second, 60)
	w.paid(second.Receipt)
	w.closed(second)
	data, err := os.ReadFile(second.Receipt)
	w.check(err)
	c, err = proof.Verify(w.File, data)
	w.check(err)
	w.check(c.Files(second.in, second.out))
	var words bytes.Buffer
	proof.Explain(&words, c.Report("testnet"))
	for _, want := range []string{
		"the receipt is good\nwhat was translated: second.txt (41 bytes), txt, from en to de\n", "into what: de-second.txt (", "by whom: 3 texts\n", "1 by a person, as the receipt says",
		"paid: 0.0", "byte for byte", "--recompute computes them again", "can read all 3 texts, and 2 sentences of other documents",
	} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("no %q in\n%s", want, words.String())
		}
	}
	// The whole document from the memory has a receipt too. Without the receipt of its job
	// it says that nobody attests the text.
	again := w.translate("again.txt", []byte("five six\n"))
	if r := proof.Judge(w.File, again.receipt, again.in, again.out); !r.Good || r.Bought != 1 || again.Paid != 0 {
		t.Errorf("from the memory: %+v", r)
	}
	// Nor does the receipt of another network, where the home was before.
	here := w.config.Receipts
	w.config.Receipts.Network.Genesis = append([]byte(" "), here.Network.Genesis...)
	again = w.translate("again.txt", []byte("five six\n"))
	if r := proof.Judge(w.config.Receipts.Network, again.receipt, again.in, again.out); !r.Good || r.Computed != 1 {
		t.Errorf("in another network: %+v", r)
	}
	w.config.Receipts = here
	link, err := block.ParseLink(first.Job)
	w.check(err)
	w.check(os.Remove(w.client.Peer.Home.Receipt(link)))
	again = w.translate("again.txt", []byte("five six\n"))
	if r := proof.Judge(w.File, again.receipt, again.in, again.out); !r.Good || r.Computed != 1 || r.Status != "none" {
		t.Errorf("without the job's receipt: %+v", r)
	}
}

// closed waits until the customer has closed the escrows of all jobs. Then the ledger has no
// proof any more, but the customer's home has kept the last one.
func (w *world) closed(tr translated) {
	w.Helper()
	copied := filepath.Join(w.TempDir(), "copy")
	w.check(os.WriteFile(copied, tr.receipt, 0o600)) // it was only claimed
	for open := true; open; {
		// The client closes escrows by itself too, and may be the first.
		if _, err := w.client.Customer().Reclaim(w.ctx); err != nil && !errors.Is(err, light.ErrNoEscrow) {
			w.Fatal(err)
		}
		all, _, err := w.client.Customer().Escrows(w.ctx)
		w.check(err)
		if open = len(all) > 0; open {
			w.pause()
		}
	}
	c, err := proof.Refresh(w.ctx, w.Holder.Ledger, proof.Shelf{Network: w.File}, copied)
	w.check(err)
	before := c.Report("").Status
	c, err = proof.Refresh(w.ctx, nil, w.config.Receipts, copied)
	w.check(err)
	if after := c.Report("").Status; before == "paid" || after != "paid" {
		w.Errorf("with closed escrows the receipt is %s, and with the home %s", before, after)
	}
}

// TestRecompute: with the model at hand the texts are computed again. A receipt with
// another translation, made by somebody who can make every hash right, is found out.
func TestRecompute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, "one two %d. Three four!\n", i)
	}
	tr := w.translate("letter.txt", []byte(text.String()))
	c, err := proof.Verify(w.File, tr.receipt)
	w.check(err)
	local := w.local(false)
	for _, share := range [][2]int{{1, 1}, {50_000, 3}, {1_000_000, 60}} {
		millionths, want, last := share[0], share[1], 0
		n, err := c.Recompute(w.ctx, local, uint32(millionths), func(n, of int) {
			if last++; n != last || of != want {
				t.Errorf("%d of %d after %d", n, of, last)
			}
		})
		if err != nil || n != want || last != want {
			t.Errorf("%d millionths: %d texts, %v", millionths, n, err)
		}
	}
	if r := c.Report(""); r.Recomputed != 60 || r.Recomputable != 60 {
		t.Errorf("%+v", r)
	}
	if _, err := c.Recompute(w.ctx, w.local(true), 1_000_000, nil); err == nil || !strings.Contains(err.Error(), "in int8, which is another function") {
		t.Errorf("with int8: %v", err)
	}
	// The customer's own work, with one translation made up.
	w.config.Engine, w.config.Model, w.config.Memory = local, w.Model, nil
	w.config.Receipt = filepath.Join(w.dir, "receipt")
	tr = w.translate("letter.txt", []byte("one two\nthree four\n"))
	if c, err = proof.Verify(w.File, tr.receipt); err != nil || c.Report("").Computed != 2 || c.Report("").Status != "none" {
		t.Fatalf("%+v, %v", c, err)
	}
	w.check(c.Files(tr.in, tr.out))
	if n, err := c.Recompute(w.ctx, local, 1_000_000, nil); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	forged := c.Forge(tr.in, 1, "erfunden")
	if c, err = proof.Verify(w.File, forged); err != nil {
		t.Fatal(err)
	}
	different := &proof.Different{}
	if _, err := c.Recompute(w.ctx, local, 1_000_000, nil); !errors.As(err, &different) || different.Text != 1 || !strings.Contains(err.Error(), `the receipt has "erfunden"`) {
		t.Errorf("a forged translation: %v", err)
	}
}
