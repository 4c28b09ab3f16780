// Package text turns text into subword tokens and back, and splits documents into
// sentences.
//
// A [BPE] is a byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019).
// Every byte has a piece of its own, so there is no unknown token, and decoding an encoded
// text returns the text. [Train] learns a BPE from lines; [Parse] and [BPE.JSON] read and
// write it in the format of Hugging Face's tokenizer.json. [Marian] is the tokenizer of the
// public OPUS-MT models, which consists of two [SentencePiece] models and a vocabulary.
// [Normalize] brings a line to the form that models see. [Split] divides a plain text into
// sentences, and [Layout.Join] puts their translations back with the same white space.
//
//	tok, err := text.Train(slices.Values(lines), 6000)
//	if err != nil {
//		return err
//	}
//	ids := tok.Encode("Where is the station?")
//	fmt.Println(tok.Decode(ids)) // Where is the station?
//
// White space. A BPE encodes a text as if one space stood in front of it, and Decode removes
// that space. So a word has the same piece at the start of a sentence and inside it, and the
// text's own spaces (leading, trailing or doubled) are kept. Merges never cross the border of
// a word; words are the matches of the regular expression [Pattern].
//
// The package uses only integers and fixed tables, except for the scores of SentencePiece,
// whose sums are rounded in a fixed sequence. So a tokenizer's bytes, and the tokens of a
// text, are the same on every machine.
package text
