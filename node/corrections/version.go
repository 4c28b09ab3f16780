package corrections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/text"
)

// A version of a corpus is a directory that alia train reads: line-aligned files, with two
// files more. corrections.txt has the signed corrections that were added, those of earlier
// versions first, each version's by its CID. version.json names the version, its parent and
// the authors. The version's CID is that of its record, which names the bytes of all texts.
const (
	versionFile = "version.json"
	signedFile  = "corrections.txt"
)

// Version is the record of a version of a corpus. The pool's order of events leaves no
// trace in it: the same base and the same corrections give the same CID in every home.
type Version struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target string
	Parent         block.Link // the version that this one continues; none: it is the first
	Base           block.Link // the corpus that the first version began with; none: corrections alone
	Corpus         block.Link // the corpus record: what alia train trains on
	Corrections    block.Link // the bytes of corrections.txt
}

// CID names the version.
func (v Version) CID() (block.Link, error) {
	data, err := block.Encode(v)
	return protocol.ID(data), err
}

// Description is version.json.
type Description struct {
	Version     string         `json:"version"` // CID of what follows until corrections
	Source      string         `json:"source"`
	Target      string         `json:"target"`
	Parent      string         `json:"parent,omitempty"`
	Base        string         `json:"base,omitempty"`
	Corpus      string         `json:"corpus"`
	Corrections string         `json:"corrections"`
	Corrected   int            `json:"corrected"` // pairs that people made
	Licences    map[string]int `json:"licences"`  // and how many of them have it
	Authors     []Author       `json:"authors"`
}

// Author is who made corrections of a version.
type Author struct {
	Account     protocol.Account `json:"account"`
	Name        string           `json:"name,omitempty"` // for whom the account spoke
	Corrections int              `json:"corrections"`
	Licences    []string         `json:"licences"`
}

// record is the version that a manifest claims.
func (m Description) record() (v Version, err error) {
	v = Version{Version: 1, Source: m.Source, Target: m.Target}
	for _, f := range []struct {
		to   *block.Link
		text string
	}{{&v.Parent, m.Parent}, {&v.Base, m.Base}, {&v.Corpus, m.Corpus}, {&v.Corrections, m.Corrections}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = block.ParseLink(f.text); err != nil {
			return v, err
		}
	}
	return v, nil
}

func textOf(l block.Link) string {
	if !l.Defined() {
		return ""
	}
	return l.String()
}

// Exported is a version that was written.
type Exported struct {
	Description
	Dir     string    `json:"dir"`
	Added   int       `json:"added"` // corrections that the parent has not
	LeftOut []LeftOut `json:"left_out"`
}

// LeftOut is an approved correction that a version has not.
type LeftOut struct {
	ID  block.Link `json:"id"`
	Why string     `json:"why"`
}

// Export writes a version of a corpus into a new directory: base, which is a corpus or an
// earlier version, and all approved corrections of its languages. An empty base is none.
func (p *Pool) Export(ctx context.Context, out, base, src, tgt string) (x Exported, err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return x, fmt.Errorf("export corrections: %s exists: choose another --out", out)
	}
	all, err := p.List(Approved)
	if err != nil {
		return x, err
	}
	c, v, signed, err := p.beginning(ctx, base, src, tgt, all)
	if err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	var lines []byte
	x.LeftOut = []LeftOut{}
	lines, x.Added, x.LeftOut = extend(c, all, signed)
	if x.Added == 0 {
		return x, fmt.Errorf("export corrections: no approved correction from %s to %s is new (%d are left out): `alia corrections list` shows those that wait for a review", c.Source, c.Target, len(x.LeftOut))
	}
	lines = append(slices.Clone(signed), lines...)
	v.Corrections = block.Link{Cid: block.Sum(block.Raw, lines)}
	// The directory gets its name when all of it is durable.
	if err := disk.MakeDir(p.Disk, filepath.Dir(out)); err != nil {
		return x, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(out), ".corrections-*")
	if err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := writeCorpus(p.Disk, tmp, c, lines); err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	if v.Corpus, _, err = readCorpus(ctx, tmp, c.Source, c.Target); err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	if x.Description, err = manifest(v, lines); err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	data, err := json.MarshalIndent(x.Description, "", "  ")
	if err == nil {
		err = disk.WriteFile(p.Disk, filepath.Join(tmp, versionFile), append(data, '\n'))
	}
	if err == nil {
		err = os.Chmod(tmp, 0o755)
	}
	if err == nil {
		err = os.Rename(tmp, out)
	}
	if err == nil {
		err = disk.SyncPath(p.Disk, filepath.Dir(out))
	}
	if err == nil {
		x.Dir, err = filepath.Abs(out)
	}
	if err == nil {
		err = p.remember(x.Version, x.Dir)
	}
	if err != nil {
		return x, fmt.Errorf("export corrections: %w", err)
	}
	return x, nil
}

