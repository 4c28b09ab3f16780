package protocol

import (
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// The bounds on fields of variable length. RecordTypes bound whole records.
const (
	MaxAddrs    = 16   // addresses of one record
	maxAddr     = 256  // bytes of one address
	maxText     = 256  // bytes
	maxLanguage = 16   // bytes
	maxUnits    = 1024 // of a receipt: no escrow pays for more
)

// The checks of the records run after decoding and before any signature is
// verified. Each field that a record requires is checked here and nowhere else.

func (r *RunOffer) check() error {
	return first(checkVersion(r.Version), need("run", r.Run), checkAddrs(r.Addrs))
}

func (r *JobOffer) check() error {
	return first(checkVersion(r.Version), need("job", r.Job), need("model", r.Model),
		checkLanguage(r.Src), checkLanguage(r.Dst), checkAddrs(r.Addrs))
}

func (r *Bid) check() error {
	c := &r.Capability
	if r.InFlight == 0 {
		return Refuse(Malformed, "a bid for no units")
	}
	return first(checkVersion(r.Version), need("work", r.Work), checkText(c.Numerics), checkText(c.Kernel),
		checkText(c.Device), checkText(c.Software))
}

func (r *Ticket) check() error {
	if got := block.Sum(block.CBOR, r.Spec); got != r.Unit.Cid {
		return Refuse(Malformed, "ticket for unit %s holds the spec of unit %s", r.Unit, got)
	}
	if len(r.Proof) > 1 {
		return Refuse(Malformed, "a ticket with %d proofs of a slot", len(r.Proof))
	}
	return first(checkVersion(r.Version), need("work", r.Work), checkAddrs(r.Hints))
}

func (r *Attestation) check() error {
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Accept) check() error {
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Receipt) check() error {
	if n := len(r.Units); n == 0 || n > maxUnits {
		return Refuse(Malformed, "a receipt of %d units, want 1 to %d", n, maxUnits)
	}
	for i, u := range r.Units {
		if len(u.Source) != len(u.Target) {
			return Refuse(Malformed, "unit %d: %d segments translated into %d", i, len(u.Source), len(u.Target))
		}
		if err := need("input", u.Input); err != nil {
			return fmt.Errorf("unit %d: %w", i, err)
		}
	}
	return checkVersion(r.Version)
}

func (r *Reject) check() error { return first(checkVersion(r.Version), checkText(r.Detail)) }

func (r *Cancel) check() error {
	return first(checkVersion(r.Version), need("ticket", r.Ticket), checkText(r.Detail))
}

func (r *Progress) check() error {
	if r.DonePPM > 1_000_000 {
		return Refuse(Malformed, "progress of %d parts per million, want at most 1000000", r.DonePPM)
	}
	return first(checkVersion(r.Version), need("ticket", r.Ticket))
}

func (r *Idle) check() error { return checkVersion(r.Version) }

func (r *OfferQuery) check() error { return checkVersion(r.Version) }

func (r *OfferPage) check() error {
	for _, o := range r.Offers {
		if o.Type != TypeRunOffer && o.Type != TypeJobOffer {
			return Refuse(Malformed, "a page of offers holds a %s", o.Type)
		}
	}
	return checkVersion(r.Version)
}

func (r *ModelQuery) check() error {
	if r.Source == "" && r.Target == "" {
		return checkVersion(r.Version)
	}
	return first(checkVersion(r.Version), checkLanguage(r.Source), checkLanguage(r.Target))
}

func (r *ModelPage) check() error {
	if len(r.Models) > MaxHeldModels {
		return Refuse(TooLarge, "a page of %d models, the limit is %d", len(r.Models), MaxHeldModels)
	}
	for _, h := range r.Models {
		if h.ChrF > 1_000_000 {
			return Refuse(Malformed, "a chrF of %d millionths", h.ChrF)
		}
		if err := first(need("model", h.Model), checkLanguage(h.Source), checkLanguage(h.Target)); err != nil {
			return err
		}
	}
	return checkVersion(r.Version)
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkVersion(v uint16) error {
	if v != Version {
		return Refuse(WrongVersion, "version %d, want %d", v, Version)
	}
	return nil
}

func need(what string, l block.Link) error {
	if !l.Defined() {
		return Refuse(Malformed, "no %s", what)
	}
	return nil
}

func checkText(s string) error {
	if len(s) > maxText {
		return Refuse(TooLarge, "text of %d bytes, the limit is %d", len(s), maxText)
	}
	return nil
}

// checkLanguage allows letters, digits and hyphens: a language tag becomes part
// of a topic's name.
func checkLanguage(s string) error {
	if s == "" || len(s) > maxLanguage {
		return Refuse(Malformed, "language %q: want 1 to %d letters, digits or hyphens, such as en-GB", s, maxLanguage)
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return Refuse(Malformed, "language %q: want 1 to %d letters, digits or hyphens, such as en-GB", s, maxLanguage)
		}
	}
	return nil
}

func checkAddrs(addrs []string) error {
	if len(addrs) > MaxAddrs {
		return Refuse(TooLarge, "%d addresses, the limit is %d", len(addrs), MaxAddrs)
	}
	for _, a := range addrs {
		if len(a) > maxAddr {
			return Refuse(TooLarge, "address of %d bytes, the limit is %d", len(a), maxAddr)
		}
	}
	return nil
}
