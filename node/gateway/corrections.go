package gateway

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/work/unit"
)

// Corrections of people: the API of this gateway, and /suggest of LibreTranslate. Both are
// on where the operator has named the licence that suggestions have.

// suggests refuses where suggestions are off.
func (c *call) suggests() error {
	if c.g.Corrections == nil || c.g.SuggestLicence == "" {
		return refuse(http.StatusForbidden, "Suggestions are disabled on this server.")
	}
	return nil
}

// person is the client as the author or reviewer of corrections; "" is nobody.
func (c *call) person() string {
	if c.who.id == "" {
		return ""
	}
	return "key " + c.who.id
}

// suggest takes a suggestion. Where it names no model and the memory has the translation of
// the model that the gateway asks, it corrects that.
func (c *call) suggest(s corrections.Suggestion) (corrections.View, error) {
	if s.Signed == "" {
		m, err := c.match(wish{from: s.From, to: s.To, texts: []string{s.Source}})
		if err != nil {
			return corrections.View{}, err
		}
		s.From, s.To = m.model.Source, m.model.Target
		if s.Licence == "" {
			s.Licence = c.g.SuggestLicence
		}
		if s.Model == "" && c.g.Memory != nil {
			settings, err := c.g.settings(c.r.Context(), m.model, unit.Greedy)
			if err != nil {
				return corrections.View{}, err
			}
			made, ok, err := c.g.Memory.Exact(settings, s.Source)
			if err != nil {
				return corrections.View{}, err
			}
			if ok && (s.Machine == "" || s.Machine == made) {
				s.Machine, s.Model, s.How = made, settings.Model, settings.How
			}
		}
	}
	v, err := c.g.Corrections.Suggest(c.r.Context(), s, c.person())
	return v, ofPool(err)
}

// ofPool gives an error of the pool its status.
func ofPool(err error) error {
	if err == nil {
		return nil
	}
	if status := corrections.Status(err); status != http.StatusInternalServerError {
		return refuse(status, "%v", err)
	}
	return err
}

// read reads texts of a form by their names.
func (f fields) read(into map[string]*string) (err error) {
	for name, to := range into {
		if *to, err = f.text(name); err != nil {
			return err
		}
	}
	return nil
}

// libreSuggest serves POST /suggest.
func libreSuggest(c *call) error {
	f, err := libreBody(c)
	if err != nil {
		return err
	}
	if err := c.suggests(); err != nil {
		return err
	}
	var s corrections.Suggestion
	if err := f.read(map[string]*string{"q": &s.Source, "s": &s.Human, "source": &s.From, "target": &s.To}); err != nil {
		return err
	}
	for name, value := range map[string]string{"q": s.Source, "s": s.Human, "source": s.From, "target": s.To} {
		if value == "" {
			return missing(name)
		}
	}
	if _, err := c.suggest(s); err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]bool{"success": true})
}

// ownSuggest serves POST /api/corrections.
func ownSuggest(c *call) error {
	f, err := c.correcting()
	if err != nil {
		return err
	}
	var s corrections.Suggestion
	if err := f.read(map[string]*string{
		"from": &s.From, "to": &s.To, "source": &s.Source, "machine": &s.Machine, "human": &s.Human, "model": &s.Model, "how": &s.How,
		"licence": &s.Licence, "account": &s.Account, "signed": &s.Signed,
	}); err != nil {
		return err
	}
	v, err := c.suggest(s)
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, v)
}

// correcting admits a client, and reads the parameters.
func (c *call) correcting() (fields, error) {
	if err := c.admit(""); err != nil {
		return fields{}, err
	}
	if err := c.suggests(); err != nil {
		return fields{}, err
	}
	return readFields(c.r)
}

// maxCorrections is the most corrections of an answer.
const maxCorrections = 100

// ownCorrections serves GET /api/corrections: those of a state, or all, the newest first, and
// what the budget pays.
func ownCorrections(c *call) error {
	if err := errors.Join(c.admit(""), c.suggests()); err != nil {
		return err
	}
	q := c.r.URL.Query()
	state, from := corrections.State(q.Get("state")), 0
	switch state {
	case "", corrections.Proposed, corrections.Approved, corrections.Rejected:
	default:
		return bad("state %.40q: there are proposed, approved and rejected", state)
	}
	if s := q.Get("from"); s != "" {
		var err error
		if from, err = strconv.Atoi(s); err != nil || from < 0 {
			return bad("from %.40q: give how many of the newest to leave out", s)
		}
	}
	views, all, err := c.g.Corrections.Views(state, from, maxCorrections)
	if err != nil {
		return err
	}
	terms, err := c.g.Corrections.Terms()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"corrections": views, "all": all, "budget": terms.Pricing()})
}

// ownApprove serves POST /api/corrections/{id}/approve. Who has the gateway's token votes as
// the owner of the home, for whom no key is made.
func ownApprove(c *call) error {
	o := corrections.Opinion{Owner: c.hasToken()}
	if err := c.suggests(); err != nil {
		return err
	}
	if !o.Owner {
		if err := c.admit(""); err != nil {
			return err
		}
	}
	f, err := readFields(c.r)
	if err != nil {
		return err
	}
	if err := f.read(map[string]*string{"reason": &o.Reason, "signed": &o.Signed}); err != nil {
		return err
	}
	if o.Approve, err = f.flag("approve"); err != nil {
		return err
	}
	v, err := c.g.Corrections.Decide(c.r.Context(), c.r.PathValue("id"), o, c.person())
	if err != nil {
		return ofPool(err)
	}
	return c.answer(http.StatusOK, v)
}
