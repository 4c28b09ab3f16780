package corrections_test

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/node/corrections"
	"github.com/alia-network/alia/protocol"
)

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		source, machine, human string
		want                   corrections.Judgement
		reason                 string
	}{
		{"The dog walks in the park.", "Der Hund geht in den Park.", "Der Hund läuft im Park.", corrections.Good, "version 1"},
		{"Hello %s, you have {n} files.", "Hallo %s, Sie hat {n} Dateien.", "Hallo %s, Sie haben {n} Dateien.", corrections.Good, ""},
		{"Hello %s, you have {n} files.", "Hallo %s, Sie hat {n} Dateien.", "Hallo, Sie haben {n} Dateien.", corrections.Bad, "codes"},
		{"Hi.", "Hallo.", "Hallo!!!!!!", corrections.Bad, "noise: a character stands 6 times"},
		{"Wait ....", "Warte ....", "Warten Sie ....", corrections.Good, ""}, // the source has them
		{"It cost 1000000 euros.", "Es kosten 1000000 Euro.", "Es kostet 1000000 Euro.", corrections.Good, ""},
		{"It cost 10 euros.", "Es kosten 10 Euro.", "Es kostet 12 Euro.", corrections.AskPerson, "numbers"},
		{"Hello world.", "Hallo Welt.", "Hallo, Welt!", corrections.AskPerson, "small"},
		{"Hello world.", "Hallo Welt.", "Hallo schöne Welt.", corrections.AskPerson, "added"},
		{"Berlin", "Bärlin", "Berlin", corrections.AskPerson, "copy"},
		{"Hello.", "Hallo.", "Hallo hallo hallo.", corrections.Bad, "noise: it repeats"},
		{"Where is the station, please?", "Wo ist der Bahnhof, bitte?", "Where can I find the railway station around here?", corrections.AskPerson, "language"},
		{"Where is the station, please?", "Wo ist der Bahnhof, bitte?", "Zugverbindungen suche ich gerade vergeblich am Platz", corrections.AskPerson, "far"},
		{"Yes.", "Ja.", "Das ist eine Antwort, die sehr viel länger ist als die Frage selbst.", corrections.AskPerson, "length"},
	} {
		c := protocol.Correction{Src: "en", Dst: "de", Source: test.source, Machine: test.machine, Human: test.human, Model: model, How: how}
		v, reason := corrections.Judge(&c)
		if v != test.want || !strings.Contains(reason, test.reason) {
			t.Errorf("%q: %v, %s; want %v, %s", test.human, v, reason, test.want, test.reason)
		}
	}
	// What nobody can check is for a person.
	c := protocol.Correction{Src: "en", Dst: "de", Source: "Hello.", Machine: "Halo.", Human: "Hallo."}
	if v, reason := corrections.Judge(&c); v != corrections.AskPerson || !strings.HasPrefix(reason, "own") {
		t.Error(v, reason)
	}
}
