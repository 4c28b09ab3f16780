// Package language says in which language a text is written.
//
// The letters' script comes first: Thai letters are Thai. Where several languages share a script, the text
// is in the language in which its letters are most likely: package profile has their statistics, made from
// the sources that LANGUAGES.md names. The answer for a text is the same on every machine, and never
// changes within a Version. A text that fits no language well, or two languages equally, is unknown.
//
//	guess := language.Detect("Der schnelle braune Fuchs springt über den faulen Hund.")
//	fmt.Println(guess.Language, guess.Percent, guess.Script) // de 99 Latn
package language

import (
	_ "embed"
	"slices"
	"sync"

	"golang.org/x/text/unicode/norm"

	"github.com/alia-network/alia/work/language/profile"
)

// Version changes when the answer for any text changes.
const Version = 1

// Guess is what a text looks like.
type Guess struct {
	// Language is a code of Languages, or "" if unknown.
	Language string
	// Percent is how sure the answer is, 0 if unknown and 99 at most. It counts a foreign part of the text,
	// too: a letter that is German but for one English paragraph in four has about 75.
	Percent int
	// Script is the ISO 15924 code of most of the letters, such as "Latn", or "" if there are no letters.
	// For Chinese it is "Hans" (simplified) or "Hant" (traditional), for Japanese "Jpan", for Korean "Kore".
	Script string
}

// An answer is given if its probability is at least likely percent, and at least most percent of the text
// counts for it. At 80 percent, one short text in 50 is given a wrong language, and one in four or three none.
const (
	likely = 80
	most   = 50
)

// Detect says in which of Languages the text is. It reads a sample of a long text: its work is bounded.
// Any bytes will do; those that are no UTF-8 count as spaces.
func Detect(text string) Guess { return detect(text, nil) }

// DetectAmong says in which of the given languages the text is. It tells close languages apart better than
// Detect when only one of them is given, and is unknown for a text in none of them. The codes may have any
// form that Normalise takes; those that Languages lacks count for nothing.
func DetectAmong(text string, languages []string) Guess {
	among := []string{}
	for _, code := range languages {
		among = append(among, Normalise(code))
	}
	return detect(text, among)
}

//go:embed profile.bin
var file []byte

//go:generate go run ./train -sources $SOURCES -out profile.bin

var load = sync.OnceValue(func() profile.Profile {
	p, err := profile.Decode(file)
	if err != nil {
		panic(err) // our own file: the tests read it
	}
	return p
})

// detect answers for all languages if among is nil.
func detect(text string, among []string) Guess {
	r := reading{profile: load()}
	for _, part := range sample(text) {
		r.leftOut += profile.Words(norm.NFC.String(part), r.word)
	}
	r.endPieces()
	script := r.script()
	if script == 0 {
		return Guess{}
	}
	guess := r.guess(script, among)
	if guess.Percent < most || among != nil && !slices.Contains(among, guess.Language) {
		guess.Language, guess.Percent = "", 0
	}
	return guess
}
