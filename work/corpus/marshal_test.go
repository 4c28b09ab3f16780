package corpus

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestMarshal(t *testing.T) {
	pairs := []Pair{{"Where is it?", "Wo ist es?"}, {"", ""}, {"a\tb\\c", "d\ne\r\\n"}, {"ü", "€"}}
	data := Marshal(pairs)
	if want := "Where is it?\tWo ist es?\n\t\na\\tb\\\\c\td\\ne\\r\\\\n\nü\t€\n"; string(data) != want {
		t.Errorf("encoded %q, want %q", data, want)
	}
	if got, err := Unmarshal(data); err != nil || !slices.Equal(got, pairs) {
		t.Errorf("decoded %q, %v", got, err)
	}
	if got, err := Unmarshal(nil); err != nil || len(got) != 0 {
		t.Errorf("decoded %q, %v from nothing", got, err)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"a\tb", "decode corpus: line 1 is cut short"},
		{"a\tb\nc\n", "decode corpus: line 2 is not two columns separated by a tab"},
		{"a\tb\tc\n", "decode corpus: line 1 is not two columns separated by a tab"},
		{"a\t\xff\n", "decode corpus: line 1 is not UTF-8"},
		{"a\tb\n\\x\tb\n", "decode corpus: line 2: a backslash is not followed by \\, t, n or r"},
		{"a\\\tb\n", "decode corpus: line 1: a backslash is not followed by \\, t, n or r"},
		{"a\tb\r\n", "decode corpus: line 1: a carriage return is not escaped"},
	} {
		if _, err := Unmarshal([]byte(c.data)); err == nil || err.Error() != c.want {
			t.Errorf("%q: got error %v, want %s", c.data, err, c.want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte("a\tb\n"))
	f.Add([]byte("\\t\\\\\t\\n\\r\nü\t\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if pairs, err := Unmarshal(data); err == nil && !bytes.Equal(Marshal(pairs), data) {
			t.Fatalf("%q decodes, and encodes as %q", data, Marshal(pairs))
		}
	})
}

func FuzzMarshal(f *testing.F) {
	f.Add("a\tb", "c\\\r\n")
	f.Fuzz(func(t *testing.T, source, target string) {
		pairs := []Pair{{strings.ToValidUTF8(source, "?"), strings.ToValidUTF8(target, "?")}, {"x", "y"}}
		if got, err := Unmarshal(Marshal(pairs)); err != nil || !slices.Equal(got, pairs) {
			t.Fatalf("%q comes back as %q, %v", pairs, got, err)
		}
	})
}
