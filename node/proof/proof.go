// Package proof is the receipt of a translated document: one file that binds the document,
// its translation and the receipts of the jobs that gave the translation.
//
//	receipt, err := proof.Make(shelf, draft)     // who has the document translated
//	checked, err := proof.Verify(n, receipt)     // anybody, without the network
//	err = checked.Files(in, out)                 // are these the files, byte for byte?
//	n, err := checked.Recompute(ctx, engine, 50_000, nil) // 5 % of the texts
//	answer := checked.Report("example")          // for people and for pages
//
// A document is more than its jobs. Some texts come from the translation memory: a job of
// an earlier document gave them, or a person. What is no text, such as a picture or a tag,
// comes from the document itself, by the rules of package work/document. So the receipt has
// the hashes of both files, and says of each text where its translation comes from. The
// check opens the units of the jobs, which have only hashes of sentences, puts the
// translations into the document once more, and compares the bytes.
//
// The receipt is not signed as a whole. Its jobs are, by the customer and by the miners, and
// a signature over the rest would say no more than that the customer says so. A SHA-256 at
// its end finds damage. So anybody can put newer proofs of the ledger into the file.
package proof

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Statement says what was translated into what, and how.
type Statement struct {
	_             struct{} `cbor:",toarray"`
	Version       uint16   // 1
	Document      FileRecord
	Translation   FileRecord
	Format        string // of both, such as "docx"
	From, To      string // languages
	Model         block.Link
	Decoding      unit.Decoding
	Arithmetic    string      // of the model, such as "binary32"
	Terms         []unit.Term // of the glossary
	DocumentRules uint16      // [document.Rules]
	TextRules     uint16      // [text.Rules]
	Jobs          uint32      // how many parts of each kind follow
	Texts         uint32
}

// FileRecord names a file by its bytes.
type FileRecord struct {
	_    struct{} `cbor:",toarray"`
	Name string   // without its directory; "" for one that was printed or sent
	Size uint64
	Hash [sha256.Size]byte // SHA-256
}

// fileOf describes a file.
func fileOf(name string, data []byte) FileRecord {
	return FileRecord{Name: name, Size: uint64(len(data)), Hash: sha256.Sum256(data)}
}

// JobPart is the receipt of a job, with the units that the document needs of it.
type JobPart struct {
	_       struct{} `cbor:",toarray"`
	Receipt []byte   // the file of the job's receipt
	Opened  uint32   // how many UnitParts follow
}

// UnitPart is an opened unit of a job: what the job's receipt has the hashes of.
type UnitPart struct {
	_       struct{} `cbor:",toarray"`
	Unit    uint32   // index
	Sources []string // sentences
	Targets []string // their translations, as the miner gave them
}

// Origin says where a translation comes from.
type Origin uint16

const (
	// Bought: miners computed it for a job whose receipt is in the file.
	Bought Origin = 1
	// Computed: a model gave it, and no receipt is there: the customer's own machine
	// computed it, or the receipt was not kept. Only computing it again proves it.
	Computed Origin = 2
	// Human: a person wrote it, or somebody took it for the work of a person.
	Human Origin = 3
)

// TextPart is a text of the document, in the sequence of [document.Document.TextsInto].
type TextPart struct {
	_      struct{} `cbor:",toarray"`
	Origin Origin
	// Of a text that is Bought: the index of its job in the file, its first sentence in the
	// job, and what is copied before, between and behind its sentences: white space, and text
	// without letters.
	Job, At uint32
	Gaps    []string
	// Of others.
	Source, Target string
}

// job is a job of a receipt with its opened units.
type job struct {
	file  []byte
	units []UnitPart // in the sequence of their indexes
}

// Parsed is the content of a file.
type Parsed struct {
	Statement
	jobs  []job
	texts []TextPart
}

// sentences are the opened sentences of a job, by their index in the job. first has the
// first sentence of each unit, and in the end the number of sentences.
type sentences struct {
	first   []int
	sources map[int]string
	targets map[int]string
}

// lay finds where the sentences of a job's opened units lie in the job. sizes are the
// sentences of each unit. The code of the language to translate into is left out.
func (j *job) lay(sizes []int, to string) sentences {
	s := sentences{first: []int{0}, sources: map[int]string{}, targets: map[int]string{}}
	for _, n := range sizes {
		s.first = append(s.first, s.first[len(s.first)-1]+n)
	}
	for _, u := range j.units {
		for i := range u.Sources {
			s.sources[s.first[u.Unit]+i], s.targets[s.first[u.Unit]+i] = uncoded(u.Sources[i], to), u.Targets[i]
		}
	}
	return s
}

// uncoded is a sentence without the code of a language in front of it, such as ">>fra<<" for
// "fr": the document does not have it.
func uncoded(sentence, to string) string {
	code, rest := text.Code(sentence)
	if code == "" || text.Short(code[2:len(code)-2]) != text.Short(to) {
		return sentence
	}
	return strings.TrimPrefix(rest, " ")
}

// ProvenText is a text and its translation.
type ProvenText struct {
	Origin         Origin
	Job            int // of a text that is Bought
	Source, Target string
}

// pair reads a text out of the sentences of its job.
func (s sentences) pair(t TextPart) (ProvenText, error) {
	p := ProvenText{Origin: Bought, Job: int(t.Job)}
	var source, target []byte
	for i, gap := range t.Gaps {
		source, target = append(source, gap...), append(target, gap...)
		if i == len(t.Gaps)-1 {
			break
		}
		from, ok := s.sources[int(t.At)+i]
		if !ok {
			return p, fmt.Errorf("sentence %d of job %d is not in the receipt", int(t.At)+i, t.Job)
		}
		source, target = append(source, from...), append(target, oneLine(s.targets[int(t.At)+i])...)
	}
	p.Source, p.Target = string(source), clean(string(target))
	return p, nil
}
