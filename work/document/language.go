package document

import "strings"

// script is how office documents group languages: each group has its own font and its own
// language in a style.
type script uint8

const (
	western script = iota
	asian
	complexScript
)

// scriptOf is the group of a language, such as "de" or "zh-TW".
func scriptOf(language string) script {
	switch primary(language) {
	case "zh", "ja", "ko", "yue":
		return asian
	case "hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "ne", "si", "th", "lo", "km", "my", "bo", "dz", "sa":
		return complexScript
	}
	if isRightToLeft(language) {
		return complexScript
	}
	return western
}

// primary is the first part of a language's name (RFC 5646, section 2.2.1), and region its
// part for a country, or "".
func primary(language string) string {
	first, _, _ := strings.Cut(lowered(language), "-")
	return first
}

func region(language string) string {
	all := strings.Split(strings.ReplaceAll(language, "_", "-"), "-")
	for _, part := range all[1:] {
		if len(part) == 2 {
			return strings.ToUpper(part)
		}
	}
	return ""
}

// sameTongue reports whether two names are of one language, whatever the country.
func sameTongue(a, b string) bool { return primary(a) == primary(b) }

// lowered is a language tag as tags are compared: "pt_BR" is "pt-br".
func lowered(language string) string { return strings.ToLower(strings.ReplaceAll(language, "_", "-")) }

// sameLanguage reports whether two tags name one language, such as "pt-BR" and "pt_br".
func sameLanguage(a, b string) bool {
	return a != "" && lowered(a) == lowered(b)
}

// languagesAgree reports whether two language tags (BCP 47) name one language, as far
// as both say: "de" and "de-AT" do.
func languagesAgree(a, b string) bool {
	a, b = lowered(a), lowered(b)
	if len(a) > len(b) {
		a, b = b, a
	}
	return a != "" && strings.HasPrefix(b, a) && (len(a) == len(b) || b[len(a)] == '-')
}

// rightToLeft are the languages that are written from right to left.
var rightToLeft = map[string]bool{
	"ar": true, "arc": true, "arz": true, "azb": true, "ckb": true, "dv": true, "fa": true, "glk": true, "he": true, "iw": true,
	"ks": true, "lrc": true, "mzn": true, "nqo": true, "pnb": true, "prs": true, "ps": true, "sd": true, "skr": true,
	"syr": true, "ug": true, "ur": true, "yi": true,
}

// isRightToLeft reports the direction of a language tag's script.
func isRightToLeft(language string) bool {
	language = lowered(language)
	for _, script := range []string{"-arab", "-hebr", "-thaa", "-syrc", "-nkoo", "-adlm", "-rohg"} {
		if strings.Contains(language+"-", script+"-") {
			return true
		}
	}
	base, rest, _ := strings.Cut(language, "-")
	return rightToLeft[base] && !strings.HasPrefix(rest, "latn") && !strings.HasPrefix(rest, "cyrl") && !strings.HasPrefix(rest, "deva")
}
