package engine

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// Jobs share the device without a goroutine of its own: who has the turn translates for all
// that wait, one batch, and hands the turn on.

// ask is sentences of one job that wait for their translation.
type ask struct {
	model     *opened
	decoding  unit.Decoding
	sentences []string
	targets   [][]string // for each sentence, the terms that its translation must contain

	done         chan struct{} // closed when what follows is set
	translations []string
	err          error
}

// translate translates sentences, at most together, as part of a batch. targets are the
// terms of each.
func (l *Local) translate(ctx context.Context, m *opened, d unit.Decoding, sentences []string, targets [][]string) ([]string, error) {
	if len(sentences) == 0 {
		return nil, ctx.Err()
	}
	a := &ask{model: m, decoding: d, sentences: sentences, targets: targets, done: make(chan struct{})}
	l.mu.Lock()
	l.queue = append(l.queue, a)
	l.mu.Unlock()
	for {
		// Without this an ask whose turn and whose end come together might compute on.
		if ctx.Err() != nil {
			l.withdraw(a)
			return nil, ctx.Err()
		}
		select {
		case <-a.done:
			return a.translations, a.err
		case <-ctx.Done():
		case <-l.turn:
			l.compute(l.batch())
			l.turn <- struct{}{}
		}
	}
}

// withdraw takes an ask from the queue. One that is being translated already is finished,
// and nobody takes it.
func (l *Local) withdraw(a *ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, a); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
}

// batch takes the oldest ask from the queue, and those that can be translated with it.
func (l *Local) batch() (all []*ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := together
	l.queue = slices.DeleteFunc(l.queue, func(a *ask) bool {
		fits := len(all) == 0 || a.model == all[0].model && a.decoding == all[0].decoding && len(a.sentences) <= room
		if fits {
			room -= len(a.sentences)
			all = append(all, a)
		}
		return fits
	})
	return all
}

// compute translates a batch.
func (l *Local) compute(all []*ask) {
	if len(all) == 0 { // another caller's turn took the last
		return
	}
	var sentences []string
	var targets [][]string
	for _, a := range all {
		sentences, targets = append(sentences, a.sentences...), append(targets, a.targets...)
	}
	m := all[0].model
	translations, err := func() (out []string, err error) {
		defer kernel.Recover(&err)
		return m.TranslateText(m.engine, unit.NewText(sentences, targets), all[0].decoding)
	}()
	for _, a := range all {
		if a.err = err; err == nil {
			a.translations, translations = translations[:len(a.sentences):len(a.sentences)], translations[len(a.sentences):]
		}
		close(a.done)
	}
}

// Clean replaces in a translation what a document or a terminal should not get from a model:
// bytes that are not UTF-8, and control characters but white space.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
