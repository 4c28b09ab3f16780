package unit

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Text is segments in order: the input and the output of a Translate unit.
//
// A text without terms is of version 1, and its record ends with the segments. A text of
// version 2 has terms, and is an input only. So a text has one record, and a text
// without terms the record that it had before there were terms. A text of version 3 has a
// salt, with terms or without, so that its CID tells nothing to those who guess the text.
type Text struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
	// Terms are, for each segment, what its translation must contain, verbatim; nil in
	// version 1, and in version 3 where there are none.
	Terms [][]string
	// Salt has SaltSize bytes in version 3, and is nil in the others. A translation has the
	// salt of its source.
	Salt []byte
}

// The versions of [Text] and of [Job].
const (
	Plain     = 1 // without terms
	WithTerms = 2
	Salted    = 3 // with a salt
)

// SaltSize is the bytes of a salt.
const SaltSize = 16

// The limits of the terms of a segment. They bound the time and the memory of a search.
const (
	MaxTerms = 16  // terms of a segment
	MaxTerm  = 256 // bytes of a term
	// MaxGlossary bounds the terms of a job, of both languages together, in bytes, with seven
	// more for the heads of each: a receipt has them all.
	MaxGlossary = 64 << 10
)

// NewText is the text of segments. terms has the terms of each; nil, or only empty lists,
// is a text without terms.
func NewText(segments []string, terms [][]string) Text {
	for _, list := range terms {
		if len(list) > 0 {
			return Text{Version: WithTerms, Segments: segments, Terms: terms}
		}
	}
	return Text{Version: Plain, Segments: segments}
}

// WithSalt is t with a salt; without one it is t.
func (t Text) WithSalt(salt []byte) Text {
	if salt != nil {
		t.Version, t.Salt = Salted, salt
	}
	return t
}

// Translation is the text of the translations of t's segments.
func (t Text) Translation(segments []string) Text {
	return Text{Version: Plain, Segments: segments}.WithSalt(t.Salt)
}

// TermsOf are the terms of a segment.
func (t Text) TermsOf(segment int) []string {
	if t.Terms == nil {
		return nil
	}
	return t.Terms[segment]
}

// Validate returns an error if t, the input of a unit, is not valid.
func (t Text) Validate() error {
	switch {
	case t.Version < Plain || t.Version > Salted:
		return fmt.Errorf("version %d, this program knows versions 1 to 3", t.Version)
	case t.Version == Plain && t.Terms != nil:
		return errors.New("version 1 with terms")
	case t.Version == Salted && len(t.Salt) != SaltSize:
		return fmt.Errorf("a salt of %d bytes, want %d", len(t.Salt), SaltSize)
	case t.Version != Salted && t.Salt != nil:
		return fmt.Errorf("version %d with a salt", t.Version)
	case t.Version != WithTerms && t.Terms == nil:
		return nil
	case len(t.Terms) != len(t.Segments):
		return fmt.Errorf("%d segments, and terms for %d", len(t.Segments), len(t.Terms))
	}
	any := false
	for i, list := range t.Terms {
		if err := checkTerms(list); err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
		any = any || len(list) > 0
	}
	if !any {
		return errors.New("lists of terms without a term: a text without terms has none")
	}
	return nil
}

// checkTerms returns an error if a segment cannot have these terms.
func checkTerms(list []string) error {
	if len(list) > MaxTerms {
		return fmt.Errorf("%d terms, from %q to %q, at most %d are allowed", len(list), list[0], list[len(list)-1], MaxTerms)
	}
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		switch {
		case s == "":
			return errors.New("an empty term")
		case len(s) > MaxTerm:
			return fmt.Errorf("the term %.40q... has %d bytes, at most %d are allowed", s, len(s), MaxTerm)
		case seen[s]:
			return fmt.Errorf("the term %q stands there twice", s)
		}
		seen[s] = true
	}
	return nil
}

// plainText is the record of a text of version 1.
type plainText struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
}

// termText is the record of a text of version 2.
type termText struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
	Terms    [][]string
}

// saltedText is the record of a text of version 3.
type saltedText struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
	Terms    [][]string // none where the text has none
	Salt     []byte
}

// MarshalCBOR is the encoding of an array: of four fields with a salt, of three with terms,
// and else of two.
func (t Text) MarshalCBOR() ([]byte, error) {
	if t.Salt != nil {
		return block.Encode(saltedText{Version: t.Version, Segments: t.Segments, Terms: t.Terms, Salt: t.Salt})
	}
	if t.Terms != nil {
		return block.Encode(termText{Version: t.Version, Segments: t.Segments, Terms: t.Terms})
	}
	return block.Encode(plainText{Version: t.Version, Segments: t.Segments})
}

// UnmarshalCBOR reads an array. [Text.Validate] says whether it has the fields of its version.
func (t *Text) UnmarshalCBOR(data []byte) error {
	n, err := block.Len(data)
	if err != nil {
		return err
	}
	if n == 2 {
		var p plainText
		err := block.Decode(data, &p)
		*t = Text{Version: p.Version, Segments: p.Segments}
		return err
	}
	if n == 4 {
		var p saltedText
		err := block.Decode(data, &p)
		*t = Text{Version: p.Version, Segments: p.Segments, Terms: p.Terms, Salt: p.Salt}
		if len(t.Terms) == 0 {
			t.Terms = nil
		}
		return err
	}
	var p termText
	err = block.Decode(data, &p)
	*t = Text{Version: p.Version, Segments: p.Segments, Terms: p.Terms}
	return err
}

// Term is a line of a glossary: where Source stands in a segment, Target must stand in
// its translation.
type Term struct {
	_      struct{} `cbor:",toarray"`
	Source string
	Target string
}
