package profile

import "sort"

// Script is a writing system. The zero Script is none: digits, punctuation, symbols.
type Script uint8

// The scripts that are told apart. Kana is both syllabaries of Japanese.
const (
	_ Script = iota
	inherited
	Latin
	Cyrillic
	Greek
	Arabic
	Hebrew
	Devanagari
	Bengali
	Gurmukhi
	Gujarati
	Oriya
	Tamil
	Telugu
	Kannada
	Malayalam
	Sinhala
	Thai
	Lao
	Tibetan
	Myanmar
	Khmer
	Georgian
	Armenian
	Ethiopic
	Hangul
	Kana
	Han
	Thaana
	Cherokee
	Canadian
	OlChiki
	Mongolian
	Yi
	Scripts // how many there are
)

var scriptNames = [Scripts]string{
	"", "", "Latn", "Cyrl", "Grek", "Arab", "Hebr", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym",
	"Sinh", "Thai", "Laoo", "Tibt", "Mymr", "Khmr", "Geor", "Armn", "Ethi", "Hang", "Kana", "Hani", "Thaa", "Cher", "Cans",
	"Olck", "Mong", "Yiii",
}

// String is the script's code in ISO 15924.
func (s Script) String() string {
	if s < Scripts {
		return scriptNames[s]
	}
	return ""
}

// spaceless reports that a script puts no spaces between words.
func (s Script) spaceless() bool {
	switch s {
	case Thai, Lao, Tibetan, Myanmar, Khmer, Kana, Han, Yi:
		return true
	}
	return false
}

// ranges are the letters and marks of the scripts: blocks of the Unicode Standard, without their
// digits and punctuation. The standard never moves a block, so this table needs no Unicode version.
var ranges = []struct {
	first, last rune
	script      Script
}{
	{'\'', '\'', inherited},
	{'A', 'Z', Latin}, {'`', '`', inherited}, {'a', 'z', Latin}, {0xAA, 0xAA, Latin}, {0xB4, 0xB4, inherited}, {0xBA, 0xBA, Latin},
	{0xC0, 0xD6, Latin}, {0xD8, 0xF6, Latin}, {0xF8, 0x2AF, Latin}, {0x2BB, 0x2BC, inherited},
	{0x300, 0x36F, inherited},
	{0x370, 0x373, Greek}, {0x376, 0x37D, Greek}, {0x37F, 0x37F, Greek}, {0x386, 0x386, Greek}, {0x388, 0x3E1, Greek}, {0x3F0, 0x3FF, Greek},
	{0x400, 0x481, Cyrillic}, {0x483, 0x52F, Cyrillic},
	{0x531, 0x556, Armenian}, {0x561, 0x588, Armenian},
	{0x591, 0x5BD, Hebrew}, {0x5C1, 0x5C2, Hebrew}, {0x5D0, 0x5F4, Hebrew},
	{0x610, 0x61A, Arabic}, {0x620, 0x65F, Arabic}, {0x66E, 0x6D3, Arabic}, {0x6D5, 0x6DC, Arabic}, {0x6DF, 0x6E8, Arabic},
	{0x6EA, 0x6EF, Arabic}, {0x6FA, 0x6FF, Arabic}, {0x750, 0x77F, Arabic},
	{0x780, 0x7B1, Thaana},
	{0x8A0, 0x8FF, Arabic},
	{0x900, 0x963, Devanagari}, {0x971, 0x97F, Devanagari},
	{0x980, 0x9E3, Bengali}, {0x9F0, 0x9F1, Bengali},
	{0xA01, 0xA5E, Gurmukhi}, {0xA70, 0xA75, Gurmukhi},
	{0xA81, 0xAE3, Gujarati}, {0xB01, 0xB63, Oriya}, {0xB71, 0xB71, Oriya},
	{0xB82, 0xBD7, Tamil}, {0xC00, 0xC63, Telugu}, {0xC80, 0xCE3, Kannada}, {0xD00, 0xD63, Malayalam}, {0xD7A, 0xD7F, Malayalam},
	{0xD81, 0xDDF, Sinhala}, {0xDF2, 0xDF3, Sinhala},
	{0xE01, 0xE3A, Thai}, {0xE40, 0xE4E, Thai}, {0xE81, 0xECE, Lao}, {0xEDC, 0xEDF, Lao},
	{0xF00, 0xF00, Tibetan}, {0xF40, 0xF84, Tibetan}, {0xF88, 0xFBC, Tibetan},
	{0x1000, 0x103F, Myanmar}, {0x1050, 0x108F, Myanmar},
	{0x10A0, 0x10FF, Georgian},
	{0x1100, 0x11FF, Hangul},
	{0x1200, 0x135F, Ethiopic}, {0x1380, 0x138F, Ethiopic},
	{0x13A0, 0x13FD, Cherokee},
	{0x1401, 0x166C, Canadian}, {0x166F, 0x167F, Canadian},
	{0x1780, 0x17D3, Khmer},
	{0x1820, 0x18AA, Mongolian},
	{0x1C5A, 0x1C7D, OlChiki},
	{0x1C80, 0x1C8A, Cyrillic}, {0x1C90, 0x1CBF, Georgian},
	{0x1D00, 0x1D25, Latin}, {0x1E00, 0x1EFF, Latin},
	{0x1F00, 0x1FFC, Greek},
	{0x200C, 0x200D, inherited}, {0x2018, 0x2019, inherited},
	{0x2C60, 0x2C7F, Latin}, {0x2D00, 0x2D2D, Georgian}, {0x2D80, 0x2DDF, Ethiopic}, {0x2DE0, 0x2DFF, Cyrillic},
	{0x3005, 0x3007, Han},
	{0x3041, 0x309F, Kana}, {0x30A1, 0x30FA, Kana}, {0x30FC, 0x30FF, Kana},
	{0x3131, 0x318E, Hangul}, {0x31F0, 0x31FF, Kana},
	{0x3400, 0x4DBF, Han}, {0x4E00, 0x9FFF, Han},
	{0xA000, 0xA48C, Yi}, {0xA640, 0xA66E, Cyrillic}, {0xA680, 0xA69D, Cyrillic}, {0xA722, 0xA787, Latin}, {0xA78B, 0xA7FF, Latin},
	{0xA8E0, 0xA8FF, Devanagari}, {0xAA60, 0xAA7F, Myanmar}, {0xAB01, 0xAB2E, Ethiopic}, {0xAB30, 0xAB64, Latin}, {0xAB70, 0xABBF, Cherokee},
	{0xAC00, 0xD7A3, Hangul},
	{0xF900, 0xFAD9, Han}, {0xFB00, 0xFB06, Latin}, {0xFB13, 0xFB17, Armenian}, {0xFB1D, 0xFB4F, Hebrew}, {0xFB50, 0xFBB1, Arabic},
	{0xFBD3, 0xFD3D, Arabic}, {0xFD50, 0xFDFB, Arabic}, {0xFE70, 0xFEFC, Arabic},
	{0xFF21, 0xFF3A, Latin}, {0xFF41, 0xFF5A, Latin}, {0xFF66, 0xFF9D, Kana},
	{0x20000, 0x323AF, Han},
}

// ScriptOf is the script of a letter or mark, or 0.
func ScriptOf(c rune) Script {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].last >= c })
	if i < len(ranges) && ranges[i].first <= c {
		return ranges[i].script
	}
	return 0
}
