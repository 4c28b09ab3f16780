package document

import "testing"

func TestTongue(t *testing.T) {
	for _, test := range []struct {
		language, primary, region string
		script                    script
	}{
		{"de", "de", "", western}, {"de_AT", "de", "AT", western}, {"sr-Latn-RS", "sr", "RS", western},
		{"zh-TW", "zh", "TW", asian}, {"ja", "ja", "", asian},
		{"ar", "ar", "", complexScript}, {"HE-il", "he", "IL", complexScript}, {"th", "th", "", complexScript},
	} {
		if p, r, s := primary(test.language), region(test.language), scriptOf(test.language); p != test.primary || r != test.region || s != test.script {
			t.Errorf("%s: %q, %q, %d", test.language, p, r, s)
		}
	}
	if !sameTongue("en-GB", "EN_us") || sameTongue("en", "enm") {
		t.Error("one language, or two")
	}
}