// beginning is what a new version adds to: an earlier version with its corrections, another
// corpus, or nothing.
func (p *Pool) beginning(ctx context.Context, base, src, tgt string, all []Item) (c *corpus.Corpus, v Version, signed []byte, err error) {
	v.Version = 1
	if base == "" {
		if src, tgt, err = pair(all, src, tgt); err != nil {
			return nil, v, nil, err
		}
		v.Source, v.Target = src, tgt
		return &corpus.Corpus{Source: src, Target: tgt}, v, nil, nil
	}
	if _, err := os.Stat(filepath.Join(base, versionFile)); err == nil {
		m, lines, err := ReadVersion(ctx, base)
		if err != nil {
			return nil, v, nil, err
		}
		if src != "" && src != m.Source || tgt != "" && tgt != m.Target {
			return nil, v, nil, fmt.Errorf("%s is a corpus from %s to %s", base, m.Source, m.Target)
		}
		if v, err = m.record(); err != nil {
			return nil, v, nil, err
		}
		if v.Parent, err = v.CID(); err != nil {
			return nil, v, nil, err
		}
		signed, src, tgt = lines, m.Source, m.Target
	}
	if c, _, err = corpus.Open(base, corpus.Selection{Source: src, Target: tgt}); err == nil {
		err = c.Load()
	}
	if err != nil {
		return nil, v, nil, err
	}
	v.Source, v.Target = c.Source, c.Target
	if signed == nil {
		v.Base, err = run.PutCorpus(ctx, new(block.MemoryStore), c)
	}
	return c, v, signed, err
}

// pair is the one pair of languages of corrections, or that which is named.
func pair(all []Item, src, tgt string) (string, string, error) {
	found := map[string]bool{}
	for _, e := range all {
		if (src == "" || src == e.Record.Src) && (tgt == "" || tgt == e.Record.Dst) {
			found[e.Record.Src+" "+e.Record.Dst] = true
		}
	}
	list := slices.Sorted(maps.Keys(found))
	switch {
	case len(list) == 1:
		src, tgt, _ = strings.Cut(list[0], " ")
		return src, tgt, nil
	case len(list) == 0:
		return "", "", errors.New("no correction of these languages is approved")
	}
	return "", "", fmt.Errorf("there are corrections of %d pairs of languages (%s): name one with --src and --tgt", len(list), strings.Join(list, "; "))
}

