package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// LocalConfig says what a [Local] computes with.
type LocalConfig struct {
	// Dirs are directories of models. Below is a directory with a directory for each
	// model, such as that of a home; "" is none.
	Dirs   []string
	Below  string
	Device kernel.Device
	// Int8 and Shortlist trade quality for speed: with them a model computes another
	// function of the text.
	Int8, Shortlist bool
}

// Local is an engine of this process: the models of this machine on one device. Jobs share
// the device batch by batch, so a short text need not wait for a long one; sentences that
// wait for the same model are translated together. A translation does not depend on what is
// translated beside it.
type Local struct {
	config LocalConfig
	turn   chan struct{} // has an item while nobody computes

	mu     sync.Mutex // guards what follows
	dirs   map[block.Link]string
	opened []*opened // the one used last is the last
	queue  []*ask    // batches that wait, the oldest first
}

// keptModels is how many models stay prepared. A job keeps its own until its end.
const keptModels = 3

// opened is a model that is ready to translate.
type opened struct {
	link block.Link
	*model.Translator
	engine     model.Engine
	arithmetic string
}

// NewLocal returns the engine. It opens a model when the first text is to be translated.
func NewLocal(c LocalConfig) *Local {
	l := &Local{config: c, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// Models lists the models: of each pair of languages the one with the best chrF first, as
// the manifests of their directories say. A directory that has no model, or a damaged one,
// is passed over; it is an error if no other is left.
func (l *Local) Models(ctx context.Context) ([]Model, error) {
	dirs := slices.Clone(l.config.Dirs)
	if l.config.Below != "" {
		entries, err := os.ReadDir(l.config.Below)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list models: %w", err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") { // one that is being written, or was
				dirs = append(dirs, filepath.Join(l.config.Below, e.Name()))
			}
		}
	}
	var all []Model
	var errs []error
	found := map[block.Link]string{}
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := l.describe(dir)
		var codes []string
		if err == nil {
			codes, err = Targets(dir)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, twice := found[m.Link]; !twice {
			found[m.Link] = dir
			all = append(all, m.each(codes)...)
		}
	}
	if len(all) == 0 && len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(all, func(a, b Model) int {
		return strings.Compare(a.Source+" "+a.Target, b.Source+" "+b.Target)
	})
	slices.SortStableFunc(all, func(a, b Model) int {
		if a.Source != b.Source || a.Target != b.Target || a.ChrF == b.ChrF {
			return 0
		}
		if a.ChrF > b.ChrF {
			return -1
		}
		return 1
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirs = found
	return all, nil
}

// Targets returns the languages that the model of a directory can be told to translate into by
// a code; nil if it takes no codes. It reads the vocabulary alone.
func Targets(dir string) ([]string, error) {
	data, err := node.ReadPart(filepath.Join(dir, text.VocabFile), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var codes []string
	if err == nil {
		codes, err = text.VocabTargets(data)
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %s: %w", dir, text.VocabFile, err)
	}
	return codes, nil
}

// describe reads what a model's directory says of it. Only without a manifest, which names
// the model, it reads the parameters.
func (l *Local) describe(dir string) (m Model, err error) {
	var languages struct{ Source, Target string }
	var manifest node.Manifest
	for _, f := range []struct {
		name string
		into any
	}{{model.ConfigFile, &languages}, {node.ManifestFile, &manifest}} {
		data, err := node.ReadPart(filepath.Join(dir, f.name), false)
		if f.name == node.ManifestFile && errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return m, fmt.Errorf("model %s: %w", dir, err)
		}
		if json.Unmarshal(data, f.into) != nil {
			return m, fmt.Errorf("model %s: %s is not JSON, or damaged: get the model again", dir, f.name)
		}
	}
	m.Source, m.Target = languages.Source, languages.Target
	if len(manifest.Tests) > 0 {
		m.ChrF = manifest.Tests[0].ChrF
	}
	if manifest.Model != "" {
		if m.Link, err = block.ParseLink(manifest.Model); err != nil {
			return m, fmt.Errorf("model %s: %s: %w", dir, node.ManifestFile, err)
		}
		return m, nil
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return m, err
	}
	m.Link = t.ID()
	return m, nil
}

// open returns a model that is ready. The caller has the turn: preparing a model takes the
// device.
func (l *Local) open(ctx context.Context, link block.Link) (*opened, error) {
	dir, m := l.known(link)
	if m != nil {
		return m, nil
	}
	if dir == "" { // since the last list, or before the first
		if _, err := l.Models(ctx); err != nil {
			return nil, err
		}
		if dir, _ = l.known(link); dir == "" {
			return nil, fmt.Errorf("this machine has no model %s: `alia model list` prints those in the home", link)
		}
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return nil, err
	}
	if id := t.ID(); id != link {
		return nil, fmt.Errorf("model %s: its files are now of model %s, not of %s: they were changed", dir, id, link)
	}
	m = &opened{link: link, Translator: t, arithmetic: "binary32"}
	e := model.Transformer{Engine: nmt.NewEngine(l.config.Device, t.Model.Config())}
	if l.config.Int8 {
		m.arithmetic = "int8"
	}
	if l.config.Shortlist {
		var sum [sha256.Size]byte
		if e.Shortlist, sum, err = OpenShortlist(dir, t); err != nil {
			return nil, err
		}
		m.arithmetic += fmt.Sprintf(", shortlist %x", sum[:8])
	}
	if err := t.Prepare(l.config.Device, l.config.Int8); err != nil {
		return nil, err
	}
	m.engine = e
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened = append(l.opened, m); len(l.opened) > keptModels {
		l.opened = slices.Delete(l.opened, 0, 1)
	}
	return m, nil
}

// known finds the directory of a model, and the model itself if it is open.
func (l *Local) known(link block.Link) (dir string, m *opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.IndexFunc(l.opened, func(m *opened) bool { return m.link == link }); i >= 0 {
		m = l.opened[i]
		l.opened = append(slices.Delete(l.opened, i, i+1), m)
	}
	return l.dirs[link], m
}

// ShortlistFile is a shortlist in its model's directory.
const ShortlistFile = "shortlist.bin"

// OpenShortlist reads the shortlist of a model in dir. sum is the SHA-256 of its file.
func OpenShortlist(dir string, t *model.Translator) (s *nmt.Shortlist, sum [sha256.Size]byte, err error) {
	path := filepath.Join(dir, ShortlistFile)
	data, err := node.ReadPart(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sum, fmt.Errorf("%s has no %s: build it with alia model shortlist", dir, ShortlistFile)
	} else if err != nil {
		return nil, sum, fmt.Errorf("read shortlist: %w", err)
	}
	if s, err = nmt.ParseShortlist(data, t.Model.Config().Vocab); err != nil {
		return nil, sum, fmt.Errorf("%s: %w", path, err)
	}
	return s, sha256.Sum256(data), nil
}

// Start opens the model. The work is done by [Job.Texts].
func (l *Local) Start(ctx context.Context, r Request) (Job, error) {
	if r.Decoding == (unit.Decoding{}) {
		r.Decoding = unit.Greedy
	}
	g, err := terms.New(r.Terms)
	if err != nil {
		return nil, fmt.Errorf("glossary: %w", err)
	}
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m, err := l.open(ctx, r.Model)
	l.turn <- struct{}{}
	if err != nil {
		return nil, err
	}
	j := &localJob{local: l, model: m, request: r, glossary: g}
	if j.splitter, err = m.Splitter(r.To); err != nil {
		return nil, fmt.Errorf("model %s: %w", r.Model, err)
	}
	for i, t := range r.Texts {
		if _, _, err := j.splitter.Code(t); err != nil {
			return nil, fmt.Errorf("text %d, %.60q: %w", i, t, err)
		}
	}
	return j, j.spell()
}

// Arithmetic names the arithmetic with which a model computes: what its translations depend
// on besides the request.
func (l *Local) Arithmetic(ctx context.Context, link block.Link) (string, error) {
	j, err := l.Start(ctx, Request{Model: link})
	if err != nil {
		return "", err
	}
	return j.(*localJob).model.arithmetic, nil
}

// localJob is a job of a Local. It holds no more of the translation than the texts that are
// being translated.
type localJob struct {
	local   *Local
	model   *opened
	request Request
	// glossary has the terms of the request.
	glossary *terms.Glossary
	splitter *model.Splitter
}

// spell refuses terms that the model cannot write. Without it they were found out in the
// middle of the work, in a batch with the sentences of others.
func (j *localJob) spell() error {
	if len(j.request.Terms) == 0 {
		return nil
	}
	for _, t := range j.request.Texts {
		l, err := j.splitter.Split(t)
		if err != nil {
			return err
		}
		for _, s := range l.Sentences {
			if _, err := model.Spell(j.model.Tokenizer, j.glossary.Of(s)); err != nil {
				return &terms.TermError{Err: fmt.Errorf("%.60q: %w", s, err)}
			}
		}
	}
	return nil
}

// Quote is zero: nobody is paid.
func (j *localJob) Quote() Quote { return Quote{} }

// Settle has nothing to pay.
func (j *localJob) Settle(context.Context) (Receipt, error) { return Receipt{}, nil }

// Close has nothing to release.
func (j *localJob) Close() error { return nil }

// unfinished is a text that is being translated.
type unfinished struct {
	index int
	text.Layout
}

const (
	// together is the most sentences that are translated at a time; first is how many
	// begin a job, so that the first text is there soon.
	together = 64
	first    = 8
)

// Texts translates the texts in their sequence, and yields each once its sentences are done.
func (j *localJob) Texts(ctx context.Context) iter.Seq2[Translated, error] {
	return func(yield func(Translated, error) bool) {
		var texts []unfinished
		var sentences, done []string // of texts: to translate, and translated
		for next, size := 0, first; ; size = min(2*size, together) {
			for len(sentences) < size && next < len(j.request.Texts) {
				layout, err := j.splitter.Split(j.request.Texts[next])
				if err != nil {
					yield(Translated{}, err)
					return
				}
				texts = append(texts, unfinished{next, layout})
				sentences = append(sentences, layout.Sentences...)
				next++
			}
			if len(texts) == 0 {
				return
			}
			n := min(len(sentences), size)
			targets, _ := j.glossary.All(sentences[:n])
			translations, err := j.local.translate(ctx, j.model, j.request.Decoding, sentences[:n], targets)
			if err != nil {
				yield(Translated{}, err)
				return
			}
			sentences, done = slices.Clone(sentences[n:]), append(done, translations...)
			for len(texts) > 0 && len(texts[0].Sentences) <= len(done) {
				t := texts[0]
				n := len(t.Sentences)
				whole, err := t.Join(done[:n])
				texts, done = texts[1:], slices.Clone(done[n:])
				if !yield(Translated{t.index, Clean(whole)}, err) || err != nil {
					return
				}
			}
		}
	}
}
