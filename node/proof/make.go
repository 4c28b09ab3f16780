package proof

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Draft is what a receipt is made of.
type Draft struct {
	Name, Output string // of the files; "" for one without a name
	In, Out      []byte // their bytes
	Format       document.Format
	From, To     string
	Model        block.Link
	Decoding     unit.Decoding
	Arithmetic   string
	Terms        []unit.Term
	Texts        []DraftText
}

// DraftText is a text of a document with its translation.
type DraftText struct {
	Source, Target string
	// Job is the job that gave the translation; none where no job did.
	Job   block.Link
	Human bool // a person made the translation
}

// Make makes the receipt of a document. The jobs come from the shelf. others is how many
// sentences of other documents are in the receipt: a unit is opened whole.
func Make(shelf Shelf, d Draft) (receipt []byte, others int, err error) {
	r := &Parsed{Statement: Statement{
		Version: 1, Document: fileOf(base(d.Name), d.In), Translation: fileOf(base(d.Output), d.Out),
		Format: string(d.Format), From: d.From, To: d.To, Model: d.Model, Decoding: d.Decoding, Arithmetic: d.Arithmetic, Terms: d.Terms,
		DocumentRules: document.Rules, TextRules: text.Rules,
	}}
	m := maker{receipt: r, shelf: shelf, jobs: map[block.Link]*source{}}
	for _, t := range d.Texts {
		part, err := m.text(t)
		if err != nil {
			return nil, 0, fmt.Errorf("receipt: %w", err)
		}
		r.texts = append(r.texts, part)
	}
	for _, s := range m.used {
		var open []UnitPart // the units that some text needs
		for i, u := range s.units {
			if covered := s.covered(i); covered > 0 {
				open = append(open, u)
				others += len(u.Sources) - covered
			}
		}
		r.jobs = append(r.jobs, job{file: s.file, units: open})
	}
	if receipt, err = r.Encode(); err != nil {
		return nil, 0, err
	}
	// A receipt that does not hold would be found out when it is needed.
	c, err := Verify(shelf.Network, receipt)
	if err == nil {
		err = c.Files(d.In, d.Out)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the new receipt does not hold: %w", err)
	}
	return receipt, others, nil
}

// base is the name of a file without its directory. Names that no receipt may have are left
// out.
func base(name string) string {
	if name == "" || name == "-" {
		return ""
	}
	name = strings.ToValidUTF8(filepath.Base(name), "\uFFFD")
	if strings.ContainsAny(name, "/\\") || strings.ContainsFunc(name, unicode.IsControl) {
		return ""
	}
	return name
}

// maker makes the texts of a receipt.
type maker struct {
	receipt *Parsed
	shelf   Shelf
	jobs    map[block.Link]*source // nil where the shelf has no receipt
	used    []*source              // in the sequence of the receipt
}

// source is a job that texts come from.
type source struct {
	job
	sentences
	index  uint32           // in the receipt, once it is used
	inUse  bool             //
	begins map[string][]int // where a sentence stands in the job
	taken  map[int]bool     // sentences that some text needs
}

// text finds the sentences of a text in its job. A text whose job the shelf lacks, or that
// is not in it, has no proof.
func (m *maker) text(t DraftText) (TextPart, error) {
	if t.Human {
		return TextPart{Origin: Human, Source: t.Source, Target: t.Target}, nil
	}
	computed := TextPart{Origin: Computed, Source: t.Source, Target: t.Target}
	if !t.Job.Defined() {
		return computed, nil
	}
	s, err := m.job(t.Job)
	if err != nil || s == nil {
		return computed, err
	}
	part, ok := s.find(m.receipt.From, t)
	if !ok || !s.inUse && len(m.used) == maxJobs {
		return computed, nil
	}
	if !s.inUse {
		s.inUse, s.index = true, uint32(len(m.used))
		m.used = append(m.used, s)
	}
	part.Job = s.index
	for i := range len(part.Gaps) - 1 {
		s.taken[int(part.At)+i] = true
	}
	return part, nil
}

// job reads a job from the shelf, once.
func (m *maker) job(link block.Link) (*source, error) {
	if s, ok := m.jobs[link]; ok {
		return s, nil
	}
	m.jobs[link] = nil
	j, ok, err := m.shelf.job(link, m.receipt)
	if err != nil || !ok {
		return nil, err
	}
	sizes := make([]int, len(j.units))
	for i, u := range j.units {
		sizes[i] = len(u.Sources)
	}
	s := &source{job: j, sentences: j.lay(sizes, m.receipt.To), begins: map[string][]int{}, taken: map[int]bool{}}
	for i := range s.first[len(s.first)-1] {
		s.begins[s.sources[i]] = append(s.begins[s.sources[i]], i)
	}
	m.jobs[link] = s
	return s, nil
}

// find finds a text in a job.
func (s *source) find(language string, t DraftText) (TextPart, bool) {
	layout := text.Split(language, t.Source).Fit(func(string) bool { return true })
	if len(layout.Sentences) == 0 {
		return TextPart{}, false
	}
	try := func(at int) (TextPart, bool) {
		gaps, ok := s.fit(t.Source, at)
		part := TextPart{Origin: Bought, At: uint32(at), Gaps: gaps}
		if !ok {
			return part, false
		}
		p, err := s.pair(part)
		return part, err == nil && p.Source == t.Source && p.Target == t.Target
	}
	first := layout.Sentences[0]
	for _, at := range s.begins[first] {
		if part, ok := try(at); ok {
			return part, true
		}
	}
	// A sentence that was too long for the model stands there in parts.
	for at := range s.first[len(s.first)-1] {
		if c := s.sources[at]; len(c) < len(first) && strings.HasPrefix(first, c) {
			if part, ok := try(at); ok {
				return part, true
			}
		}
	}
	return TextPart{}, false
}

// fit lays a text over the sentences of a job from one on, and returns what is copied around
// them.
func (s *source) fit(whole string, at int) (gaps []string, ok bool) {
	for rest := whole; ; at++ {
		behind := rest[text.SkipCopied(rest):]
		gaps = append(gaps, rest[:len(rest)-len(behind)])
		if behind == "" {
			return gaps, true
		}
		sentence, there := s.sources[at]
		if rest, there = cutPrefix(behind, sentence, there); !there {
			return nil, false
		}
	}
}

// cutPrefix is strings.CutPrefix of a prefix that may not be there, or be empty.
func cutPrefix(s, prefix string, there bool) (string, bool) {
	if !there || prefix == "" {
		return "", false
	}
	return strings.CutPrefix(s, prefix)
}

// covered is how many sentences of a unit some text needs.
func (s *source) covered(unit int) (n int) {
	for i := s.first[unit]; i < s.first[unit+1]; i++ {
		if s.taken[i] {
			n++
		}
	}
	return n
}

// oneLine is a sentence's translation as [text.Layout.Join] writes it, and clean that of a
// text as the engines give it.
func oneLine(sentence string) string {
	joined, err := text.Whole("x").Join([]string{sentence})
	if err != nil {
		panic("proof: " + err.Error()) // one sentence, one translation
	}
	return joined
}

func clean(s string) string { return engine.Clean(s) }
