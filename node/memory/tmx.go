package memory

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/alia-network/alia/work/corpus"
)

// The props of a translation unit that keep what TMX has no place for.
const (
	modelProp = "x-alia-model"
	howProp   = "x-alia-how"
)

// WriteTMX writes entries as TMX 1.4b (https://www.gala-global.org/tmx-14b), and returns
// how many. A prop names the model of an entry that has one.
func WriteTMX(w io.Writer, entries iter.Seq2[Known, error]) (n int, err error) {
	out := bufio.NewWriter(w)
	out.WriteString(xml.Header + `<tmx version="1.4">
<header creationtool="alia" creationtoolversion="1" segtype="paragraph" o-tmf="alia" adminlang="en" srclang="*all*" datatype="plaintext"/>
<body>
`)
	for e, err := range entries {
		if err != nil {
			return n, err
		}
		fmt.Fprintf(out, "<tu srclang=\"%s\">", escaped(e.From))
		for _, p := range [][2]string{{modelProp, e.Model}, {howProp, e.How}} {
			if p[1] != "" {
				fmt.Fprintf(out, "<prop type=\"%s\">%s</prop>", p[0], escaped(p[1]))
			}
		}
		for _, v := range [][2]string{{e.From, e.Source}, {e.To, e.Target}} {
			fmt.Fprintf(out, "<tuv xml:lang=\"%s\"><seg>%s</seg></tuv>", escaped(v[0]), escaped(v[1]))
		}
		out.WriteString("</tu>\n")
		n++
	}
	out.WriteString("</body>\n</tmx>\n")
	return n, out.Flush()
}

// escaped escapes what XML would take for something else.
func escaped(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic("memory: " + err.Error()) // a buffer takes everything
	}
	return b.String()
}

// maxTMX bounds a TMX file that somebody else wrote, in bytes.
const maxTMX = 1 << 30

// TMXFindings counts what ReadTMX has passed over.
type TMXFindings struct {
	Codes int `json:"with_codes"` // units with codes of a file format inside
	Empty int `json:"empty"`      // units without a text in two languages
	Long  int `json:"too_long"`   // units with a text longer than [MaxText]
}

// ReadTMX yields the translations of a TMX file: of each unit the source with each other
// language. A language is its first part, so "en-US" is "en". Units that no model could use
// are passed over and counted in found. The sequence ends with the first error.
func ReadTMX(r io.Reader, found *TMXFindings) iter.Seq2[Known, error] {
	return func(yield func(Known, error) bool) {
		for u, err := range corpus.ReadTMX(r, maxTMX, MaxText, modelProp, howProp) {
			if err != nil {
				yield(Known{}, err)
				return
			}
			for _, e := range entries(u, found) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// entries are the translations of a unit.
func entries(u corpus.TranslationUnit, found *TMXFindings) (all []Known) {
	if u.Codes {
		found.Codes++
		return nil
	}
	source := -1
	for i, v := range u.Variants {
		if len(v.Text) > MaxText {
			found.Long++
			return nil
		}
		if language(v.Language) == language(u.Source) && source < 0 {
			source = i
		}
	}
	if source < 0 && u.Source == "*all*" && len(u.Variants) > 0 {
		source = 0 // every language may be the source: the first is
	}
	if source >= 0 {
		s := u.Variants[source]
		from := language(s.Language)
		for i, v := range u.Variants {
			to := language(v.Language)
			if i == source || to == from || to == "" || from == "" || strings.TrimSpace(v.Text) == "" || strings.TrimSpace(s.Text) == "" {
				continue
			}
			all = append(all, Known{
				Settings: Settings{From: from, To: to, Model: u.Props[modelProp], How: u.Props[howProp]},
				Source:   s.Text, Target: v.Text,
			})
		}
	}
	if len(all) == 0 {
		found.Empty++
	}
	return all
}

// language is the first part of a language tag (RFC 5646), in small letters.
func language(tag string) string {
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		tag = tag[:i]
	}
	return strings.ToLower(tag)
}
