// Package text turns text into subword tokens and back, and splits documents into
// sentences.
//
// A [BPE] is a byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019).
// A piece is the text of a token, and an entry of the vocabulary. Every byte has a piece of its
// own, so there is no unknown token, and decoding an encoded text returns the text. [Train]
// learns a BPE from lines; [Parse] and [BPE.JSON] read and write it in the format of Hugging
// Face's tokenizer.json. [Marian] is the tokenizer of the public OPUS-MT models, which consists
// of two [SentencePiece] models and a vocabulary. [Fairseq] is the tokenizer of M2M-100 and NLLB,
// which has one SentencePiece model for all languages. [Normalize] brings a line to the form
// that models see: composed characters (NFC), without spaces at the ends. [Split] divides a plain
// text into sentences, and [Layout.Join] puts their translations back with the same white space.
//
//	tok, err := text.Train(slices.Values(lines), 6000)
//	if err != nil {
//		return err
//	}
//	ids := tok.Encode("Where is the station?")
//	fmt.Println(tok.Decode(ids)) // Where is the station?
//
// Sentences. Within a line a sentence ends behind a mark that ends sentences in some script, such
// as a full stop, and behind the quotes and brackets that close there. Marks such as "。", "।" and "؟" need no white space
// behind them; ".", "!" and "?" do. Text in brackets is not divided. No sentence ends in
// front of a small letter or a comma. A full stop ends no sentence behind abbreviations, initials,
// ordinals ("3. Mai") and labels of list items; the file sentences.txt has the words for some
// fifty languages. Items of a list on one line ("1) … 2) …") are sentences. Thai and Lao have
// no such mark: there a space between two longer runs of letters ends a sentence. Split is told
// the language of the text, and takes its rules. Lines without letters are copied,
// and never given to a model: see [Layout.Fit].
//
// The division was measured with the golden rules of pySBD (github.com/nipunsadvilkar/pySBD):
// texts, by language, with the one right division of each. Split divides so many rightly: am
// 1 of 1, ar 2 of 5, bg 4 of 4, da 45 of 46, de 3 of 3, el 0 of 1, en 46 of 48, es 5 of 5, fa 1
// of 1, fr 5 of 5, hi 1 of 1, hy 3 of 3, it 3 of 3, ja 4 of 4, kk 11 of 13, mr 5 of 5, my 1 of 1,
// nl 3 of 3, pl 1 of 1, ru 3 of 3, sk 4 of 5, ur 1 of 1, zh 2 of 2; of its further tests es 25
// of 25, hy 23 of 23, it 32 of 33, ru 38 of 39. The others differ because pySBD divides Arabic at commas
// and colons, keeps sentences of one quotation together, and divides in front of small letters
// (el, kk) and without white space (kk).
//
// White space. A BPE encodes a text as if one space stood in front of it, and Decode removes
// that space. So a word has the same piece at the start of a sentence and inside it, and the
// text's own spaces (leading, trailing or doubled) are kept. Merges never cross the border of
// a word; words are the matches of the regular expression [Pattern].
//
// The package uses only integers and fixed tables (and Unicode's cases of Latin, Greek, Cyrillic
// and Armenian letters, which do not change), except for the scores of SentencePiece,
// whose sums are rounded in a fixed sequence. So a tokenizer's bytes, and the tokens of a
// text, are the same on every machine.
package text
