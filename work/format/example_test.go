package format_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/alia-network/alia/work/format"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
)

func Example() {
	// A model that has learnt nothing.
	tok, err := text.Train(slices.Values([]string{"good morning", "guten Morgen"}), 262)
	if err != nil {
		panic(err)
	}
	m := model.Model{
		Source: "en", Target: "de", Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 8, FFN: 16, Heads: 2, Encoder: 1, Decoder: 1},
	}
	t, err := model.NewTranslator(m, nmt.Init(m.Config(), 1), tok)
	if err != nil {
		panic(err)
	}

	files, err := format.Export("ctranslate2", t)
	if err != nil {
		panic(err)
	}
	fmt.Println(slices.Sorted(maps.Keys(files)))

	// CTranslate2's files do not name the languages; all else comes back.
	back, err := format.Import("ctranslate2", func(name string) ([]byte, error) {
		if files[name] == nil {
			return nil, fs.ErrNotExist
		}
		return files[name], nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("the same parameters:", back.Model.Params == t.Model.Params)
	// Output:
	// [config.json model.bin shared_vocabulary.json tokenizer.json]
	// the same parameters: true
}
