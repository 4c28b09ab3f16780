package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxJSON is the largest number of bytes that Parse reads.
const maxJSON = 32 << 20

// The parts of a tokenizer.json in front of its vocabulary, between vocabulary and merges, and
// at the end. The bytes are hashed, so they must not change.
const (
	jsonSpecial = `"single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`
	jsonHead    = `{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<pad>", ` + jsonSpecial + `,
    {"id": 1, "content": "<s>", ` + jsonSpecial + `,
    {"id": 2, "content": "</s>", ` + jsonSpecial + `
  ],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend", "prepend": " "}]},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "%s"}, "behavior": "Isolated", "invert": false},
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
  ]},
  "post_processor": null,
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}
  ]},
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {`
	jsonMerges = `
    },
    "merges": [`
	jsonTail = `
    ]
  }
}
`
)

// TokenizerFile is the file of a [BPE] tokenizer in a model's directory.
const TokenizerFile = "tokenizer.json"

// Files gives the tokenizer's file, [BPE.JSON], by name.
func (t *BPE) Files() map[string][]byte { return map[string][]byte{TokenizerFile: t.JSON()} }

// Unknown is empty: every byte has a piece.
func (t *BPE) Unknown() string { return "" }

// JSON returns the tokenizer in the format of Hugging Face's tokenizer.json. A tokenizer has
// exactly one such encoding.
func (t *BPE) JSON() []byte {
	b := fmt.Appendf(nil, jsonHead, quoted.Replace(Pattern))
	// Written by hand, since encoding/json would sort the pieces by name instead of by id.
	for id, piece := range t.pieces {
		if id > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n      \""...)
		if id < int(FirstByte) {
			b = append(b, special[id]...)
		} else {
			b = appendVisible(b, piece)
		}
		b = strconv.AppendInt(append(b, `": `...), int64(id), 10)
	}
	b = append(b, jsonMerges...)
	for r, p := range t.merges {
		if r > 0 {
			b = append(b, ',')
		}
		b = appendVisible(append(b, "\n      \""...), t.pieces[p.left])
		b = appendVisible(append(b, ' '), t.pieces[p.right])
		b = append(b, '"')
	}
	return append(b, jsonTail...)
}

// Names returns the pieces by id, in the spelling of tokenizer.json, which writes each byte as one
// of GPT-2's printable characters.
func (t *BPE) Names() []string {
	names := append([]string{}, special[:]...)
	for _, piece := range t.pieces[FirstByte:] {
		var b strings.Builder
		for i := range len(piece) {
			b.WriteRune(byteRune[piece[i]])
		}
		names = append(names, b.String())
	}
	return names
}

// Parse reads the bytes that [BPE.JSON] returns. It accepts no others, so the JSON of the result
// is data, byte for byte. The error names the first merge that is wrong.
func Parse(data []byte) (*BPE, error) {
	if len(data) > maxJSON {
		return nil, fmt.Errorf("parse tokenizer: it has %d bytes, the limit is %d", len(data), maxJSON)
	}
	var file struct {
		Model struct{ Merges []string }
	}
	if json.Unmarshal(data, &file) != nil {
		return nil, errors.New("parse tokenizer: the file is not the JSON of a tokenizer, or it is damaged")
	}
	// The merges alone determine the tokenizer; the rest of the file is compared at the end.
	t := newBPE()
	for r, m := range file.Model.Merges {
		left, right, _ := strings.Cut(m, " ")
		l, okL := t.ids[raw(left)]
		r2, okR := t.ids[raw(right)]
		if !okL || !okR {
			return nil, fmt.Errorf("parse tokenizer: merge %d: %q does not name two earlier pieces", r, m)
		}
		if err := t.add(pair{l, r2}); err != nil {
			return nil, fmt.Errorf("parse tokenizer: %w", err)
		}
	}
	if !bytes.Equal(t.JSON(), data) {
		return nil, fmt.Errorf("parse tokenizer: the bytes are not those that this program writes for these merges")
	}
	return t, nil
}

// quoted escapes a text without control characters for the inside of a JSON string.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// appendVisible appends GPT-2's printable character for each byte of a piece, escaped for the
// inside of a JSON string.
func appendVisible(b []byte, piece string) []byte {
	for i := range len(piece) {
		b = append(b, visible[piece[i]]...)
	}
	return b
}

// visible is by byte its printable character, escaped for a JSON string.
var visible = func() (to [256]string) {
	for b, r := range byteRune {
		to[b] = quoted.Replace(string(r))
	}
	return to
}()

// raw returns the bytes that printable characters mean, or "" if a character means none.
func raw(s string) string {
	var b []byte
	for _, r := range s {
		if r >= rune(len(runeByte)) || byteRune[runeByte[r]] != r {
			return ""
		}
		b = append(b, runeByte[r])
	}
	return string(b)
}

// byteRune and runeByte are GPT-2's table of bytes and printable characters, in both directions.
// The printable characters of Latin-1 mean themselves; the other 68 bytes are U+0100 and up.
var byteRune, runeByte = func() (to [256]rune, from [256 + 68]byte) {
	next := rune(256) // for the next byte without a printable character
	for b := range rune(256) {
		r := b
		if b <= ' ' || 0x7F <= b && b <= 0xA0 || b == 0xAD {
			r = next
			next++
		}
		to[b], from[r] = r, byte(b)
	}
	return to, from
}()
