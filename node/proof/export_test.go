package proof

import (
	"bytes"
	"crypto/sha256"
)

// Forge makes a receipt of its own texts that says another translation of one, with every
// hash right.
func (c *Verified) Forge(in []byte, text int, target string) []byte {
	r := &Parsed{Statement: c.Statement}
	for i, t := range c.Texts {
		if i == text {
			t.Target = target
		}
		r.texts = append(r.texts, TextPart{Origin: t.Origin, Source: t.Source, Target: t.Target})
	}
	forged := *c
	forged.Texts = nil
	for _, t := range r.texts {
		forged.Texts = append(forged.Texts, ProvenText{Origin: t.Origin, Source: t.Source, Target: t.Target})
	}
	d, err := c.open(in)
	if err != nil {
		panic(err)
	}
	out, err := forged.rebuild(d)
	if err != nil {
		panic(err)
	}
	r.Translation = fileOf(r.Translation.Name, bytes.Clone(out))
	data, err := r.Encode()
	if err != nil {
		panic(err)
	}
	return data
}

// Sealed is a file with the right hash at its end.
func Sealed(data []byte) []byte {
	n := max(0, len(data)-sha256.Size)
	sum := sha256.Sum256(data[:n])
	return append(data[:n:n], sum[:]...)
}

// SetText changes the first text of a receipt, and AddJob adds a job.
func SetText(t TextPart) func(*Parsed) { return func(r *Parsed) { r.texts[0] = t } }

func AddJob(file []byte) func(*Parsed) {
	return func(r *Parsed) { r.jobs = append(r.jobs, job{file: file}) }
}
