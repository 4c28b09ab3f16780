package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/document"
)

// unlike says how a file differs from its description.
func (f FileRecord) unlike(data []byte) string {
	if uint64(len(data)) != f.Size {
		return fmt.Sprintf("%d bytes, and the receipt says %d", len(data), f.Size)
	}
	return fmt.Sprintf("the SHA-256 %x, and the receipt says %x", sha256.Sum256(data), f.Hash)
}

// otherDocument names the first text in which a file differs from the document.
func (c *Verified) otherDocument(data []byte) error {
	unlike := fmt.Sprintf("the file is not the one that was translated: it has %s", c.Statement.Document.unlike(data))
	d, err := c.open(data)
	if err != nil {
		return fmt.Errorf("%s; it cannot be read as %s either: %w", unlike, c.Format, err)
	}
	if err := c.sameTexts(d); err != nil {
		return fmt.Errorf("%s; %w", unlike, err)
	}
	return fmt.Errorf("%s; its texts are the same, so a byte outside of them was changed", unlike)
}

// difference names the first place in which a file differs from the translation.
func (c *Verified) difference(want, got []byte) error {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	place := fmt.Sprintf("byte %d of the file is not that of the translation", at)
	switch {
	case at == len(got) && at < len(want):
		place = fmt.Sprintf("the file ends after %d bytes, and the translation has %d", len(got), len(want))
	case at == len(want):
		place = fmt.Sprintf("the file goes on behind the %d bytes of the translation", len(want))
	case slices.Contains(lined, c.Format):
		place = fmt.Sprintf("line %d, %s", 1+bytes.Count(want[:at], []byte("\n")), place)
	}
	if text := c.differentText(want, got); text != nil {
		return fmt.Errorf("%s; %w", place, text)
	}
	return errors.New(place)
}

// lined are the formats whose files people see as lines.
var lined = []string{"txt", "md", "srt", "vtt", "po", "json", "yaml", "html", "xhtml", "xliff", "tmx"}

// differentText names the first text in which two files of the document's format differ.
func (c *Verified) differentText(want, got []byte) error {
	good, err := c.open(want)
	if err != nil {
		return nil // the place in bytes is enough
	}
	d, err := c.open(got)
	if err != nil {
		return fmt.Errorf("it cannot be read as %s: %w", c.Format, err)
	}
	for i := range min(len(good.Segments), len(d.Segments)) {
		a, b := content(&good.Segments[i]), content(&d.Segments[i])
		if a != b {
			return fmt.Errorf("%s: the text is %.60q, and the translation has %.60q", good.Segments[i].Where, b, a)
		}
	}
	if len(good.Segments) != len(d.Segments) {
		return fmt.Errorf("it has %d texts, and the translation has %d", len(d.Segments), len(good.Segments))
	}
	return nil // the change is outside of the texts, or in one without a letter
}

// content is what a reader sees of a segment, and of its translation.
func content(s *document.Segment) string {
	all := s.Text()
	for _, p := range s.Target {
		all += p.Text
	}
	return all
}

// whereOf finds where a text of a document stands.
func whereOf(d *document.Document, text string) string {
	for i := range d.Segments {
		one := document.Document{Segments: d.Segments[i : i+1]}
		if slices.Contains(one.Texts(), text) {
			return d.Segments[i].Where
		}
	}
	return "the document"
}
