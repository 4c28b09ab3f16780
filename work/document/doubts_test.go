package document

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDoubts(t *testing.T) {
	for _, c := range []struct {
		source, translation string
		want                []Reason
	}{
		{"The old mill stands on a hill.", "Die alte Mühle steht auf einem Hügel.", nil},
		{"12 %", "", nil},
		{"Yes.", "Ja.", nil},
		{"5 km", "5 公里", nil},

		{"The old mill stands on a hill.", "", []Reason{Empty}},
		{"The old mill stands on a hill.", "... 12!", []Reason{Empty}},

		{"The old mill stands.", "Die Mühle Mühle Mühle steht.", []Reason{Repeats}},
		{"The old mill stands.", "Die Mühle, die Mühle, die Mühle.", []Reason{Repeats}},
		{"The old mill stands here.", "Die alte Mühle steht, die alte Mühle steht.", []Reason{Repeats}},
		{"The old mill stands.", "Die Mühlmühlmühlmühle steht.", []Reason{Repeats}},
		{"The man plays with his old dog near some trees.", "Ein Mann mit Mann im Mann und Mann am Mann bei Mann.", []Reason{Repeats}},
		{"The old mill stands on a hill near the sea.", "古い水車小屋水車小屋が立っている。", []Reason{Repeats}},
		{"The old mill stands on a hill near the sea.", "我我我我站在山上。", []Reason{Repeats}},
		{"No, no, no!", "Nein, nein, nein!", nil},
		{"very very good", "sehr, sehr gut", nil},
		{"Ha ha ha ha!", "Hahahaha!", nil},
		{"%s: %s %s %s %s failed", "%s: %s %s %s %s fehlgeschlagen", nil},
		{"The man who came in was the man who had the key of the house.", "Der Mann, der hereinkam, war der Mann, der den Schlüssel des Hauses hatte.", nil},

		{"The old mill stands on a hill near the sea, and nobody has lived there for a hundred years.", "Die Mühle.", []Reason{Length}},
		{"Yes.", "Ja, das ist es, was ich immer schon einmal sagen wollte, aber nicht.", []Reason{Length}},
		{"The old mill stands on a hill near the sea, and nobody has lived there for a hundred years.", "老磨坊矗立在海边的山上，一百年来没有人住过。", nil},
		{"老磨坊矗立在海边的山上，一百年来没有人住过。", "The old mill stands on a hill near the sea, and nobody has lived there for a hundred years.", nil},
		{"Yes.", "Selbstverständlich.", nil},

		{"The old mill stands on a hill.", "The old mill stands on a hill.", []Reason{Copied}},
		{"The old mill stands on a hill near the wide sea.", "The old Mill stands on a hill near the sea!", []Reason{Copied}},
		{"老磨坊矗立在山上。", "老磨坊矗立在山上", []Reason{Copied}},
		{"Hamburg Altona, Berlin Mitte, 12 May", "Hamburg Altona, Berlin Mitte, 12 May", nil},
		{"git clone", "git clone", nil},
		{"https://example.org/the/old/mill/on/a/hill", "https://example.org/the/old/mill/on/a/hill", nil},
		{"The old mill stands on a hill.", strings.Repeat("The old mill stands on a hill. ", 9), []Reason{Repeats, Length}},
	} {
		if got := Doubts(c.source, c.translation, "en", "de"); !slices.Equal(got, c.want) {
			t.Errorf("%q -> %q: %v, want %v", c.source, c.translation, got, c.want)
		}
	}
	const same = "The old mill stands on a hill."
	if got := Doubts(same, same, "en_GB", "eng"); got != nil {
		t.Errorf("a copy in the same language: %v", got)
	}
	if got := Doubts(same, same, "", "de"); !slices.Equal(got, []Reason{Copied}) {
		t.Errorf("a copy from an unknown language: %v", got)
	}
}

// TestDoubtsOfLoops: a translation whose end a model repeats looks wrong, wherever the loop
// begins and however long it is.
func TestDoubtsOfLoops(t *testing.T) {
	words := strings.Fields("der Mann steht mit einem roten Hut vor dem alten Haus und sieht den Zug der nach Norden fährt")
	source := "the man stands with a red hat in front of the old house and sees the train that goes to the north"
	if got := Doubts(source, strings.Join(words, " "), "en", "de"); got != nil {
		t.Fatalf("without a loop: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.IntRange(1, len(words)).Draw(t, "end")
		loop := rapid.IntRange(1, end).Draw(t, "loop")
		times := rapid.IntRange(3, 9).Draw(t, "times")
		looped := slices.Clone(words[:end])
		for range times - 1 {
			looped = append(looped, words[end-loop:end]...)
		}
		if got := Doubts(source, strings.Join(looped, " "), "en", "de"); !slices.Contains(got, Repeats) {
			t.Fatalf("%q: %v", looped, got)
		}
	})
}

// TestRebuildDoubts: what looks wrong is flagged, and marked where a format has a mark.
func TestRebuildDoubts(t *testing.T) {
	d, err := Parse("mill.po", []byte("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\nmsgid \"the old mill on the hill\"\nmsgstr \"\"\n\nmsgid \"the sea\"\nmsgstr \"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"the old mill on the hill": "die die die die Mühle", "the sea": "das Meer"}
	out, flags, err := d.Rebuild(Translations{Source: "en", Target: "de", Of: func(s string) (string, bool) { t, ok := known[s]; return t, ok }})
	if err != nil || len(flags) != 1 || flags[0].Reason != Repeats || flags[0].Text != "the old mill on the hill" {
		t.Errorf("flags %+v, %v", flags, err)
	}
	if s := string(out); !strings.Contains(s, "#, fuzzy\nmsgid \"the old mill") || strings.Count(s, "fuzzy") != 1 {
		t.Errorf("the file is\n%s", s)
	}
}

// FuzzDoubts: no text takes long, and the doubts are those of the list, each once.
func FuzzDoubts(f *testing.F) {
	f.Add("The old mill.", "Die Mühle Mühle Mühle.")
	f.Add("a\u0301\u0301%s<b>三 \xff", strings.Repeat("\u0301三a", 99))
	f.Fuzz(func(t *testing.T, source, translation string) {
		got := Doubts(source, translation, "en", "de")
		for i, r := range got {
			if !slices.Contains(Reasons(), r) || slices.Contains(got[:i], r) {
				t.Errorf("doubts %v", got)
			}
		}
	})
}

func BenchmarkDoubts(b *testing.B) {
	source := strings.Repeat("the man stands with a red hat in front of the old house and sees ", 3)
	target := strings.Repeat("der Mann steht mit einem roten Hut vor dem alten Haus und sieht ", 3)
	b.SetBytes(int64(len(source) + len(target)))
	for b.Loop() {
		Doubts(source, target, "en", "de")
	}
}
