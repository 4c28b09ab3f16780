package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// client is who sends a request: the owner of a key, or an address.
type client struct {
	id  string  // of the key; "" for a client without one
	key *APIKey // nil without one

	address string
	// month is that in which the request came: what it used is counted there, and given back
	// there, however long it takes.
	month string
}

// spent is what a client used in a month.
type spent struct {
	Characters int64  `json:"characters"`
	Amount     uint64 `json:"amount"` // paid, or promised to jobs that are not settled
}

// usage counts what clients use, and slows them down.
type usage struct {
	g *Gateway

	mu       sync.Mutex // guards the fields below
	limiters map[string]*rate.Limiter
	nobody   int64  // characters of clients without a key in the month since
	since    string // a month; the counters of others begin anew
}

func newUsage(g *Gateway) *usage { return &usage{g: g, limiters: map[string]*rate.Limiter{}} }

// maxLimiters bounds the memory that clients of many addresses take.
const maxLimiters = 10_000

// admit finds out who sends the call, and refuses those without a key or patience.
// secret is the key among the parameters, where the API has it there.
func (c *call) admit(secret string) error {
	if s := c.r.Header.Get("Authorization"); s != "" {
		scheme, rest, _ := strings.Cut(s, " ")
		if strings.EqualFold(scheme, "DeepL-Auth-Key") || strings.EqualFold(scheme, "Bearer") {
			secret = strings.TrimSpace(rest)
		}
	}
	keys := c.g.keys
	c.who = client{address: addressOf(c.r), month: monthOf(c.g.Now())}
	if secret != "" && keys.needed() {
		key, err := keys.find(secret)
		if err != nil {
			return err
		}
		if key != nil {
			c.who.id, c.who.key = key.ID, key
		} else if !c.g.Open {
			return refuse(http.StatusForbidden, "%s", c.api.badKey())
		}
	}
	if c.who.key == nil && keys.needed() && !c.g.Open {
		return refuse(http.StatusUnauthorized, "%s", c.api.noKey())
	}
	return c.g.usage.pace(c.who)
}

// badKey and noKey are what the APIs say about keys.
func (a *api) badKey() string {
	if a == deepl {
		return a.noKey()
	}
	return "Invalid API key"
}

func (a *api) noKey() string {
	switch a {
	case deepl:
		return "Authorization failed. Please supply a valid DeepL-Auth-Key via the Authorization header."
	case libre:
		return "Please contact the server operator to get an API key"
	}
	return "this gateway needs an API key: send it as Authorization: Bearer KEY"
}

// pace counts a request, and refuses it if the client sent too many in the last minute.
func (u *usage) pace(who client) error {
	name, most := "key "+who.id, 0
	if who.key != nil {
		most = who.key.Requests
	} else {
		name, most = "address "+who.address, u.g.Limits.Requests
	}
	if most == 0 {
		return nil
	}
	now := u.g.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	l := u.limiters[name]
	if l == nil || l.Burst() != most {
		if len(u.limiters) >= maxLimiters {
			u.forget(now)
		}
		l = rate.NewLimiter(rate.Limit(float64(most)/60), most)
		u.limiters[name] = l
	}
	r := l.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return &failure{status: http.StatusTooManyRequests, text: "too many requests: this client may send a number of them in a minute", after: wait}
	}
	return nil
}

// forget drops the limiters of clients that sent nothing in the last minute, or all if
// there are no such clients.
func (u *usage) forget(now time.Time) {
	for name, l := range u.limiters {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(u.limiters, name)
		}
	}
	if len(u.limiters) >= maxLimiters {
		clear(u.limiters)
	}
}

// monthOf names the month of the counters.
func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// next is when the next month begins.
func (u *usage) next() time.Time {
	y, m, _ := u.g.Now().UTC().Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
}

// of returns what a client used this month.
func (u *usage) of(who client) (spent, error) {
	s, _, err := get[spent](u.g.store, bucketUsage, who.counter())
	if who.key == nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		s.Characters = 0
		if u.since == who.month {
			s.Characters = u.nobody
		}
	}
	return s, err
}

// counter is where the store has what a client used in the month; that of clients without a
// key is one.
func (c client) counter() string { return c.month + "/" + c.id }

// characters counts characters of a client before they are translated. A negative number
// gives them back.
func (u *usage) characters(who client, n int64) error {
	u.g.metrics.characters.Add(max(0, float64(n)))
	if who.key == nil { // nothing bounds them: they need not outlive the process
		u.mu.Lock()
		defer u.mu.Unlock()
		if who.month > u.since {
			u.nobody, u.since = 0, who.month
		}
		if who.month == u.since {
			u.nobody = max(0, u.nobody+n)
		}
		return nil
	}
	return change(u.g.store, bucketUsage, who.counter(), func(s *spent) error {
		if limit := who.limits().Characters; n > 0 && limit > 0 && s.Characters+n > limit {
			return u.usedUp(fmt.Sprintf("Quota for this billing period has been exceeded: the key may translate %d characters in a month", limit))
		}
		s.Characters = max(0, s.Characters+n)
		return nil
	})
}

// amount counts what a job of a client may cost, and afterwards the difference to what it
// cost.
func (u *usage) amount(who client, less, more uint64) error {
	if less == more {
		return nil
	}
	limit, whose := u.g.Limits.Amount, "the request costs more than clients without a key may spend together in the rest of the month: send less text, or use a key"
	if who.key != nil {
		limit, whose = who.key.Amount, "the request costs more than the key may spend in the rest of the month: send less text, or ask for a larger amount"
	}
	return change(u.g.store, bucketUsage, who.counter(), func(s *spent) error {
		now := s.Amount - min(s.Amount, less)
		if limit > 0 && more > less && (now > limit || more > limit-now) {
			return u.usedUp("Quota for this billing period has been exceeded: " + whose)
		}
		s.Amount = now + more
		return nil
	})
}

func (u *usage) usedUp(text string) error {
	return &failure{status: statusQuota, text: text, after: u.next().Sub(u.g.Now())}
}

// limits are those of the client's key.
func (c client) limits() APIKey {
	if c.key == nil {
		return APIKey{}
	}
	return *c.key
}

// unlimited is the limit that the API of DeepL gives for keys without one.
const unlimited = 1_000_000_000_000

// limitOf is a limit as that API gives it.
func limitOf(n int64) int64 {
	if n == 0 {
		return unlimited
	}
	return n
}
