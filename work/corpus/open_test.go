package corpus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a directory of files; those named .gz are compressed, unless
// their text begins with "raw ".
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		data, isRaw := strings.CutPrefix(text, "raw ")
		if strings.HasSuffix(name, ".gz") && !isRaw {
			data = string(compress(t, text))
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compress(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpenDirectory(t *testing.T) {
	dir := write(t, map[string]string{
		"train.en": "\uFEFFone\r\ntwo", "train.de.gz": "eins\nzwei\n", "val.en": "three\n", "val.de": "drei\n",
		"test_b.en": "four\n", "test_b.de": "vier\n", "test_a.en.gz": "five\n", "test_a.de.gz": "fünf\n",
		"README.md": "x", "train.en.bak": "y", "other.en": "z",
	})
	for _, c := range [][2]string{{"en", "de"}, {"en", ""}, {"", "de"}} {
		got, _, err := Open(dir, Selection{Source: c[0], Target: c[1]})
		if err == nil {
			err = got.Load()
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.Source != "en" || got.Target != "de" ||
			!slices.Equal(got.Train,
				[]Pair{{"one", "eins"}, {"two", "zwei"}}) || !slices.Equal(got.Valid, []Pair{{"three", "drei"}}) ||
			len(got.Tests) != 2 || got.Tests[0].Name != "test_a" || !slices.Equal(got.Tests[1].Pairs,
			[]Pair{{"four", "vier"}}) {
			t.Errorf("%v: got %v", c, got)
		}
	}
}

func TestOpenTSV(t *testing.T) {
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "source %d\ttarget %d\n", i, i)
	}
	dir := write(t, map[string]string{"travel.en-de.tsv": lines.String(), "plain.tsv.gz": lines.String()})
	got, _, err := Open(filepath.Join(dir, "travel.en-de.tsv"), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Source != "en" || got.Target != "de" || got.Len() != 95 || len(got.Valid) != 5 {
		t.Errorf("%s to %s, %d to train, %d held out", got.Source, got.Target, got.Len(), len(got.Valid))
	}
	again, _, err := Open(filepath.Join(dir, "plain.tsv.gz"), Selection{Source: "en", Target: "de"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Valid, got.Valid) {
		t.Error("another file with the same text holds out other pairs")
	}
}

func TestOpenErrors(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	cut := compress(t, strings.Repeat("some text\n", 1000))
	broken := slices.Clone(cut)
	broken[len(broken)-6] ^= 1
	for name, c := range map[string]struct {
		files         map[string]string
		open          string
		src, tgt      string
		want, another string
	}{
		"missing": {nil, "absent", "en", "de", "does not exist", "absent"},
		"nothing": {nil, "", "en", "de", "has no train.LANGUAGE and no train.LANGUAGE.gz", ""},
		"empty":   {map[string]string{"train.en": "", "train.de": ""}, "", "en", "de", "train.en and ", "are empty"},
		"counts": {
			map[string]string{"train.en": "a\nb\n", "train.de": "a\n"}, "", "en", "de", "train.en has 2 lines",
			"train.de has 1",
		},
		"utf8": {
			map[string]string{"train.en": "a\nb\xff\n", "train.de": "a\nb\n"}, "", "en", "de",
			"train.en: line 2 is not UTF-8", "",
		},
		"long": {
			map[string]string{"train.en": "a\n" + long, "train.de": "a\nb\n"}, "", "en", "de",
			"train.en: line 2 is longer than 65536 bytes", "",
		},
		"longer": {
			map[string]string{"train.en": "a\n" + long + long, "train.de": "a\nb\n"}, "", "en", "de",
			"line 2 is longer than 65536 bytes", "",
		},
		"cut": {
			map[string]string{"train.en.gz": "raw " + string(cut[:len(cut)/2]), "train.de": "a\n"}, "", "en", "de",
			"train.en.gz: the file is cut short", "",
		},
		"no gzip": {
			map[string]string{"train.en.gz": "raw plain text", "train.de": "a\n"}, "", "en", "de",
			"train.en.gz: gzip: invalid header", "",
		},
		"gz0": {
			map[string]string{"train.en.gz": "raw ", "train.de": "a\n"}, "", "en", "de",
			"train.en.gz: the file is cut short", "",
		},
		"sum": {
			map[string]string{"train.en.gz": "raw " + string(broken), "train.de": "a\n"}, "", "en", "de",
			"train.en.gz: gzip: invalid checksum", "",
		},
		"twice": {
			map[string]string{"train.en": "a\n", "train.en.gz": "a\n", "train.de": "a\n"}, "", "en", "de",
			"delete one of them", "train.en.gz",
		},
		"neither": {
			map[string]string{"train.en": "a\n", "train.de": "a\n"}, "", "", "",
			"has the languages de, en: name the source and the target language", "",
		},
		"three": {
			map[string]string{"train.en": "a\n", "train.de": "a\n", "train.fr": "a\n"}, "", "en", "",
			"has the languages de, en, fr: name the", "",
		},
		"unknown": {
			map[string]string{"train.en": "a\n", "train.de": "a\n"}, "", "en", "fr",
			"has no train.fr: its languages are de, en", "",
		},
		"same": {
			map[string]string{"train.en": "a\n", "train.de": "a\n"}, "", "en", "en",
			"source and target language are both en", "",
		},
		"one": {map[string]string{"train.en": "a\n"}, "", "en", "", "has the languages en: name the", ""},
		"test": {
			map[string]string{"train.en": "a\n", "train.de": "a\n", "test.en": "a\n"}, "", "en", "de",
			"must have both test.en and test.de", "",
		},
		"few": {
			map[string]string{"train.en": "a\n", "train.de": "a\n"}, "", "en", "de",
			"has no training pair left after 1 were held out", "",
		},
		"columns": {
			map[string]string{"x.en-de.tsv": "a\tb\nc\n"}, "x.en-de.tsv", "", "",
			"x.en-de.tsv: line 2 is not two columns", "",
		},
		"3 cols": {
			map[string]string{"x.en-de.tsv": "a\tb\tc\n"}, "x.en-de.tsv", "", "", "line 1 is not two columns", "",
		},
		"tsv lang": {
			map[string]string{"x.tsv": "a\tb\n"}, "x.tsv", "en", "",
			"x.tsv: name the source and the target language", "",
		},
		"Macintosh": {
			map[string]string{"train.en": strings.Repeat("one line of many\r", 100), "train.de": "a\n"}, "", "en", "de",
			"train.en: its lines end with CR alone", "",
		},
		"large Mac": {
			map[string]string{"x.en-de.tsv": strings.Repeat("one line\tof many\r", 1<<13)}, "x.en-de.tsv", "", "",
			"x.en-de.tsv: its lines end with CR alone", "",
		},
		"UTF-32": {
			map[string]string{"train.en": "\xff\xfe\x00\x00a\x00\x00\x00\n\x00\x00\x00", "train.de": "a\n"}, "", "en", "de",
			"train.en: it is in UTF-32", "",
		},
		"tsv empty": {map[string]string{"x.en-de.tsv": ""}, "x.en-de.tsv", "", "", "x.en-de.tsv is empty", ""},
	} {
		_, _, err := Open(filepath.Join(write(t, c.files), c.open), Selection{Source: c.src, Target: c.tgt})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.another) ||
			!strings.HasPrefix(err.Error(), "open corpus: ") {
			t.Errorf("%s: got error %v, want %q and %q in it", name, err, c.want, c.another)
		}
	}
}

// TestOpenDevice: what is no file is refused before it is opened, which may take for ever.
func TestOpenDevice(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "train.en")); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "train.de"), []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, os.DevNull} {
		_, _, err := Open(path, Selection{Source: "en", Target: "de"})
		if err == nil || !strings.Contains(err.Error(), "a pipe or a device") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
