package proof_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/unit"
)

var update = flag.Bool("update", false, "rewrite the kept receipt")

// The kept files are a network that is no more, and a document with its receipt of it.
const (
	keptNetwork     = "testdata/network.json"
	keptReceipt     = "testdata/letter.receipt"
	keptDocument    = "testdata/letter.md"
	keptTranslation = "testdata/brief.md"
)

// kept reads the kept files.
func kept(t testing.TB) (n node.Network, receipt, in, out []byte) {
	t.Helper()
	n, err := node.ReadNetwork(keptNetwork)
	if err != nil {
		t.Fatal(err)
	}
	var all [3][]byte
	for i, path := range []string{keptReceipt, keptDocument, keptTranslation} {
		if all[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return n, all[0], all[1], all[2]
}

// TestKeptReceipt: a receipt of an earlier time still holds. A change that breaks this takes
// the proof from everybody who has a receipt.
func TestKeptReceipt(t *testing.T) {
	if *update {
		w := newWorld(t)
		tr := w.translate("letter.md", []byte("# one two\n\nthree **four** five. Six one!\n"))
		w.check(os.MkdirAll("testdata", 0o755))
		w.paid(tr.Receipt)
		receipt, err := os.ReadFile(tr.Receipt)
		w.check(err)
		for path, data := range map[string][]byte{keptReceipt: receipt, keptDocument: tr.in, keptTranslation: tr.out} {
			w.check(os.WriteFile(path, data, 0o644))
		}
		w.check(w.File.Write(keptNetwork))
	}
	n, receipt, in, out := kept(t)
	if r := proof.Judge(n, receipt, in, out); !r.Good || r.Status != "paid" || r.Bought != r.Texts || len(r.Compared) != 2 {
		t.Errorf("the kept receipt: %+v", r)
	}
	flips(t, n, translated{TranslatedFile: report.TranslatedFile{Input: "the kept letter"}, in: in, out: out, receipt: receipt}, 0)
}

// local is the receipt of a document that nobody was paid for.
func local(t testing.TB, in, out []byte, texts ...proof.DraftText) []byte {
	t.Helper()
	data, _, err := proof.Make(proof.Shelf{}, proof.Draft{
		Name: "a/letter.txt", Output: "brief.txt", In: in, Out: out, Format: document.Format("txt"), From: "en", To: "de",
		Model: block.Link{Cid: block.Sum(block.CBOR, []byte("model"))}, Decoding: unit.Greedy, Arithmetic: "int8", Texts: texts,
		Terms: []unit.Term{{Source: "mill", Target: "Mühle"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzParse: a receipt has one encoding, and whatever else is read is refused.
func FuzzParse(f *testing.F) {
	n, receipt, in, out := kept(f)
	f.Add(receipt)
	own := local(f, []byte("one\n"), []byte("eins\n"), proof.DraftText{Source: "one", Target: "eins", Human: true})
	f.Add(own)
	f.Add(own[:len(own)-1])
	f.Add(local(f, nil, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A fuzzer makes no hash right by chance, so the test does.
		for _, data := range [][]byte{data, proof.Sealed(data)} {
			r, err := proof.Parse(data)
			if err != nil {
				continue
			}
			if again, err := r.Encode(); err != nil || !bytes.Equal(again, data) {
				t.Errorf("%x is read as %+v, which is written as %x, %v", data, r, again, err)
			}
			c, err := proof.Verify(n, data)
			if err != nil {
				continue
			}
			// Whoever has no key makes no other text of a miner's.
			if c.Files(in, out) == nil && len(c.Jobs) > 0 && !bytes.Equal(data, receipt) {
				for _, p := range c.Texts {
					if p.Origin == proof.Bought && !strings.Contains(string(in), p.Source) {
						t.Errorf("a text that is not in the document: %+v", p)
					}
				}
			}
		}
	})
}

// TestRefused: receipts that are well-formed, and that no program writes.
func TestRefused(t *testing.T) {
	whole := func() *proof.Parsed {
		r, err := proof.Parse(local(t, []byte("one\n"), []byte("eins\n"), proof.DraftText{Source: "one", Target: "eins"}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for want, change := range map[string]func(*proof.Parsed){
		"version 2, this program":           func(r *proof.Parsed) { r.Version = 2 },
		`the format "exe"`:                  func(r *proof.Parsed) { r.Format = "exe" },
		"it names no model":                 func(r *proof.Parsed) { r.Model = block.Link{} },
		"no engine makes: beam 0":           func(r *proof.Parsed) { r.Decoding.Beam = 0 },
		"n-gram of 65 tokens":               func(r *proof.Parsed) { r.Decoding.NoRepeat = 65 },
		"penalty of 7 parts per million":    func(r *proof.Parsed) { r.Decoding.RepetitionPPM = 7 },
		`"../x" is not the name`:            func(r *proof.Parsed) { r.Translation.Name = "../x" },
		`"a\x1b" is not the name`:           func(r *proof.Parsed) { r.Document.Name = "a\x1b" },
		"it is of job 0, and the":           proof.SetText(proof.TextPart{Origin: proof.Bought, Gaps: []string{"", ""}}),
		"an origin of 4":                    proof.SetText(proof.TextPart{Origin: 4}),
		"has sentences of one":              proof.SetText(proof.TextPart{Origin: proof.Human, At: 1}),
		"job 0: receipt: not a client.file": proof.AddJob([]byte("\x81\x01")),
		"job 0: receipt: decode":            proof.AddJob(nil),
	} {
		r := whole()
		change(r)
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Verify(node.Network{}, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	data := local(t, nil, nil)
	for _, n := range []int{0, 5, 30, 40, len(data) - 40, len(data) - 1} {
		if _, err := proof.Verify(node.Network{}, data[:n]); err == nil {
			t.Errorf("%d of %d bytes are a receipt", n, len(data))
		}
	}
	longer := append(data[:len(data)-32:len(data)-32], make([]byte, 32+5)...)
	if r := proof.Judge(node.Network{}, proof.Sealed(longer), nil, nil); !strings.Contains(r.Error, "5 bytes stand behind the last text") {
		t.Errorf("bytes behind the end: %+v", r)
	}
}

// BenchmarkCheck is the check of a document with a thousand texts of miners: the receipt,
// the document and the translation.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "one two %d three. Four five %d six!\n\n", i, 7*i)
	}
	tr := w.translate("letter.md", []byte(text.String()))
	for b.Loop() {
		if r := proof.Judge(w.File, tr.receipt, tr.in, tr.out); !r.Good || r.Bought != 1000 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(len(tr.receipt))/1024, "KiB")
}
