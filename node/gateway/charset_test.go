package gateway_test

import (
	"testing"

	"github.com/alia-network/alia/node/gateway"
)

// TestCharset: a document whose charset has no letters of the target language is refused when
// it comes, with what to do.
func TestCharset(t *testing.T) {
	s := start(t, gateway.Config{Engine: localEngine(t, "en-ru")})
	into := map[string]string{"source": "en", "target": "ru"}
	s.file("/translate_file", "letter.txt", []byte("one two\nF\xfcr Gr\xfc\xdfe\n"), into).want(t, 400, `letter.txt: the file is in windows-1252, which has no letters of the language \"ru\": convert the file to UTF-8 first`)
	s.file("/translate_file", "letter.txt", []byte("one two\nFür Grüße\n"), into).want(t, 200, "")
}
