package unit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
)

// Job is the record of a document to translate. Its CID is the job's name, so
// equal sentences of two customers are units of different jobs.
//
// A job without terms is of version 1, and its record ends with the decoding. A job of
// version 3 has a salt, with terms or without: its texts are for its miners only.
type Job struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Customer [32]byte
	// Sequence distinguishes equal documents of one customer.
	Sequence uint64
	Model    block.Link
	Input    block.Link // Text: every segment of the document
	Decoding Decoding
	// Terms are the lines of the customer's glossary that some segment needs; nil in
	// version 1, and in version 3 where there are none. The terms of each segment follow from
	// them: package work/terms.
	Terms []Term
	// Salt has SaltSize bytes in version 3, and is nil in the others. The salts of the texts
	// follow from it. Only the customer knows it, and whoever gets a receipt.
	Salt []byte
}

// TextSalt is the salt of the text of the unit with an index, and so of its translation; nil
// for a job without a salt. It is the first half of the SHA-256 of the job's salt and the
// index, big endian: a miner that knows it learns nothing of the other units.
func (j Job) TextSalt(index uint32) []byte {
	if j.Salt == nil {
		return nil
	}
	h := sha256.Sum256(binary.BigEndian.AppendUint32(slices.Clone(j.Salt), index))
	return h[:SaltSize]
}

// Validate returns an error if j is not valid.
func (j Job) Validate() error {
	switch {
	case j.Version < Plain || j.Version > Salted:
		return fmt.Errorf("version %d, this program knows versions 1 to 3", j.Version)
	case j.Version == Salted && len(j.Salt) != SaltSize:
		return fmt.Errorf("a salt of %d bytes, want %d", len(j.Salt), SaltSize)
	case j.Version != Salted && j.Salt != nil:
		return fmt.Errorf("version %d with a salt", j.Version)
	case j.Version == Plain && j.Terms != nil:
		return errors.New("version 1 with terms")
	case j.Version == WithTerms && len(j.Terms) == 0:
		return errors.New("version 2 without a term: a job without terms is of version 1")
	}
	bytes := 0
	for _, t := range j.Terms {
		bytes += 7 + len(t.Source) + len(t.Target)
	}
	if bytes > MaxGlossary {
		return fmt.Errorf("the terms have %d bytes, at most %d are allowed", bytes, MaxGlossary)
	}
	return nil
}

// plainJob is the record of a job of version 1.
type plainJob struct {
	_            struct{} `cbor:",toarray"`
	Version      uint16
	Customer     [32]byte
	Sequence     uint64
	Model, Input block.Link
	Decoding     Decoding
}

// termJob is the record of a job of version 2.
type termJob struct {
	_            struct{} `cbor:",toarray"`
	Version      uint16
	Customer     [32]byte
	Sequence     uint64
	Model, Input block.Link
	Decoding     Decoding
	Terms        []Term
}

// saltedJob is the record of a job of version 3.
type saltedJob struct {
	_            struct{} `cbor:",toarray"`
	Version      uint16
	Customer     [32]byte
	Sequence     uint64
	Model, Input block.Link
	Decoding     Decoding
	Terms        []Term // none where the job has none
	Salt         []byte
}

// MarshalCBOR is the encoding of an array: of eight fields with a salt, of seven with terms,
// and else of six.
func (j Job) MarshalCBOR() ([]byte, error) {
	if j.Salt != nil {
		return block.Encode(saltedJob{
			Version: j.Version, Customer: j.Customer, Sequence: j.Sequence, Model: j.Model, Input: j.Input, Decoding: j.Decoding, Terms: j.Terms, Salt: j.Salt,
		})
	}
	if j.Terms != nil {
		return block.Encode(termJob{
			Version: j.Version, Customer: j.Customer, Sequence: j.Sequence, Model: j.Model, Input: j.Input, Decoding: j.Decoding, Terms: j.Terms,
		})
	}
	return block.Encode(plainJob{
		Version: j.Version, Customer: j.Customer, Sequence: j.Sequence, Model: j.Model, Input: j.Input, Decoding: j.Decoding,
	})
}

// UnmarshalCBOR reads an array. [Job.Validate] says whether it has the fields of its version.
func (j *Job) UnmarshalCBOR(data []byte) error {
	n, err := block.Len(data)
	if err != nil {
		return err
	}
	if n == 6 {
		var p plainJob
		err := block.Decode(data, &p)
		*j = Job{Version: p.Version, Customer: p.Customer, Sequence: p.Sequence, Model: p.Model, Input: p.Input, Decoding: p.Decoding}
		return err
	}
	if n == 8 {
		var p saltedJob
		err := block.Decode(data, &p)
		*j = Job{
			Version: p.Version, Customer: p.Customer, Sequence: p.Sequence, Model: p.Model, Input: p.Input, Decoding: p.Decoding, Terms: p.Terms, Salt: p.Salt,
		}
		if len(j.Terms) == 0 {
			j.Terms = nil
		}
		return err
	}
	var p termJob
	err = block.Decode(data, &p)
	*j = Job{
		Version: p.Version, Customer: p.Customer, Sequence: p.Sequence, Model: p.Model, Input: p.Input, Decoding: p.Decoding, Terms: p.Terms,
	}
	return err
}
