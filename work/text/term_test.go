package text

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// speller is a tokenizer whose Spell is under test.
type speller interface {
	Spell(s string) (spaced, bare []int32)
	Edges() (joins, opens []bool)
	Target(s string) []int32
	Decode(ids []int32) string
	Pieces() int
}

func spellers(t *testing.T) map[string]speller {
	t.Helper()
	bpe, err := Train(slices.Values([]string{"the cat sat on the mat", "das ist die Ähre, die", "  two  spaces"}), 300)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]speller{"bpe": bpe, "marian": marian(t)}
}

// TestSpell: the spaced ids are those of the text alone, and the bare ids go directly behind
// other characters.
func TestSpell(t *testing.T) {
	for name, tok := range spellers(t) { // order-free: independent cases
		for _, s := range []string{"the", "the cat", "cat 17", "猫", "t", ""} {
			spaced, bare := tok.Spell(s)
			if !slices.Equal(spaced, tok.Target(s)) {
				t.Errorf("%s: %q is spelt %v, want %v", name, s, spaced, tok.Target(s))
			}
			behind, _ := tok.Spell("the")
			behind = slices.Clone(behind)
			if len(bare) > 0 && tok.Decode(spaced) == s {
				if got := tok.Decode(append(behind, bare...)); got != "the"+s {
					t.Errorf("%s: the bare ids of %q behind \"the\" give %q", name, s, got)
				}
			}
			if name == "bpe" && len(bare) == 0 && s != "" {
				t.Errorf("a BPE has no bare ids of %q", s)
			}
		}
	}
}

// TestSpellBPE: whatever the text, both spellings give it back.
func TestSpellBPE(t *testing.T) {
	tok := spellers(t)["bpe"]
	rapid.Check(t, func(t *rapid.T) {
		s := Normalize(rapid.String().Draw(t, "text"))
		spaced, bare := tok.Spell(s)
		if got := tok.Decode(spaced); got != s {
			t.Fatalf("%q with a space is %q", s, got)
		}
		if got := tok.Decode(bare); got != s {
			t.Fatalf("%q without a space is %q", s, got)
		}
	})
}

func TestInWord(t *testing.T) {
	for _, r := range "azAZ09äßéЖשع한कªµ" {
		if r != 'ª' && r != 'µ' && !InWord(r) { // those two are below the letters of Pattern
			t.Errorf("%q is in no word", r)
		}
	}
	for _, r := range " .,-'„“_\u00a0猫ネねแລខမབ。「ｶ" {
		if InWord(r) {
			t.Errorf("%q is in a word", r)
		}
	}
}

func TestEdges(t *testing.T) {
	joins, opens := Edges([]string{"", "a", " a", "a ", " ", "(", "-a", "\xc3", "\xa4b", "猫", "b\xe7"})
	if want := []bool{true, true, false, true, false, false, false, true, true, false, true}; !slices.Equal(joins, want) {
		t.Errorf("joins are %v, want %v", joins, want)
	}
	if want := []bool{false, false, false, true, true, true, false, false, false, true, false}; !slices.Equal(opens, want) {
		t.Errorf("opens are %v, want %v", opens, want)
	}
	for name, tok := range spellers(t) { // order-free: independent cases
		joins, opens := tok.Edges()
		if len(joins) != tok.Pieces() || len(opens) != tok.Pieces() {
			t.Errorf("%s: %d and %d edges of %d pieces", name, len(joins), len(opens), tok.Pieces())
		}
		for _, word := range strings.Fields("the cat sat") {
			if spaced, bare := tok.Spell(word); joins[spaced[0]] || len(bare) > 0 && !joins[bare[0]] {
				t.Errorf("%s: the first tokens of %q join %v", name, word, joins[spaced[0]])
			}
		}
	}
}
