package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/alia-network/alia/ledger/wallet"
)

// phraseNote says where the recovery phrase is when it has not been shown.
const phraseNote = "the account's recovery phrase is not shown: `alia wallet phrase` prints it, to be kept on paper"

// showPhrase has the person at the terminal write down the recovery phrase of a wallet
// that was just made. Where nobody is there, or a program reads the output, it says how to
// see the phrase.
func (a *app) showPhrase(ctx context.Context, w *wallet.Wallet, skip bool) error {
	c, err := a.person()
	if err != nil {
		return err
	}
	if skip || c == nil || a.json || a.events {
		a.note(phraseNote)
		return nil
	}
	err = c.teach(ctx, w)
	if errors.As(err, new(interruption)) {
		return interruption{"the wallet is made, but its recovery phrase is not confirmed: `alia wallet phrase` prints it"}
	}
	return err
}

// asked is the number of words that a person gives to show that the phrase is on paper.
const asked = 3

// teach shows a wallet's recovery phrase until it is written down, and asks for some of
// its words. Then the phrase is gone from the screen.
func (c *console) teach(ctx context.Context, w *wallet.Wallet) error {
	words := strings.Fields(w.Phrase())
	defer c.page()()
	for {
		c.clear()
		fmt.Fprintf(c, "These %d words are the recovery phrase of account\n%s\n\n", len(words), w.Account())
		fmt.Fprintf(c, "Write them on paper, in this order. They bring the account back when this\nmachine is lost. Whoever has them has the account.\n\n%s\n", numbered(words))
		if _, err := c.ask(ctx, "Press Enter when they are on paper: they vanish, and some are asked for. ", false); err != nil {
			return err
		}
		c.clear()
		right, err := c.examine(ctx, words)
		if err != nil || right {
			return err
		}
	}
}

// examine asks for some of the words. It reports whether all answers are right.
func (c *console) examine(ctx context.Context, words []string) (bool, error) {
	places := rand.Perm(len(words))[:asked]
	slices.Sort(places)
	for _, i := range places {
		word, err := c.ask(ctx, fmt.Sprintf("Word %d of the phrase: ", i+1), false)
		if err != nil {
			return false, err
		}
		if strings.ToLower(strings.TrimSpace(word)) != words[i] {
			_, err := c.ask(ctx, "Another word stands there. Press Enter to see the phrase again. ", false)
			return false, err
		}
	}
	return true, nil
}

// columns is the number of words in a row of a phrase.
const columns = 4

// numbered writes words with their places, row by row.
func numbered(words []string) string {
	var b strings.Builder
	for i, word := range words {
		if fmt.Fprintf(&b, "%4d %-9s", i+1, word); i%columns == columns-1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// readPhrase has the person at the terminal type a recovery phrase, on one line or on
// several. A line with a word that is in no phrase is asked for again.
func (c *console) readPhrase(ctx context.Context) (*wallet.Wallet, error) {
	fmt.Fprintf(c, "Type the %d words of the recovery phrase in their order, a few or all on a line.\n", wallet.PhraseWords)
	var words []string
	for {
		line, err := c.ask(ctx, fmt.Sprintf("From word %d on: ", len(words)+1), false)
		if err != nil {
			return nil, err
		}
		more := strings.Fields(line)
		if err := checkWords(words, more); err != nil {
			fmt.Fprintf(c, "%v: type this line again\n", err)
			continue
		}
		if words = append(words, more...); len(words) < wallet.PhraseWords {
			continue
		}
		w, err := wallet.FromPhrase(strings.Join(words, " "))
		if err == nil {
			return w, nil
		}
		fmt.Fprintf(c, "%v: type all words again\n", err)
		words = nil
	}
}

// checkWords says what is wrong with words that follow those typed before.
func checkWords(before, more []string) error {
	for i, word := range more {
		if err := wallet.CheckWord(word); err != nil {
			return fmt.Errorf("word %d: %w", len(before)+i+1, err)
		}
	}
	if n := len(before) + len(more); n > wallet.PhraseWords {
		return fmt.Errorf("with this line the phrase has %d words, and it has %d", n, wallet.PhraseWords)
	}
	return nil
}