// extend adds approved corrections to a corpus, by their CIDs, and returns the lines of
// those added. What cleaning would drop, and what validation or a test asks for, is left out.
func extend(c *corpus.Corpus, all []Item, signed []byte) (lines []byte, added int, left []LeftOut) {
	left = []LeftOut{}
	had := map[block.Link]bool{}
	for line := range bytes.Lines(signed) {
		if e, err := parseLine(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
			had[protocol.ID(e.data)] = true
		}
	}
	held, known := map[string]bool{}, map[corpus.Pair]bool{}
	for _, pairs := range append([]corpus.Split{{Pairs: c.Valid}}, c.Tests...) {
		for _, p := range pairs.Pairs {
			held[text.Normalize(p.Source)] = true
		}
	}
	for _, p := range c.Train {
		known[p] = true
	}
	all = slices.DeleteFunc(slices.Clone(all), func(e Item) bool {
		return e.Record.Src != c.Source || e.Record.Dst != c.Target || had[e.ID]
	})
	slices.SortFunc(all, func(a, b Item) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	// The lengths are compared as they are when the version is read.
	pairs := slices.Clone(c.Train)
	for _, e := range all {
		pairs = append(pairs, correctedPair(e))
	}
	weights := corpus.Learn(slices.Values(pairs))
	for _, e := range all {
		p := correctedPair(e)
		switch rule := weights.Drops(p); {
		case rule != 0:
			left = append(left, LeftOut{e.ID, "training takes no such pair: " + rule.Text()})
		case held[p.Source]:
			left = append(left, LeftOut{e.ID, "its source is in the validation or a test, which no training may see"})
		case known[p]:
			left = append(left, LeftOut{e.ID, "the corpus has the pair already"})
		default:
			known[p] = true
			c.Train = append(c.Train, p)
			lines = appendLine(lines, entry{kindCorrection, e.payload})
			added++
		}
	}
	return lines, added, left
}

// correctedPair is the training pair of a correction.
func correctedPair(e Item) corpus.Pair {
	return corpus.Pair{Source: text.Normalize(e.Record.Source), Target: text.Normalize(e.Record.Human)}
}

// writeCorpus writes the files of a corpus into a directory.
func writeCorpus(d disk.Syncer, dir string, c *corpus.Corpus, signed []byte) error {
	var paths []string
	write := func(name string, data []byte) error {
		paths = append(paths, filepath.Join(dir, name))
		return os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	err := write(signedFile, signed)
	for _, s := range append([]corpus.Split{{Name: "train", Pairs: c.Train}, {Name: "val", Pairs: c.Valid}}, c.Tests...) {
		if len(s.Pairs) == 0 {
			continue
		}
		sources, targets := corpus.Sides(s.Pairs)
		err = errors.Join(err, write(s.Name+"."+c.Source, []byte(strings.Join(sources, "\n")+"\n")), write(s.Name+"."+c.Target, []byte(strings.Join(targets, "\n")+"\n")))
	}
	if err != nil {
		return err
	}
	return disk.SyncAll(d, paths, []string{dir})
}

// readCorpus reads the corpus in a directory, and names it as a run does.
func readCorpus(ctx context.Context, dir, src, tgt string) (block.Link, *corpus.Corpus, error) {
	c, _, err := corpus.Open(dir, corpus.Selection{Source: src, Target: tgt})
	if err == nil {
		err = c.Load()
	}
	if err != nil {
		return block.Link{}, nil, err
	}
	l, err := run.PutCorpus(ctx, new(block.MemoryStore), c)
	return l, c, err
}

// manifest describes a version whose record and corrections are known. Each correction must
// be signed.
func manifest(v Version, signed []byte) (Description, error) {
	id, err := v.CID()
	if err != nil {
		return Description{}, err
	}
	m := Description{
		Version: id.String(), Source: v.Source, Target: v.Target, Parent: textOf(v.Parent), Base: textOf(v.Base),
		Corpus: textOf(v.Corpus), Corrections: textOf(v.Corrections), Licences: map[string]int{}, Authors: []Author{},
	}
	of := map[person]map[string]int{}
	n := 0
	for line := range bytes.Lines(signed) {
		n++
		e, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
		var c protocol.Correction
		if err == nil && e.kind != kindCorrection {
			err = errors.New("it is no correction")
		}
		if err == nil {
			err = block.Decode(e.data, &c)
		}
		if err == nil { // a text is not bound to the network in which it was signed
			err = protocol.Verify(c.Net, &c)
		}
		if err != nil {
			return m, fmt.Errorf("%s: line %d: %w", signedFile, n, err)
		}
		who := person{c.Account, c.Author}
		if of[who] == nil {
			of[who] = map[string]int{}
		}
		of[who][c.Licence]++
		m.Licences[c.Licence]++
		m.Corrected++
	}
	for who, licences := range of { // sorted below
		a := Author{Account: who.account, Name: who.name, Licences: slices.Sorted(maps.Keys(licences))}
		for _, k := range licences {
			a.Corrections += k
		}
		m.Authors = append(m.Authors, a)
	}
	slices.SortFunc(m.Authors, func(a, b Author) int {
		return strings.Compare(a.Account.String()+" "+a.Name, b.Account.String()+" "+b.Name)
	})
	return m, nil
}

// maxVersion bounds the two files of a version in bytes.
const maxVersion = maxFile

// ReadVersion reads the directory of a version, and checks it: the texts and the signed
// corrections are those that the version's CID names, and each correction is a training
// pair. signed is corrections.txt.
func ReadVersion(ctx context.Context, dir string) (m Description, signed []byte, err error) {
	fail := func(err error) (Description, []byte, error) {
		return m, nil, fmt.Errorf("corpus version %s: %w", dir, err)
	}
	data, err := readBounded(filepath.Join(dir, versionFile))
	if err != nil {
		return fail(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return fail(fmt.Errorf("%s: %w", versionFile, err))
	}
	v, err := m.record()
	if err != nil {
		return fail(fmt.Errorf("%s: %w", versionFile, err))
	}
	if signed, err = readBounded(filepath.Join(dir, signedFile)); err != nil {
		return fail(err)
	}
	if got := (block.Link{Cid: block.Sum(block.Raw, signed)}); got != v.Corrections {
		return fail(fmt.Errorf("%s is %s, and the version has %s: get the version again", signedFile, got, v.Corrections))
	}
	got, c, err := readCorpus(ctx, dir, v.Source, v.Target)
	if err != nil {
		return fail(err)
	}
	if got != v.Corpus {
		return fail(fmt.Errorf("its text is corpus %s, and the version has %s: get the version again", got, v.Corpus))
	}
	want, err := manifest(v, signed)
	if err == nil {
		err = inCorpus(c, signed)
	}
	if err != nil {
		return fail(err)
	}
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(m)
	if err := errors.Join(errA, errB); err != nil {
		return fail(err)
	}
	if !bytes.Equal(a, b) {
		return fail(fmt.Errorf("%s says other than its record and %s, which give version %s", versionFile, signedFile, want.Version))
	}
	return m, signed, nil
}

// inCorpus reports a correction whose pair the corpus does not have.
func inCorpus(c *corpus.Corpus, signed []byte) error {
	has := map[corpus.Pair]bool{}
	for _, p := range slices.Concat(c.Train, c.Valid) {
		has[p] = true
	}
	for line := range bytes.Lines(signed) {
		e, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
		var r protocol.Correction
		if err == nil {
			err = block.Decode(e.data, &r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", signedFile, err)
		}
		if p := (corpus.Pair{Source: text.Normalize(r.Source), Target: text.Normalize(r.Human)}); !has[p] || r.Src != c.Source || r.Dst != c.Target {
			return fmt.Errorf("%s has correction %s, and the text has not", signedFile, protocol.ID(e.data))
		}
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxVersion {
		return nil, fmt.Errorf("%s has more than %d MiB", path, maxVersion>>20)
	}
	return os.ReadFile(path)
}

// remember notes where a version lies.
func (p *Pool) remember(version, dir string) error {
	at := filepath.Join(p.Dir, "versions")
	if err := disk.MakeDir(p.Disk, at); err != nil {
		return err
	}
	return disk.WriteFile(p.Disk, filepath.Join(at, version), []byte(dir+"\n"))
}

// Where is the directory of a version that Export has written for the pool in dir.
func Where(dir string, version block.Link) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "versions", version.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("this home has exported no corpus version %s: give the version's directory", version)
	}
	return strings.TrimSuffix(string(data), "\n"), err
}
