package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/text"
)

// Targets returns the languages, as the model's codes name them, that a model with several
// target languages can be told to translate into; nil if it takes no codes.
func (h *Head) Targets() []string {
	if t, ok := h.Tokenizer.(interface{ Targets() []string }); ok {
		return t.Targets()
	}
	return nil
}

// Splitter divides texts into the sentences that a model translates: by the rules of its
// source language, each short enough for it, and each with the code of the target language
// if the model takes codes.
type Splitter struct {
	head    *Head
	targets []string // see Head.Targets
	code    string   // of texts without one, such as ">>fra<<"; "" is none
}

// Splitter returns a splitter of texts that are translated into a language, such as "fr",
// "fra" or "zh-Hant"; "" is the model's only one. It fails if the model takes codes, and has
// none for the language. A model without codes translates into its own language, whatever the
// name of that. The target of the model itself, such as "mul", leaves the choice to the texts:
// each begins with a code of its own.
func (h *Head) Splitter(to string) (*Splitter, error) {
	s := &Splitter{head: h, targets: h.Targets()}
	if len(s.targets) == 0 {
		return s, nil
	}
	own := to == "" || text.Tag(to) == text.Tag(h.Model.Target)
	if to == "" {
		to = h.Model.Target
	}
	code := target(s.targets, to)
	switch {
	case code != "":
		s.code = ">>" + code + "<<"
	case !own:
		return nil, fmt.Errorf("the model does not translate into %s: it has %s", to, list(s.targets))
	}
	return s, nil
}

// target finds the code of a language: itself, or one of the same language, or the only one
// of the same language in another script or region.
func target(targets []string, to string) string {
	for _, same := range []func(code string) bool{
		func(code string) bool { return code == to },
		func(code string) bool { return text.Tag(code) == text.Tag(to) },
	} {
		if i := slices.IndexFunc(targets, same); i >= 0 {
			return targets[i]
		}
	}
	found := ""
	for _, code := range targets {
		if text.Short(code) == text.Short(to) {
			if found != "" {
				return "" // which of them?
			}
			found = code
		}
	}
	return found
}

// list is a list of the codes, for an error.
func list(targets []string) string { return strings.Join(targets, ", ") }

// Language is the language by whose rules texts are divided.
func (s *Splitter) Language() string { return s.head.Model.Source }

// Code returns the code of a text, such as a line, and the text without it. It is the one with
// which the text begins, or that of the splitter's language. It fails for a code that the model
// does not have, and where there is none of several.
func (s *Splitter) Code(t string) (code, rest string, err error) {
	if len(s.targets) == 0 {
		return "", t, nil
	}
	code, rest = text.Code(t)
	if code != "" {
		switch name := code[2 : len(code)-2]; {
		case slices.Contains(s.targets, name):
			return code, strings.TrimLeft(rest, " "), nil
		case name != "" && len(name) <= maxCode && strings.Trim(name, codeLetters) == "":
			return "", t, fmt.Errorf("the text begins with the code %s, which the model does not have: it has %s", code, list(s.targets))
		}
	}
	if s.code == "" && len(s.targets) > 1 && text.HasLetters(t) { // without letters it is copied
		return "", t, fmt.Errorf("the model has several languages to translate into: name one (--to), or begin each text with a code such as >>%s<<; it has %s", s.targets[0], list(s.targets))
	}
	return s.code, t, nil
}

// Source returns a source that a model is trained on: with the code of the splitter's language
// in front, unless it begins with a code of the model. Other text in the form of a code is
// text. It fails where there is no code to give.
func (s *Splitter) Source(t string) (string, error) {
	if len(s.targets) == 0 {
		return t, nil
	}
	if code, _ := text.Code(t); code != "" && slices.Contains(s.targets, code[2:len(code)-2]) {
		return t, nil
	}
	if s.code == "" && len(s.targets) > 1 {
		return "", fmt.Errorf("the model has several languages to translate into, and the source %.40q begins with the code of none: name one (--tgt), or begin each source with a code such as >>%s<<; it has %s", t, s.targets[0], list(s.targets))
	}
	if s.code == "" {
		return t, nil
	}
	return s.code + " " + t, nil
}

// What looks like a code: other text between ">>" and "<<" is text.
const (
	maxCode     = 16 // bytes
	codeLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-@"
)

// Split divides a text.
func (s *Splitter) Split(t string) (text.Layout, error) {
	code, rest, err := s.Code(t)
	if err != nil {
		return text.Layout{}, err
	}
	return text.Split(s.Language(), rest).Coded(code).Fit(s.head.Fits), nil
}
