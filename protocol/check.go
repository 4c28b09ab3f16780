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
	maxUnits    = 4096 // of a receipt
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
	return first(checkVersion(r.Version), need("work", r.Work), checkAddrs(r.Hints))
}

func (r *Attestation) check() error {
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Accept) check() error {
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Receipt) check() error {
	if n := len(r.Attestations); n != len(r.Accepts) || n > maxUnits {
		return Refuse(Malformed, "a receipt of %d attestations and %d accepts, want as many of both and at most %d", n, len(r.Accepts), maxUnits)
	}
	for i := range r.Attestations {
		if err := first(r.Attestations[i].check(), r.Accepts[i].check()); err != nil {
			return fmt.Errorf("unit %d: %w", i, err)
		}
	}
	return first(checkVersion(r.Version), need("job", r.Job), need("model", r.Model),
		need("input", r.Input), need("output", r.Output))
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
