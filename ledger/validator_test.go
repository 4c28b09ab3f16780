package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol"
)

// member says whether an account is a validator.
func (w *world) member(a protocol.Account) bool {
	return slices.Contains(w.state.Validators().Members, a)
}

// nameOf is the name of a validator in the tests.
func (w *world) nameOf(a protocol.Account) string {
	w.Helper()
	for _, name := range []string{"validator", "v2", "v3", "v4", "v5"} {
		if acct(name) == a {
			return name
		}
	}
	w.Fatalf("a validator without a name: %s", a)
	return ""
}

func TestValidators(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("v2", 1_000_000)
	admit := func(name string) ValidatorVote { return ValidatorVote{Account: acct(name), Admit: true} }
	w.want(NotValidator, "v2", admit("v2"))
	w.want(NoStake, "validator", admit("v2"))
	w.must("v2", Lock{Amount: coin / 2})
	w.refuses(t, []refusal{
		{"admit a validator", Already, "validator", admit("validator"), 0},
		{"expel a stranger", Already, "validator", ValidatorVote{Account: acct("v2")}, 0},
		{"expel the last", NotDue, "validator", ValidatorVote{Account: acct("validator")}, 0},
		{"nobody", Malformed, "validator", ValidatorVote{Admit: true}, 0},
	})
	w.must("validator", admit("v2"))
	if !w.member(acct("v2")) {
		t.Fatal("one of one does not admit")
	}
	// A validator keeps its stake, and its key.
	w.want(NoStake, "v2", Unlock{Amount: coin / 2})
	w.want(NotDue, "v2", Rotate{To: acct("new")})
	w.admit("v3", "v4")
	// More than two thirds decide, once each.
	expel := ValidatorVote{Account: acct("v4")}
	w.must("validator", expel)
	w.want(Already, "validator", expel)
	w.must("v2", expel)
	if !w.member(acct("v4")) {
		t.Fatal("two of four expel")
	}
	w.must("v3", expel)
	if w.member(acct("v4")) || len(w.state.Validators().Ballots) != 0 {
		t.Errorf("validators %+v", w.state.Validators())
	}
	// A validator leaves at once. Its vote counts no longer.
	w.must("v2", admit("v4"))
	w.must("v2", ValidatorVote{Account: acct("v2")})
	if w.member(acct("v2")) {
		t.Fatal("v2 has not left")
	}
	w.must("validator", admit("v4"))
	if w.member(acct("v4")) {
		t.Error("the vote of an account that left counts")
	}
	w.must("v3", admit("v4"))
	if !w.member(acct("v4")) {
		t.Error("two of two do not admit")
	}
	w.must("v2", Unlock{Amount: w.state.Account(acct("v2")).Locked})
}

func TestBallotsExpire(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.admit("v2", "v3", "v4")
	w.must("validator", ValidatorVote{Account: acct("v4")})
	open := w.state.Validators().Ballots
	if len(open) != 1 || open[0].Expires != w.state.height+ballotLife {
		t.Fatalf("ballots %+v", open)
	}
	// The heights between are left out: nothing happens in them.
	d := &draft{base: w.state, height: open[0].Expires, seen: map[string]any{}, done: map[string]any{}}
	d.expire()
	if len(d.validators().Ballots) != 1 {
		t.Error("expired too early")
	}
	d.height++
	d.expire()
	if len(d.validators().Ballots) != 0 {
		t.Error("did not expire")
	}
}

