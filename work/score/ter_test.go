package score

import (
	"math"
	"strings"
	"testing"
)

// TestTERPublished: the cases of sacreBLEU's own tests.
func TestTERPublished(t *testing.T) {
	for _, c := range []struct {
		hyp, ref []string
		want     float64
	}{
		{[]string{"aaaa bbbb cccc dddd"}, []string{"aaaa bbbb cccc dddd"}, 0},
		{[]string{"dddd eeee ffff"}, []string{"aaaa bbbb cccc"}, 100},
		{[]string{""}, []string{"a"}, 100},
		{[]string{"d e f g h a b c"}, []string{"a b c d e f g h"}, 12.5},
		{[]string{
			`wählen Sie " Bild neu berechnen , " um beim Ändern der Bildgröße Pixel hinzuzufügen oder zu entfernen , damit das Bild ungefähr dieselbe Größe aufweist wie die andere Größe .`,
			`wenn Sie alle Aufgaben im aktuellen Dokument aktualisieren möchten , wählen Sie im Menü des Aufgabenbedienfelds die Option " Alle Aufgaben aktualisieren . "`,
			`klicken Sie auf der Registerkarte " Optionen " auf die Schaltfläche " Benutzerdefiniert " und geben Sie Werte für " Fehlerkorrektur-Level " und " Y / X-Verhältnis " ein .`,
			`Sie können beispielsweise ein Dokument erstellen , das ein Auto über die Bühne enthält .`,
			`wählen Sie im Dialogfeld " Neu aus Vorlage " eine Vorlage aus und klicken Sie auf " Neu . "`,
		}, []string{
			`wählen Sie " Bild neu berechnen , " um beim Ändern der Bildgröße Pixel hinzuzufügen oder zu entfernen , damit die Darstellung des Bildes in einer anderen Größe beibehalten wird .`,
			`wenn Sie alle Aufgaben im aktuellen Dokument aktualisieren möchten , wählen Sie im Menü des Aufgabenbedienfelds die Option " Alle Aufgaben aktualisieren . "`,
			`klicken Sie auf der Registerkarte " Optionen " auf die Schaltfläche " Benutzerdefiniert " und geben Sie für " Fehlerkorrektur-Level " und " Y / X-Verhältnis " niedrigere Werte ein .`,
			`Sie können beispielsweise ein Dokument erstellen , das ein Auto enthalt , das sich über die Bühne bewegt .`,
			`wählen Sie im Dialogfeld " Neu aus Vorlage " eine Vorlage aus und klicken Sie auf " Neu . "`,
		}, 13.6},
		{[]string{"a b"}, []string{""}, 100},
		{[]string{""}, []string{""}, 0},
		{[]string{"A  b\tc"}, []string{"a b c"}, 0},
	} {
		got, err := TER{}.Metric().Score(c.hyp, References(c.ref))
		if err != nil || math.Abs(got-c.want) > 0.1 {
			t.Errorf("%.40q: %v, %v; want %v", c.hyp, got, err, c.want)
		}
	}
	if _, err := (TER{}).Metric().Score([]string{"a"}, nil); err == nil {
		t.Error("lists of different lengths were compared")
	}
}

// FuzzTER: no edits are needed exactly where the words are the same, and never
// more than the longer side has.
func FuzzTER(f *testing.F) {
	f.Add("a b c d", "d a b c")
	f.Add("a a a a a a", "a b a")
	f.Add(strings.Repeat("x ", 120), strings.Repeat("x y ", 60))
	f.Fuzz(func(t *testing.T, hyp, ref string) {
		if len(hyp)+len(ref) > 400 {
			t.Skip()
		}
		h, r := TER{}.words(hyp), TER{}.words(ref)
		edits := editsOf(h, r)
		same := strings.Join(h, " ") == strings.Join(r, " ")
		if same != (edits == 0) || edits > max(len(h), len(r)) {
			t.Errorf("%q to %q: %d edits", hyp, ref, edits)
		}
	})
}
