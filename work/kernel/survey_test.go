package kernel

import (
	"crypto/sha256"
	"testing"
)

// TestSurvey: every device that this processor has agrees with the published file.
func TestSurvey(t *testing.T) {
	want := sha256.Sum256(published)
	usable := 0
	for _, b := range Survey() {
		if b.Digest == ([32]byte{}) {
			if b.Err == nil {
				t.Errorf("%s: neither digest nor reason", b.Name)
			}
			continue
		}
		usable++
		if b.Err != nil || b.Digest != want {
			t.Errorf("%s: digest %x, %v; want %x", b.Name, b.Digest, b.Err, want)
		}
	}
	if usable != len(Names()) {
		t.Errorf("%d devices surveyed, %v are named", usable, Names())
	}
}
