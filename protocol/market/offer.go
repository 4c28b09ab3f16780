package market

import (
	"fmt"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// OfferKey names an offer: who offers which work. Two accounts may offer the same
// work; their offers have nothing to do with each other.
type OfferKey struct {
	Work      block.Link
	Publisher protocol.Account
}

// Offer is a publisher's offer of a run or of a job, as a board keeps it.
type Offer struct {
	OfferKey
	Time      time.Time // when the publisher signed the offer, in milliseconds
	Addrs     []string  // of the publisher
	Price     uint64    // amount for a GFLOP; 0 for a run, whose rate the ledger publishes
	Languages [2]string // of a document, from and to; empty for a run
	Topic     string    // the gossip topic for such offers
	Text      string    // what is to be done, for people
	Encoded   protocol.EncodedOffer
}

// Run reports whether the work is a training run; otherwise it is a job.
func (o Offer) Run() bool { return o.Encoded.Type == protocol.TypeRunOffer }

// NewOffer returns the offer in a record whose canonical bytes are body. An error
// has a reason.
func NewOffer(r protocol.Signed, body []byte) (Offer, error) {
	o := Offer{Encoded: protocol.EncodedOffer{Type: r.Type(), Body: body}}
	switch r := r.(type) {
	case *protocol.RunOffer:
		o.OfferKey, o.Time, o.Addrs = OfferKey{r.Run, r.Account}, timeOf(r.Time), r.Addrs
		o.Topic = protocol.RunTopic(r.Net)
		o.Text = fmt.Sprintf("training run %s, %d rounds of %d units", r.Run, r.Rounds, r.Units)
	case *protocol.JobOffer:
		o.OfferKey, o.Time, o.Addrs, o.Price = OfferKey{r.Job, r.Account}, timeOf(r.Time), r.Addrs, r.Price
		o.Languages, o.Topic = [2]string{r.Src, r.Dst}, protocol.JobTopic(r.Net, r.Src, r.Dst)
		pay := "unpaid"
		if r.Price > 0 {
			pay = protocol.FormatAmount(r.Price) + " ALIA for a GFLOP"
		}
		o.Text = fmt.Sprintf("translation %s from %s to %s by model %s, %s", r.Job, r.Src, r.Dst, r.Model, pay)
	default:
		return Offer{}, protocol.Refuse(protocol.Malformed, "a %s is not an offer", r.Type())
	}
	return o, nil
}

// timeOf is the time of milliseconds since 1970. What no clock shows is a time
// before 1970, so that it is out of date.
func timeOf(ms uint64) time.Time { return time.UnixMilli(int64(ms)) }

// An offer says its age by itself: the publisher signs the time. So an offer ends at
// the same time on every node, whoever repeats it (PROTOCOL.md, section 7.1).
const (
	// OfferEvery is the pause of a publisher between two offers of one work.
	OfferEvery = 5 * time.Second
	// OfferLife is how long an offer is open after its time.
	OfferLife = 90 * time.Second
	// maxAhead is how far the clock of a publisher may be ahead of a node's.
	maxAhead = time.Minute
)

// current refuses an offer that is out of date at now, or ahead of now.
func (o Offer) current(now time.Time) error {
	switch age := now.Sub(o.Time); {
	case age >= OfferLife:
		return protocol.Refuse(protocol.WrongTime, "the offer for %s of %s is %v old, and an offer is open for %v: is a clock wrong?",
			o.Work, o.Publisher.Short(), age.Round(time.Second), OfferLife)
	case age < -maxAhead:
		return protocol.Refuse(protocol.WrongTime, "the offer for %s of %s is %v ahead of this node's clock, %v is allowed: is a clock wrong?",
			o.Work, o.Publisher.Short(), -age.Round(time.Second), maxAhead)
	}
	return nil
}
