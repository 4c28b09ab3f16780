package wallet

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

// PhraseWords is the number of words in a recovery phrase: 256 bits of key and 8 bits
// of checksum, 11 bits in a word (BIP-39).
const PhraseWords = 24

// Phrase returns the wallet's recovery phrase: 24 English words with a space between
// two. They encode the key's seed as BIP-39 encodes entropy. The steps that BIP-39 and
// SLIP-0010 have after that, which derive many keys, are left out: so the phrase of
// every wallet can be computed from its key, and nothing besides the key is kept.
// Other programs derive other accounts from the same words.
func (w *Wallet) Phrase() string {
	phrase, err := bip39.NewMnemonic(w.key.Seed())
	if err != nil {
		panic(fmt.Sprintf("phrase of a seed of %d bytes: %v", ed25519.SeedSize, err)) // it takes 32 bytes
	}
	return phrase
}

// FromPhrase makes the wallet of a recovery phrase. Any white space may stand between
// words, and letters may be capital. The error names the first word that is not in the
// list of BIP-39.
func FromPhrase(text string) (*Wallet, error) {
	words := strings.Fields(strings.ToLower(text))
	for i, word := range words {
		if err := CheckWord(word); err != nil {
			return nil, fmt.Errorf("word %d of the recovery phrase: %w", i+1, err)
		}
	}
	if len(words) != PhraseWords {
		return nil, fmt.Errorf("the recovery phrase has %d words: want %d", len(words), PhraseWords)
	}
	seed, err := bip39.EntropyFromMnemonic(strings.Join(words, " "))
	if err != nil {
		return nil, errors.New("the words of the recovery phrase do not fit together: a word is another, or two have changed places (the checksum does not match)")
	}
	return &Wallet{ed25519.NewKeyFromSeed(seed)}, nil
}

// CheckWord says what is wrong with one word of a recovery phrase, in any case of its
// letters.
func CheckWord(word string) error {
	word = strings.ToLower(word)
	if _, ok := bip39.GetWordIndex(word); ok {
		return nil
	}
	// No two words of the list begin with the same four letters.
	if len(word) >= 4 {
		for _, w := range bip39.GetWordList() {
			if strings.HasPrefix(w, word[:4]) {
				return fmt.Errorf("%q is not in the list of words: did you mean %q?", word, w)
			}
		}
	}
	return fmt.Errorf("%q is not in the list of words", word)
}
