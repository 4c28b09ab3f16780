package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/term"

	"github.com/alia-network/alia/ledger/wallet"
)

// someone is a terminal with a person at it, who answers each prompt by what the screen
// shows.
type someone struct {
	shown  strings.Builder // everything
	screen string          // since the last answer
	answer func(screen string) string
	keys   string // typed and not yet read
}

func (s *someone) Write(p []byte) (int, error) {
	s.screen += string(p)
	return s.shown.Write(p)
}

func (s *someone) Read(p []byte) (int, error) {
	if s.keys == "" {
		s.keys, s.screen = s.answer(s.screen), ""
	}
	n := copy(p, s.keys)
	s.keys = s.keys[n:]
	return n, nil
}

// consoleOf is a console with somebody at it.
func consoleOf(terminal io.ReadWriter) *console {
	return &console{term: term.NewTerminal(terminal, ""), raw: func() (func() error, error) { return func() error { return nil }, nil }}
}

var (
	shownWord = regexp.MustCompile(` *([0-9]+) ([a-z]+) +`)
	askedWord = regexp.MustCompile(`Word ([0-9]+) of the phrase: `)
)

// TestTeach: a person who writes the phrase down and answers right is done. One who errs
// sees the phrase again. In the end it is gone from the screen.
func TestTeach(t *testing.T) {
	w := wallet.New()
	for name, mistakes := range map[string]int{"right": 0, "wrong once": 1, "wrong three times": 3} {
		paper := map[string]string{} // the words by their places, as written down
		left, pages := mistakes, 0
		questions := map[string]int{} // by place, since the phrase was shown
		s := &someone{answer: func(screen string) string {
			asks := askedWord.FindStringSubmatch(screen)
			switch {
			case strings.Contains(screen, "Press Enter when"):
				pages++
				clear(questions)
				for _, m := range shownWord.FindAllStringSubmatch(screen, -1) {
					paper[m[1]] = m[2]
				}
				return "\r"
			case asks == nil:
				return "\r"
			}
			questions[asks[1]]++
			if left > 0 && len(questions) == asked { // the last of them
				left--
				return "no word\r"
			}
			return " " + strings.ToUpper(paper[asks[1]]) + "\r"
		}}
		if err := consoleOf(s).teach(t.Context(), w); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if pages != mistakes+1 {
			t.Errorf("%s: the phrase was shown %d times, want %d", name, pages, mistakes+1)
		}
		if len(questions) != asked {
			t.Errorf("%s: asked for the words at %v, want %d", name, questions, asked)
		}
		for i, word := range strings.Fields(w.Phrase()) {
			if paper[strconv.Itoa(i+1)] != word {
				t.Errorf("%s: word %d is shown as %q, want %q", name, i+1, paper[strconv.Itoa(i+1)], word)
			}
		}
		shown := s.shown.String()
		if !strings.HasPrefix(shown, "\x1b[?1049h") || !strings.HasSuffix(shown, "\x1b[?1049l") {
			t.Errorf("%s: the phrase stays on the screen: %q", name, shown)
		}
	}
}

// TestLeave: Ctrl-C and Ctrl-D at a question interrupt the command, and so does its end.
func TestLeave(t *testing.T) {
	for name, key := range map[string]string{"Ctrl-C": "\x03", "Ctrl-D": "\x04"} {
		answers := []string{"\r", key}
		s := &someone{answer: func(string) string {
			next := answers[0]
			answers = answers[1:]
			return next
		}}
		if err := consoleOf(s).teach(t.Context(), wallet.New()); !errors.As(err, new(interruption)) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasSuffix(s.shown.String(), "\x1b[?1049l") {
			t.Errorf("%s: the phrase stays on the screen", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	defer close(gone)
	s := &someone{answer: func(string) string { cancel(); <-gone; return "\r" }}
	if _, err := consoleOf(s).ask(ctx, "Password: ", true); !errors.As(err, new(interruption)) {
		t.Errorf("the command ends: %v", err)
	}
}

// TestSecret: a password is not shown, and another text is.
func TestSecret(t *testing.T) {
	for _, secret := range []bool{true, false} {
		s := &someone{answer: func(string) string { return "sesame\r" }}
		if got, err := consoleOf(s).ask(t.Context(), "Password: ", secret); got != "sesame" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if shown := s.shown.String(); strings.Contains(shown, "sesame") == secret || !strings.Contains(shown, "Password: ") {
			t.Errorf("secret %v: the screen shows %q", secret, shown)
		}
	}
}
