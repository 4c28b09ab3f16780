package document

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTestdata: every file of testdata comes back the same, and survives hostile
// translators.
func TestTestdata(t *testing.T) {
	files, err := filepath.Glob("testdata/files/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := checkIdentical(t, file, data); len(d.Segments) == 0 {
			t.Errorf("%s has no segments", file)
		}
		checkHostile(t, file, data, 200)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"lines", "Dear Ms Doe,\n\nyour order %s is ready.\r\n", "DEAR MS DOE,\n\nYOUR ORDER %s IS READY.\r\n"},
		{"a poem keeps its lines", "The woods are lovely, dark and deep,\nbut I have promises to keep,\n", "THE WOODS ARE LOVELY, DARK AND DEEP,\nBUT I HAVE PROMISES TO KEEP,\n"},
		{"a list keeps its lines", "- one thing of this very long list that fills the whole line up\n- two\n", "- ONE THING OF THIS VERY LONG LIST THAT FILLS THE WHOLE LINE UP\n- TWO\n"},
		{"no end of line", "  end ", "  END "},
		{"empty", "", ""},
	} {
		if got, _ := rebuilt(t, "x.txt", c.in, upper); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestBrokenParagraph(t *testing.T) {
	in := "  The committee met in the town hall on Monday morning and\n  decided that the bridge over the river will be built in\n  the coming year.\n\nSigned\n"
	d := checkIdentical(t, "x.txt", []byte(in))
	if len(d.Segments) != 2 || !strings.Contains(d.Segments[0].Text(), "morning and decided") {
		t.Fatalf("%d segments: %q", len(d.Segments), d.Texts())
	}
	got, _ := rebuilt(t, "x.txt", in, func(s string) (string, bool) {
		return strings.ReplaceAll(s, "committee", "extraordinary steering committee"), true
	})
	want := "  The extraordinary steering committee met in the town hall on\n  Monday morning and decided that the bridge over the river\n  will be built in the coming year.\n\nSigned\n"
	for _, l := range strings.Split(got, "\n") {
		if len(l) > 62 {
			t.Errorf("line %q is too long", l)
		}
	}
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") || strings.Count(got, "\n  ") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestSubtitles(t *testing.T) {
	srt := "1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>Where were you</i>\r\nlast night?\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n- At home.\r\n- I don't believe you.\r\n"
	d := checkIdentical(t, "x.srt", []byte(srt))
	if got, want := strings.Join(d.Texts(), "|"), "Where were you last night?|Where were you|last night?|At home.|I don't believe you."; got != want {
		t.Errorf("texts %q, want %q", got, want)
	}
	long := map[string]string{
		"Where were you last night?": "Wo bist du denn die ganze gestrige Nacht lang gewesen?", "Where were you": "Wo bist du denn", "last night?": "gestern Nacht?",
		"At home.": "Zu Hause.", "I don't believe you.": "Das glaube ich dir nicht.",
	}
	got, flags := rebuilt(t, "x.srt", srt, func(s string) (string, bool) { x, ok := long[s]; return x, ok })
	want := "1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<i>Wo bist du denn</i> die ganze\r\ngestrige Nacht lang gewesen?\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n- Zu Hause.\r\n- Das glaube ich dir nicht.\r\n"
	if got != want || len(flags) != 0 {
		t.Errorf("flags %v\n got %q\nwant %q", flags, got, want)
	}
	vtt := "WEBVTT - title\nKind: captions\n\nNOTE a note stays\n\nSTYLE\n::cue { color: red }\n\nname\n00:01.000 --> 00:02.000 line:0 align:start\n<v Bob>Salt &amp; <c.loud>pepper</c> <00:01.500>please\n"
	got, _ = rebuilt(t, "x.vtt", vtt, upper)
	want = strings.Replace(vtt, "Salt &amp; <c.loud>pepper</c> <00:01.500>please", "SALT &amp; <c.loud>PEPPER</c> <00:01.500>PLEASE", 1)
	if got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if _, err := Parse("x.srt", []byte("no cues\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("an SRT without cues: %v", err)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("Dear %s,\n\nThe committee met in the town hall on Monday morning and\ndecided that the bridge over the river will be built in\nthe year.\n"))
	f.Add([]byte("\xff\xfea\x00\n\x00"))
	f.Add([]byte("caf\xe9 <b>x</b>\r\n"))
	f.Add([]byte("caPAa<B>B</B>00")) // a translation began a comment before the tag
	f.Fuzz(func(t *testing.T, data []byte) { fuzzOne(t, "x.txt", data) })
}

func FuzzSubtitles(f *testing.F) {
	f.Add([]byte("1\n00:00:01,000 --> 00:00:02,500\n{\\an8}<i>Where</i>\nlast?\n- a\n- b\n"), true)
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.000\n<v B>Salt &amp; <c.x>p</c>\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, srt bool) {
		if srt {
			fuzzOne(t, "x.srt", data)
		} else {
			fuzzOne(t, "x.vtt", data)
		}
	})
}

// fuzzOne: what is read comes back the same, and survives a hostile translator.
func fuzzOne(t *testing.T, name string, data []byte) {
	d, err := Parse(name, data)
	if err != nil {
		return
	}
	identical(t, name, data, d)
	checkHostile(t, name, data, 8)
}

// TestFillLinear: a word of thousands of tags is not copied once for each of them.
func TestFillLinear(t *testing.T) {
	var pieces []Piece
	for range 1 << 14 {
		pieces = append(pieces, Piece{Kind: Plain, Text: "xyz"}, Piece{Kind: Code, Raw: "<b>"})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := fill(pieces, maxLine, "\n", true, func(s string) string { return s }, nil)
	runtime.ReadMemStats(&after)
	if want := strings.Repeat("xyz<b>", 1<<14); out != want {
		t.Errorf("%d bytes, want %d", len(out), len(want))
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 100*uint64(len(out)) {
		t.Errorf("%d bytes take %d of memory", len(out), took)
	}
}

// TestMissingLine: the number of the next cue is no text where the blank line before it is
// missing.
func TestMissingLine(t *testing.T) {
	in := "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000 --> 00:00:04,000\ntwo\n3\nfour\n"
	out, _ := rebuilt(t, "x.srt", in, upper)
	if want := strings.NewReplacer("one", "ONE", "two\n3\nfour", "TWO 3 FOUR").Replace(in); out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}