// One validator cannot open so many votes that the others cannot expel it.
func TestBallotsOfOneValidator(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.admit("v2", "v3", "v4")
	opened := 0
	w.earn("guest", 1_000_000)
	for i := range maxBallots {
		guest := fmt.Sprint("guest ", i)
		stake := Collateral(w.state.genesis.Params.Stake, w.state.Supply())
		w.must("guest", Transfer{To: acct(guest), Amount: 2 * stake})
		w.must(guest, Lock{Amount: stake + 1})
		if w.do("v4", ValidatorVote{Account: acct(guest), Admit: true}).Code == OK {
			opened++
		}
	}
	if opened != maxBallots/4 {
		t.Errorf("one of four validators opened %d votes of %d", opened, maxBallots)
	}
	before := w.state
	w.must("v4", ValidatorVote{Account: acct("v4")})
	if v := w.state.Validators(); w.member(acct("v4")) || len(v.Ballots) != 0 {
		t.Errorf("a validator with open votes cannot leave: %+v", v)
	}
	w.state = before
	for _, who := range []string{"validator", "v2", "v3"} {
		w.must(who, ValidatorVote{Account: acct("v4")})
	}
	if v := w.state.Validators(); w.member(acct("v4")) || len(v.Ballots) != 0 {
		t.Errorf("validators %+v", v)
	}
}

func TestBallotsAndMembersAreBounded(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.admit("v2", "v3", "v4")
	v := w.state.Validators()
	for i := range maxBallots {
		v.Ballots = append(v.Ballots, Ballot{Account: acct(fmt.Sprint(i)), Admit: true, Expires: 1e9})
	}
	full := w.with(Change{ValidatorsKey(), encode(v)})
	tx := w.tx("validator", ValidatorVote{Account: acct("v4")})
	if got := full.Check(tx); got.Code != Busy {
		t.Errorf("%d ballots: %v", maxBallots, got)
	}
	v.Ballots = nil
	for i := range MaxValidators {
		v.Members = append(v.Members, acct(fmt.Sprint(i)))
	}
	full = w.with(Change{ValidatorsKey(), encode(v)})
	if got := full.Check(w.tx("validator", ValidatorVote{Account: acct("v5"), Admit: true})); got.Code != Busy {
		t.Errorf("%d validators: %v", len(v.Members), got)
	}
}

// with is the world's state with a change that no transaction made.
func (w *world) with(changes ...Change) *State {
	return &State{net: w.state.net, genesis: w.state.genesis, height: w.state.height, tree: w.state.tree.update(changes)}
}

// Who signs two blocks of one height loses all that it has locked, and its place.
func TestDoubleSigning(t *testing.T) {
	p := LocalParams()
	p.Unlock = 30
	w := newWorld(t, p)
	w.earn("v2", 1_000_000)
	w.admit("v2", "v3")
	w.must("v2", Lock{Amount: 1000})
	w.must("v2", Unlock{Amount: 500})
	a := w.state.Account(acct("v2"))
	lost := a.Locked + a.Unlocks[0].Amount
	before := w.state.Supply()
	w.block(Block{DoubleSigned: []protocol.Account{acct("v2"), acct("v2"), acct("stranger")}})
	a = w.state.Account(acct("v2"))
	books := w.state.Supply()
	if w.member(acct("v2")) || a.Locked != 0 || len(a.Unlocks) != 0 || books.Burned != before.Burned+lost || books.Locked != before.Locked-lost {
		t.Errorf("v2 %+v, books %+v", a, books)
	}
	// Who has left can still be punished, and does not get away by replacing its key.
	w.must("v3", ValidatorVote{Account: acct("v3")})
	left := w.state.height
	w.want(NotDue, "v3", Rotate{To: acct("new")})
	if !slices.Contains(w.state.Validators().Punishable(), acct("v3")) {
		t.Error("who has left cannot be punished")
	}
	locked := w.state.Account(acct("v3")).Locked
	w.must("v3", Unlock{Amount: locked})
	burned := w.state.Supply().Burned
	w.block(Block{DoubleSigned: []protocol.Account{acct("v3")}})
	if got := w.state.Supply().Burned - burned; got != locked {
		t.Errorf("burned %d of %d", got, locked)
	}
	w.wait(left + p.Unlock)
	w.apply()
	if got := w.state.Validators().Punishable(); len(got) != 1 {
		t.Errorf("punishable are %d accounts", len(got))
	}
	w.must("v3", Rotate{To: acct("new")})
	// The last validator stays, without its stake: somebody must make the heights.
	w.block(Block{DoubleSigned: []protocol.Account{acct("validator")}})
	if !w.member(acct("validator")) {
		t.Error("the last validator is gone")
	}
}
