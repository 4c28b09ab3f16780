package score

import (
	"fmt"
	"strings"
)

// The languages that 13a does not fit, by the first part of their tags (ISO 639, two or three
// letters).
var (
	chineseTags  = []string{"zh", "zho", "chi", "cmn", "yue", "wuu", "gan", "hsn", "lzh"}
	japaneseTags = []string{"ja", "jpn"}
	koreanTags   = []string{"ko", "kor"}
	// Thai, Khmer, Lao, Burmese, Tibetan, Dzongkha, Shan: they write no space between words.
	otherSpaceless = []string{"th", "tha", "km", "khm", "lo", "lao", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo", "shn"}
)

// among reports whether a language is one of the tags, and not written in Latin letters. The
// parts of a tag stand between hyphens or low lines, as in zh-TW and zho_Hans.
func among(language string, tags ...[]string) bool {
	parts := strings.FieldsFunc(strings.ToLower(language), func(r rune) bool { return r == '-' || r == '_' })
	if len(parts) == 0 {
		return false
	}
	found := false
	for _, list := range tags {
		for _, t := range list {
			found = found || t == parts[0]
		}
	}
	for _, p := range parts[1:] {
		found = found && p != "latn"
	}
	return found
}

// Spaceless reports whether a language is written without spaces between words.
func Spaceless(language string) bool {
	return among(language, chineseTags, japaneseTags, otherSpaceless)
}

// TokenizerFor returns the tokenizer for BLEU of texts in a language. It is sacreBLEU's choice: zh
// for Chinese, and 13a for other languages, with one difference. Japanese and Korean have char
// instead of ja-mecab and ko-mecab. These need the program MeCab and a large dictionary, and
// their tokens depend on the versions of both. Characters are the same on every
// machine. The figures of char are higher than those of the MeCab tokenizers and must not be
// compared with them; the signature tells which is which.
func TokenizerFor(language string) WordSplitter {
	switch {
	case among(language, chineseTags):
		return WordSplitter{"zh", chinese}
	case among(language, japaneseTags, koreanTags):
		return WordSplitter{"char", characters}
	}
	return WordSplitter{"13a", mteval13a}
}

// Fits reports whether words between spaces are a measure for a language: BLEU by 13a is sacreBLEU's
// choice for the language, and the language writes spaces. Where it is not, chrF is the better
// measure.
func Fits(language string) bool {
	return TokenizerFor(language).Name == "13a" && !Spaceless(language)
}

// Warning says why BLEU by t means little for texts in a language, or is "".
func (t WordSplitter) Warning(language string) string {
	switch t.Name {
	case "13a", "intl", "none":
	default:
		return ""
	}
	if !Spaceless(language) {
		return ""
	}
	return fmt.Sprintf("BLEU by the tokenizer %s means little for the language %s, which puts no spaces between words: "+
		"a clause counts as one word, so look at chrF, or give another tokenizer, such as char", t.Name, language)
}

// Warning says why TER means little for texts in a language, or is "".
func (o TER) Warning(language string) string {
	switch {
	case !Spaceless(language), o.Normalized && o.Asian && among(language, chineseTags):
		return ""
	case among(language, chineseTags, japaneseTags):
		return fmt.Sprintf("TER counts words between spaces, and the language %s has none: --ter-normalized and --ter-asian-support count Chinese characters", language)
	}
	return fmt.Sprintf("TER counts words between spaces, and the language %s has none: look at chrF", language)
}

// Comparable says how BLEU by t differs from sacreBLEU's choice for a language, or is "".
func (t WordSplitter) Comparable(language string) string {
	for _, x := range []struct {
		tags []string
		name string
	}{{japaneseTags, "ja-mecab"}, {koreanTags, "ko-mecab"}} {
		if among(language, x.tags) && t.Name == "char" {
			return fmt.Sprintf("BLEU counts characters: it must not be compared with BLEU by sacreBLEU's %s, which needs a dictionary", x.name)
		}
	}
	return ""
}
