package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxCatalog is the bytes of a gettext catalog: the largest that programs come with have some
// megabytes.
const maxCatalog = 1 << 28

// message is an entry of a gettext catalog: a text and its translation, one for each plural
// form.
type message struct {
	line       int // 0 in a compiled catalog
	id, plural string
	strs       []string
	fuzzy      bool
}

// readPO reads the pairs of a gettext catalog (GNU gettext manual, "The Format of PO Files").
// Fuzzy and obsolete entries are left out.
func readPO(path string, c *Corpus, o Selection) (iter.Seq2[row, error], error) {
	return catalog(path, c, o, parsePO)
}

// readMO reads the pairs of a compiled catalog (GNU gettext manual, "The Format of GNU MO
// Files").
func readMO(path string, c *Corpus, o Selection) (iter.Seq2[row, error], error) {
	return catalog(path, c, o, parseMO)
}

func catalog(path string, c *Corpus, o Selection, parse func([]byte) ([]message, error)) (iter.Seq2[row, error], error) {
	if o.Columns != "" {
		return nil, fmt.Errorf("%s has no columns: leave --columns out", path)
	}
	tgt := c.Target
	return func(yield func(row, error) bool) {
		fail := func(err error) { yield(row{}, fmt.Errorf("%s: %w", path, damage(err))) }
		in, err := open(path)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer in.Close()
		data, err := io.ReadAll(io.LimitReader(in, maxCatalog+1))
		if err == nil && len(data) > maxCatalog {
			err = fmt.Errorf("it has more than %d MiB: divide it", maxCatalog>>20)
		}
		if err != nil {
			fail(err)
			return
		}
		messages, err := parse(data)
		if err == nil {
			err = decodeMessages(messages)
		}
		if err != nil {
			fail(err)
			return
		}
		if l := header(messages, "Language:"); l != "" && !sameLanguage(l, tgt) {
			fail(fmt.Errorf("its language is %s, and not %s (--tgt)", l, tgt))
			return
		}
		for _, m := range messages {
			for _, p := range m.pairs() {
				r := row{Pair: p, file: path, line: m.line}
				if bad := max(badText([]byte(p.Source)), badText([]byte(p.Target))); bad != 0 {
					r.bad, r.Pair = bad, Pair{}
				} else if len(p.Source) > MaxLine || len(p.Target) > MaxLine {
					r.bad, r.Pair = LongLine, Pair{}
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}, nil
}

// pairs are the translations of a message. Of plural forms, the last translates the plural
// text. The first translates the single one where there are two: with more, it may be of no
// thing, or of one and twenty-one.
func (m *message) pairs() (pairs []Pair) {
	if m.id == "" || m.fuzzy || len(m.strs) == 0 {
		return nil
	}
	add := func(id, str string) {
		if str != "" {
			pairs = append(pairs, Pair{id, str})
		}
	}
	if m.plural == "" {
		add(m.id, m.strs[0])
		return pairs
	}
	if len(m.strs) == 2 {
		add(m.id, m.strs[0])
	}
	add(m.plural, m.strs[len(m.strs)-1])
	return pairs
}

// header is a field of a catalog's header, the translation of the empty text.
func header(messages []message, field string) string {
	for _, m := range messages {
		if m.id == "" && len(m.strs) > 0 {
			for line := range strings.SplitSeq(m.strs[0], "\n") {
				if value, ok := strings.CutPrefix(line, field); ok {
					return strings.TrimSpace(value)
				}
			}
		}
	}
	return ""
}

// decodeMessages converts the messages from the charset of their header to UTF-8.
func decodeMessages(messages []message) error {
	_, label, ok := strings.Cut(header(messages, "Content-Type:"), "charset=")
	label = strings.TrimSpace(label)
	if !ok || label == "" || strings.EqualFold(label, "utf-8") || label == "CHARSET" {
		return nil
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return fmt.Errorf("its charset %q is unknown: convert it, such as with msgconv -t UTF-8", label)
	}
	d := e.NewDecoder()
	for i := range messages {
		m := &messages[i]
		for _, s := range append([]*string{&m.id, &m.plural}, pointers(m.strs)...) {
			if *s, err = d.String(*s); err != nil {
				return fmt.Errorf("it is not in the charset %s, as its header says: %w", label, err)
			}
		}
	}
	return nil
}

func pointers(all []string) (to []*string) {
	for i := range all {
		to = append(to, &all[i])
	}
	return to
}

// parsePO parses a catalog's text.
func parsePO(data []byte) (messages []message, err error) {
	var m message
	var into *string // the text that the next quoted line goes on with
	fuzzy, begun := false, false
	end := func() {
		if begun {
			messages = append(messages, m)
		}
		m, begun, into = message{}, false, nil
	}
	n := 0
	for raw := range bytes.Lines(bytes.TrimPrefix(data, []byte("\uFEFF"))) {
		n++
		line := strings.TrimSpace(string(raw))
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case line == "":
			continue
		case line[0] == '#':
			if len(m.strs) > 0 {
				end()
			}
			if strings.HasPrefix(line, "#,") && strings.Contains(line, "fuzzy") {
				fuzzy = true
			}
			continue
		case line[0] == '"':
			rest = line
		case word == "msgctxt", word == "msgid" && !begun, word == "msgid" && len(m.strs) > 0:
			if len(m.strs) > 0 {
				end()
			}
			if word == "msgctxt" {
				into = new(string) // what a text is for is no text
				break
			}
			m = message{line: n, fuzzy: fuzzy}
			begun, fuzzy, into = true, false, &m.id
		case word == "msgid_plural" && begun && len(m.strs) == 0:
			into = &m.plural
		case (word == "msgstr" || strings.HasPrefix(word, "msgstr[")) && begun && len(m.strs) < 8:
			m.strs = append(m.strs, "")
			into = &m.strs[len(m.strs)-1]
		default:
			return nil, fmt.Errorf("line %d is no line of a gettext catalog: %s", n, cut(line))
		}
		text, err := unquotePO(rest)
		if err != nil || into == nil {
			return nil, fmt.Errorf("line %d is no text in quotes: %s", n, cut(line))
		}
		*into += text
	}
	end()
	if len(messages) == 0 {
		return nil, errors.New("it is no gettext catalog: there is no msgid")
	}
	return messages, nil
}

// unquotePO returns the text of a string in quotes, with its escapes as in C.
func unquotePO(s string) (string, error) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", errors.New("no quotes")
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			return "", errors.New("a quote inside")
		}
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", errors.New("a backslash at the end")
		}
		if k := strings.IndexByte(`ntrabfv`, s[i]); k >= 0 {
			b.WriteByte("\n\t\r\a\b\f\v"[k])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// parseMO parses a compiled catalog. Everything that it points to must lie in it.
func parseMO(data []byte) ([]message, error) {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(data, []byte{0x95, 0x04, 0x12, 0xde}):
		order = binary.BigEndian
	case !bytes.HasPrefix(data, []byte{0xde, 0x12, 0x04, 0x95}):
		return nil, errors.New("it is no compiled gettext catalog: its first bytes are others")
	}
	if len(data) < 28 {
		return nil, io.ErrUnexpectedEOF
	}
	word := func(at uint64) uint64 { return uint64(order.Uint32(data[at:])) }
	n, ids, strs := word(8), word(12), word(16)
	if size := uint64(len(data)); ids+8*n > size || strs+8*n > size {
		return nil, io.ErrUnexpectedEOF
	}
	text := func(at uint64) (string, bool) {
		length, from := word(at), word(at+4)
		if from+length > uint64(len(data)) {
			return "", false
		}
		return string(data[from : from+length]), true
	}
	var messages []message
	total := 0 // entries may point to the same text again and again
	for i := range n {
		id, okID := text(ids + 8*i)
		str, okStr := text(strs + 8*i)
		if !okID || !okStr {
			return nil, fmt.Errorf("text %d lies outside of the file: get the file again", i)
		}
		if total += len(id) + len(str); total > 2*maxCatalog {
			return nil, errors.New("its texts overlap: get the file again")
		}
		if _, after, ok := strings.Cut(id, "\x04"); ok { // what the text is for comes before
			id = after
		}
		m := message{strs: strings.Split(str, "\x00")}
		m.id, m.plural, _ = strings.Cut(id, "\x00")
		messages = append(messages, m)
	}
	return messages, nil
}

// listed lists the keys of a set for a message.
func listed(set map[string]bool) string {
	if len(set) == 0 {
		return "no text"
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
