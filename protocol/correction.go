package protocol

import (
	"slices"
	"strings"
	"unicode"

	"github.com/alia-network/alia/protocol/block"
)

// The records of human corrections: PROTOCOL.md, sections 4.9 to 4.11. A person corrects a
// translation, others review the correction, and a collector publishes what it pays.

// The bounds of a correction.
const (
	MaxCorrected = 2048 // bytes of each of its three texts
	MaxReviewers = 64   // accounts of one budget
	MaxVotes     = 16
	maxPerson    = 64 // bytes of a name
)

// Correction says how a person translates a text that a machine has translated. The
// account is the author, or speaks for one that it names.
type Correction struct {
	_ struct{} `cbor:",toarray"`
	Header
	Time     uint64     // when it was signed, milliseconds since 1970
	Src, Dst string     // languages
	Source   string     // the text
	Machine  string     // its translation by a machine; empty: there was none
	Human    string     // its translation by the author
	Model    block.Link // that gave Machine; none: it is the author's own, and nobody can check it
	How      string     // how the model was used, in the words of the translation memory
	Licence  string     // of Human, one of [Licences]
	Author   string     // a name for an author without an account; empty: the account is the author
	Payee    Account    // who is paid; none: the author's account
	Seal
}

// Review is a vote on a correction, by a person or by rules that anybody can compute again.
type Review struct {
	_ struct{} `cbor:",toarray"`
	Header
	Correction block.Link // CID of its bytes
	Approve    bool
	Reason     string // for people; a rejection needs one
	Rules      uint16 // the version of the rules that decided; 0: a person did
	Reviewer   string // a name for a person without an account, or for a program; empty: the account is the person
	Seal
}

// Budget says what its account pays for corrections that are approved from now on. It
// replaces the account's budget before.
type Budget struct {
	_ struct{} `cbor:",toarray"`
	Header
	Time          uint64    // when it was signed, milliseconds since 1970
	Amount        uint64    // the most that is paid in all
	PerAuthor     uint64    // the most that one payee gets
	PerCorrection uint64    // amount
	PerCharacter  uint64    // amount for each character of the source text, besides PerCorrection
	Votes         uint16    // how many persons have to approve, 1 to [MaxVotes]
	Rules         uint16    // the version of the rules that may approve alone; 0: only persons may
	Reviewers     []Account // whose votes count besides those of the account
	Seal
}

func (*Correction) Type() RecordType { return TypeCorrection }
func (*Review) Type() RecordType     { return TypeReview }
func (*Budget) Type() RecordType     { return TypeBudget }

// licences are those under which everybody may train on a text, by their SPDX identifiers
// (https://spdx.org/licenses). They ask for nothing, or that the authors be named, as each
// version of a corpus names them.
var licences = []string{"CC-BY-4.0", "CC0-1.0", "ODC-By-1.0", "PDDL-1.0"}

// Licences lists the licences that a correction may have.
func Licences() []string { return slices.Clone(licences) }

func (r *Correction) check() error {
	if !slices.Contains(licences, r.Licence) {
		return Refuse(Malformed, "licence %q: want one of %s", r.Licence, strings.Join(licences, ", "))
	}
	if r.Src == r.Dst {
		return Refuse(Malformed, "a correction from %s to %s", r.Src, r.Dst)
	}
	if r.Model.Defined() && (r.Machine == "" || r.How == "") {
		return Refuse(Malformed, "a correction of a model's translation without the translation, or without how it was made")
	}
	if r.Payee != (Account{}) {
		if err := r.Payee.Check(); err != nil {
			return err
		}
	}
	err := first(checkVersion(r.Version), checkLanguage(r.Src), checkLanguage(r.Dst), checkSegment("source", r.Source),
		checkSegment("human", r.Human), checkText(r.How), checkLine("how", r.How), checkPerson(r.Author))
	if err == nil && r.Machine != "" {
		err = checkSegment("machine", r.Machine)
	}
	return err
}

func (r *Review) check() error {
	if !r.Approve && strings.TrimSpace(r.Reason) == "" {
		return Refuse(Malformed, "a rejection without a reason")
	}
	return first(checkVersion(r.Version), need("correction", r.Correction), checkText(r.Reason), checkLine("reason", r.Reason), checkPerson(r.Reviewer))
}

func (r *Budget) check() error {
	if r.Votes == 0 || r.Votes > MaxVotes {
		return Refuse(Malformed, "a budget that needs %d votes, want 1 to %d", r.Votes, MaxVotes)
	}
	// So the price of a correction does not overflow.
	if most := uint64(1) << 48; r.Amount > 1<<62 || r.PerAuthor > r.Amount || r.PerCorrection > r.Amount || r.PerCharacter > most {
		return Refuse(Malformed, "a budget of %d amounts with prices above it: %d an author, %d a correction, %d a character", r.Amount, r.PerAuthor, r.PerCorrection, r.PerCharacter)
	}
	if len(r.Reviewers) > MaxReviewers {
		return Refuse(TooLarge, "a budget with %d reviewers, the limit is %d", len(r.Reviewers), MaxReviewers)
	}
	for _, a := range r.Reviewers {
		if err := a.Check(); err != nil {
			return err
		}
	}
	return checkVersion(r.Version)
}

func checkPerson(name string) error {
	if len(name) > maxPerson {
		return Refuse(TooLarge, "a name of %d bytes, the limit is %d", len(name), maxPerson)
	}
	return checkLine("name", name)
}

// Quotable reports whether a correction can have a text as one of its three.
func Quotable(text string) bool { return checkSegment("", text) == nil }

// checkSegment allows one line of text, without space around it.
func checkSegment(what, s string) error {
	switch {
	case s == "":
		return Refuse(Malformed, "no %s text", what)
	case len(s) > MaxCorrected:
		return Refuse(TooLarge, "%s text of %d bytes, the limit is %d", what, len(s), MaxCorrected)
	case strings.TrimSpace(s) != s:
		return Refuse(Malformed, "%s text with space at its beginning or end", what)
	}
	return checkLine(what, s)
}

// checkLine refuses what no reader sees: control characters, line ends, and characters
// that turn or hide the text around them. The joiners are letters of some scripts.
func checkLine(what, s string) error {
	for i, r := range s {
		hidden := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) && r != '\u200c' && r != '\u200d' && r != '\u00ad'
		if hidden || r == unicode.ReplacementChar {
			return Refuse(Malformed, "%s text: the character U+%04X at byte %d is not allowed", what, r, i)
		}
	}
	return nil
}
