package protocol

import (
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// The bounds on fields that grow, beside the bounds on whole records.
const (
	maxAddrs    = 16
	maxAddr     = 256 // bytes
	maxText     = 256 // bytes
	maxLanguage = 16  // bytes
	maxUnits    = 4096
)

// The checks of the records run after decoding and before any signature is
// looked at.

func (r *RunOffer) check() error {
	return first(checkVersion(r.Version), need("run", r.Run), checkAddrs(r.Addrs))
}

func (r *JobOffer) check() error {
	return first(checkVersion(r.Version), need("job", r.Job), need("model", r.Model),
		checkLanguage(r.Src), checkLanguage(r.Dst), checkAddrs(r.Addrs))
}

func (r *Capability) check() error {
	return first(checkVersion(r.Version), checkText(r.Software), checkText(r.Kernel), checkText(r.Device))
}

func (r *Bid) check() error {
	if r.Capability.Account != r.Account {
		return Refuse(WrongAccount, "bid of %s with the capability of %s", r.Account, r.Capability.Account)
	}
	return first(checkVersion(r.Version), need("offer", r.Offer), need("work", r.Work), r.Capability.check())
}

func (r *Ticket) check() error {
	if got := block.Sum(block.CBOR, r.Spec); got != r.Unit.Cid {
		return Refuse(Malformed, "ticket for unit %s has the spec of %s", r.Unit, got)
	}
	return first(checkVersion(r.Version), need("work", r.Work), checkAddrs(r.Hints))
}

func (r *Attestation) check() error {
	if r.Role != Worker && r.Role != Auditor {
		return Refuse(Malformed, "role %d", r.Role)
	}
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Accept) check() error {
	return first(checkVersion(r.Version), need("work", r.Work), need("unit", r.Unit), need("result", r.Result))
}

func (r *Head) check() error { return checkVersion(r.Version) }

func (r *Receipt) check() error {
	if n := len(r.Attestations); n != len(r.Accepts) || n > maxUnits {
		return Refuse(Malformed, "%d attestations and %d accepts", n, len(r.Accepts))
	}
	for i := range r.Attestations {
		if err := first(r.Attestations[i].check(), r.Accepts[i].check()); err != nil {
			return fmt.Errorf("unit %d: %w", i, err)
		}
	}
	return first(checkVersion(r.Version), need("job", r.Job), need("model", r.Model),
		need("input", r.Input), need("output", r.Output))
}

func (r *Reject) check() error { return first(checkVersion(r.Version), checkText(r.Reason)) }

func (r *Cancel) check() error {
	return first(checkVersion(r.Version), need("ticket", r.Ticket), checkText(r.Reason))
}

func (r *Progress) check() error {
	if r.DonePPM > 1_000_000 {
		return Refuse(Malformed, "%d parts per million done", r.DonePPM)
	}
	return first(checkVersion(r.Version), need("ticket", r.Ticket))
}

func (r *Credit) check() error { return checkVersion(r.Version) }

func (r *Idle) check() error { return first(checkVersion(r.Version), checkText(r.Reason)) }

func (r *OfferQuery) check() error { return checkVersion(r.Version) }

func (r *OfferPage) check() error {
	for _, o := range r.Offers {
		if o.Type != TypeRunOffer && o.Type != TypeJobOffer {
			return Refuse(Malformed, "a %s among offers", o.Type)
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

// checkLanguage takes the letters, digits and hyphens of a language tag, which
// becomes part of a topic's name.
func checkLanguage(s string) error {
	if s == "" || len(s) > maxLanguage {
		return Refuse(Malformed, "language %q", s)
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return Refuse(Malformed, "language %q", s)
		}
	}
	return nil
}

func checkAddrs(addrs []string) error {
	if len(addrs) > maxAddrs {
		return Refuse(TooLarge, "%d addresses, the limit is %d", len(addrs), maxAddrs)
	}
	for _, a := range addrs {
		if len(a) > maxAddr {
			return Refuse(TooLarge, "address of %d bytes, the limit is %d", len(a), maxAddr)
		}
	}
	return nil
}
