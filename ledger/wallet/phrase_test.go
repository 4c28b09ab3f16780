package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"
)

// vectors are the vectors of BIP-39 with 256 bits of entropy that have the simplest
// words (github.com/trezor/python-mnemonic, vectors.json), and one without a pattern.
var vectors = []struct{ seed, phrase string }{
	{strings.Repeat("00", 32), strings.Repeat("abandon ", 23) + "art"},
	{strings.Repeat("7f", 32), strings.Repeat("legal winner thank year wave sausage worth useful ", 2) + "legal winner thank year wave sausage worth title"},
	{strings.Repeat("80", 32), strings.Repeat("letter advice cage absurd amount doctor acoustic avoid ", 2) + "letter advice cage absurd amount doctor acoustic bless"},
	{strings.Repeat("ff", 32), strings.Repeat("zoo ", 23) + "vote"},
	{"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c", "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"},
}

func TestPhrase(t *testing.T) {
	for _, v := range vectors {
		seed, err := hex.DecodeString(v.seed)
		if err != nil {
			t.Fatal(err)
		}
		w := &Wallet{ed25519.NewKeyFromSeed(seed)}
		if got := w.Phrase(); got != v.phrase {
			t.Errorf("phrase of %s is %q, want %q", v.seed, got, v.phrase)
		}
		for _, text := range []string{v.phrase, strings.ToUpper(v.phrase), "  " + strings.ReplaceAll(v.phrase, " ", " \n\t") + "\n"} {
			if again, err := FromPhrase(text); err != nil || again.Account() != w.Account() {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// TestPhraseKey: the phrase stands for the seed of RFC 8032, and for nothing derived
// from it: section 7.1, test 1.
func TestPhraseKey(t *testing.T) {
	seed, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromPhrase((&Wallet{ed25519.NewKeyFromSeed(seed)}).Phrase())
	if err != nil {
		t.Fatal(err)
	}
	account := again.Account()
	if got := hex.EncodeToString(account[:]); got != "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" {
		t.Errorf("the public key is %s", got)
	}
}

func TestWrongPhrase(t *testing.T) {
	good := vectors[4].phrase
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "has 0 words: want 24"},
		"a word too few":    {strings.TrimSuffix(good, " length"), "has 23 words: want 24"},
		"a word too many":   {good + " zoo", "has 25 words: want 24"},
		"no word":           {strings.Replace(good, "dutch", "deutsch", 1), `word 4 of the recovery phrase: "deutsch" is not in the list of words`},
		"misspelt":          {strings.Replace(good, "toddler", "toddlar", 1), `word 10 of the recovery phrase: "toddlar" is not in the list of words: did you mean "toddler"?`},
		"not ASCII":         {strings.Replace(good, "word", "wörd", 1), `word 20 of the recovery phrase: "wörd"`},
		"another word":      {strings.Replace(good, "toddler", "today", 1), "do not fit together"},
		"two words swapped": {strings.Replace(good, "hamster diagram", "diagram hamster", 1), "do not fit together"},
	} {
		if w, err := FromPhrase(c.text); w != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// FuzzPhrase: a text that is taken for a phrase is the phrase of its wallet.
func FuzzPhrase(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.phrase)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := FromPhrase(text)
		if (w == nil) == (err == nil) {
			t.Fatalf("%q: wallet %v, error %v", text, w, err)
		}
		if got := strings.Join(strings.Fields(strings.ToLower(text)), " "); err == nil && w.Phrase() != got {
			t.Errorf("%q is read as %q", got, w.Phrase())
		}
	})
}
