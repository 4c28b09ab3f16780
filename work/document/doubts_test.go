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

// TestDoubtsOfShortTexts: good translations of short texts have no doubt: buttons, names, commands,
// addresses, long words, refrains, and what repeats itself in both languages.
func TestDoubtsOfShortTexts(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(shortTexts), "\n") {
		f := strings.Split(line, "|")
		if got := Doubts(f[2], f[3], f[0], f[1]); len(got) > 0 {
			t.Errorf("%q is translated as %q: %v", f[2], f[3], got)
		}
	}
}

// shortTexts has on each line two languages, a text in the first and its translation.
const shortTexts = `
en|de|OK|OK
en|de|Internet|Internet
en|de|Cancel|Abbrechen
en|de|no no no no|nein nein nein nein
en|de|No|Nein
en|de|Set|Einstellungen übernehmen
en|de|Log in|Anmelden
en|de|Settings|Einstellungen
en|de|Undo|Rückgängig machen
en|de|Motor third-party liability insurance|Kraftfahrzeughaftpflichtversicherung
en|de|Danube steamship company captain|Donaudampfschifffahrtsgesellschaftskapitän
en|de|Beef labelling supervision duties delegation act|Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz
en|de|Ha ha ha ha ha ha!|Hahahahahaha!
en|de|bla bla bla|blablablabla
en|de|www.example.org|www.example.org
en|de|See https://example.org/a/b/c?d=e for more|Mehr unter https://example.org/a/b/c?d=e
en|de|git commit --amend --no-edit|git commit --amend --no-edit
en|de|docker run --rm alia|docker run --rm alia
en|de|Johann Sebastian Bach|Johann Sebastian Bach
en|de|Ludwig van Beethoven|Ludwig van Beethoven
en|de|Jean-Claude van Damme and the others|Jean-Claude van Damme und die anderen
en|de|Yes Yes Yes Yes Yes Yes|Ja Ja Ja Ja Ja Ja
en|de|Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.|Rudert, rudert, rudert euer Boot, sanft den Strom hinab. Fröhlich, fröhlich, fröhlich, fröhlich, das Leben ist nur ein Traum.
en|de|yes no yes no yes no|ja nein ja nein ja nein
en|de|N/A|entfällt
en|de|n/a|nicht zutreffend
en|de|TBD|noch festzulegen
en|de|ID|Identifikationsnummer
en|de|Qty|Menge
en|de|FAQ|Häufig gestellte Fragen
en|de|VAT|Mehrwertsteuer
en|de|HIV|Humanes Immundefizienz-Virus
en|de|5 km|5 km
en|de|Chapter 5|Kapitel 5
en|de|Wi-Fi|WLAN
en|de|Download|Download
en|de|the computer hardware software system|das Computer-Hardware-Software-System
en|de|Hotel Restaurant Bar Sauna|Hotel Restaurant Bar Sauna
en|fr|OK|OK
en|fr|Home|Accueil
en|fr|Weekend|Week-end
en|fr|Restaurant|Restaurant
en|fr|Bye-bye|Au revoir
en|fr|a la carte|à la carte
en|fr|Sign up|Créer un compte
en|fr|Mute|Couper le son
en|fr|Log out|Se déconnecter de votre compte
en|fr|Sibling|Frère ou sœur
en|fr|no no no no|non non non non
en|fr|email address|adresse e-mail
en|fr|Ninety-nine|Quatre-vingt-dix-neuf
en|fr|99 red balloons|quatre-vingt-dix-neuf ballons rouges
en|fr|So so so so|Comme ci, comme ça
en|fr|We|Nous, nous
en|fr|Very very good|Très très très bon
en|es|Hello, hello, hello|Hola, hola, hola
en|es|tomorrow morning|mañana por la mañana
en|es|I|Yo
en|es|Total total total|Total total total
en|es|No one ever says nothing to nobody|Nadie nunca dice nada a nadie
en|zh|OK|好的
en|zh|United States of America|美利坚合众国
en|zh|Internet|互联网
en|zh|Slowly, slowly|慢慢地慢慢地
en|zh|ha ha ha ha ha ha|哈哈哈哈哈哈
en|zh|Dad|爸爸
zh|en|哈哈哈|Ha ha ha
zh|en|妈妈骂马吗|Does mother scold the horse?
zh|en|加油|Come on, you can do it!
zh|en|塞翁失马焉知非福|A loss may turn out to be a gain
zh|en|干杯|Cheers! Bottoms up, everybody!
zh|en|谢谢谢谢谢谢|Thank you, thank you, thank you
zh|en|一二三四五|one two three four five
en|ja|Settings|設定
en|ja|Personal computer|パーソナルコンピューター
en|ja|Please|どうぞよろしくお願いいたします
en|ja|Mother and father|母と父とお母さんとお父さん
en|ja|Various people|人々人々
ja|en|よろしくお願いいたします|Thank you
ja|en|お世話になっております|Hello
ja|en|いただきます|Let us eat!
ja|en|ありがとうございました|Thanks
ja|en|はい|Yes
de|en|Rechtsschutzversicherungsgesellschaften|insurance companies providing legal protection
de|en|Bitte|Please
de|en|doch|on the contrary, I do
de|en|Hahahahahaha|LOL
de|en|Das das das dass|That the that that
de|en|Geschwindigkeitsbegrenzung|Limit
de|en|Sehr geehrte Damen und Herren,|Hello,
de|en|Handy|Cell phone
en|de|name surname street city|name vorname strasse stadt
en|de|cc to bcc|Kopie an Blindkopie
en|de|WWW|WWW
en|de|0|0
en|de|a|ein
en|de|a b c d e f g|a b c d e f g
en|de|red green blue black white grey|rot grün blau schwarz weiß grau
`
