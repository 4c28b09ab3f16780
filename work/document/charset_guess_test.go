package document

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/htmlindex"
)

// spokenTexts are texts of languages by the charsets that they were written in.
var spokenTexts = []struct{ charsets, text string }{
	{"windows-1252", "Die Möwen kreisten über dem Hafen, während die Fischer ihre Netze flickten. Später gab es heiße Suppe für alle."},
	{"windows-1252", "Les élèves étaient déjà rentrés quand la pluie a commencé à tomber sur le vieux château de la forêt."},
	{"windows-1252", "A mañana siguiente, el niño encontró un pequeño pájaro bajo el árbol del jardín y corrió a enseñárselo a su madre."},
	{"windows-1252", "As crianças não sabiam que a estação já estava fechada; à noite, os pães ainda cheiravam na cozinha da avó."},
	{"windows-1252", "Børnene løb ned ad vejen og så, at båden allerede lå ude på søen, hvor fiskerne råbte til hinanden."},
	{"windows-1250 iso-8859-2", "Dzieci wróciły późno do domu, ponieważ łódka na jeziorze została uszkodzona i trzeba było iść pieszo przez las."},
	{"windows-1250 iso-8859-2", "Když děti přišly k řece, uviděly, že most už není na svém místě a že voda stoupla až k prvním domům vesnice."},
	{"windows-1250 iso-8859-2", "A gyerekek később értek haza, mert a hídon túl nagy volt a tömeg, és az idős hölgynek segíteniük kellett átkelni."},
	{"windows-1254", "Çocuklar akşam eve döndüğünde, büyükanneleri mutfakta sıcak ekmek pişiriyor ve eski bir şarkı söylüyordu."},
	{"windows-1257", "Vaikai grįžo namo vėlai, nes kelias per mišką buvo užverstas šakomis ir jiems reikėjo eiti aplink ežerą."},
	{"windows-1251 koi8-r iso-8859-5 ibm866", "Дети вернулись домой поздно, потому что мост через реку был закрыт, и им пришлось идти пешком через лес."},
	{"windows-1251 koi8-u", "Діти повернулися додому пізно, бо міст через річку було зачинено, і їм довелося йти пішки через ліс до села."},
}

// TestGuessCharset: text without a declaration is read in its charset, as plain text and as HTML,
// and comes back in it.
func TestGuessCharset(t *testing.T) {
	for _, p := range spokenTexts {
		for _, charset := range strings.Fields(p.charsets) {
			code, err := htmlindex.Get(charset)
			if err != nil {
				t.Fatal(err)
			}
			data, err := code.NewEncoder().String(p.text)
			if err != nil {
				t.Fatal(err)
			}
			for name, file := range map[string]string{"x.txt": data + "\n", "x.html": "<p class=intro>" + data + "</p>", "x.srt": "1\n00:00:01,000 --> 00:00:02,000\n" + data + "\n"} {
				d := checkIdentical(t, name, []byte(file))
				if len(d.Segments) != 1 || d.Segments[0].Text() != p.text {
					t.Errorf("%s in %s: %q", name, charset, d.Segments[0].Text())
				}
			}
		}
	}
}

// TestUnknownCharset: text that does not show its charset is refused, and never read in a wrong
// one. The error says what to do.
func TestUnknownCharset(t *testing.T) {
	for charset, text := range map[string]string{
		"windows-1253": "Τα παιδιά γύρισαν αργά στο σπίτι, επειδή η γέφυρα ήταν κλειστή και έπρεπε να περπατήσουν.",
		"windows-1255": "הילדים חזרו הביתה מאוחר כי הגשר מעל הנהר היה סגור והם נאלצו ללכת ברגל דרך היער.",
		"windows-1256": "عاد الأطفال إلى البيت متأخرين لأن الجسر فوق النهر كان مغلقا واضطروا إلى المشي عبر الغابة.",
		"windows-874":  "เด็กๆ กลับบ้านช้าเพราะสะพานข้ามแม่น้ำปิดและต้องเดินผ่านป่า",
		"shift_jis":    "橋が閉まっていたので、子供たちは森を歩いて遅く家に帰りました。",
		"gb18030":      "因为河上的桥关闭了，孩子们只好步行穿过森林，很晚才回到家。",
		"euc-kr":       "강을 건너는 다리가 닫혀서 아이들은 숲을 걸어 늦게 집에 돌아왔습니다.",
		"macintosh":    "Die Möwen kreisten über dem Hafen, während die Fischer ihre Netze flickten.",
		"iso-8859-7":   "Καλημέρα", // too short
	} {
		code, err := htmlindex.Get(charset)
		if err != nil {
			t.Fatal(err)
		}
		data, err := code.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"x.txt", "x.html", "x.md", "x.yaml"} {
			_, err := Parse(name, []byte(data+"\n"))
			if err == nil || !strings.Contains(err.Error(), "convert it to UTF-8") {
				t.Errorf("%s in %s: %v", name, charset, err)
			}
		}
	}
}

// TestDeclaredCharset: what the file says counts, in each format that can say it.
func TestDeclaredCharset(t *testing.T) {
	koi8, err := htmlindex.Get("koi8-r")
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"x.html":  "<meta charset=koi8-r><p>мост</p>",
		"x.htm":   "<meta http-equiv=Content-Type content='text/html; charset=KOI8-R'><p>мост</p>",
		"x.xhtml": "<?xml version='1.0' encoding='KOI8-R'?><html xmlns='http://www.w3.org/1999/xhtml'><body><p>мост</p></body></html>",
		"x.po":    "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=KOI8-R\\n\"\n\nmsgid \"мост\"\nmsgstr \"\"\n",
	} {
		data, err := koi8.NewEncoder().String(file)
		if err != nil {
			t.Fatal(err)
		}
		d := checkIdentical(t, name, []byte(data))
		if len(d.Segments) != 1 || d.Segments[0].Text() != "мост" {
			t.Errorf("%s: %+v", name, d.Segments)
		}
	}
}
