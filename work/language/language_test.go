package language

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/work/language/profile"
)

// sentences are ours: no source of the profile has them.
var sentences = []struct{ language, script, text string }{
	{"af", "Latn", "Ons het gister saam met die kinders na die strand gery en daar geswem."},
	{"ar", "Arab", "ذهبنا أمس مع الأطفال إلى البحر وأكلنا السمك في مطعم صغير."},
	{"be", "Cyrl", "Учора мы з дзецьмі ездзілі да возера і доўга гулялі ў лесе."},
	{"bg", "Cyrl", "Вчера отидохме с децата на морето и ядохме риба в малък ресторант."},
	{"bn", "Beng", "গতকাল আমরা বাচ্চাদের সাথে নদীর ধারে বেড়াতে গিয়েছিলাম।"},
	{"ca", "Latn", "Ahir vam anar a la platja amb els nens i vam menjar peix en un restaurant petit."},
	{"cs", "Latn", "Včera jsme jeli s dětmi k řece a potom jsme večeřeli v malé hospodě."},
	{"cy", "Latn", "Aethon ni i lan y môr gyda'r plant ddoe a bwyta pysgod mewn bwyty bach."},
	{"da", "Latn", "I går tog vi til stranden med børnene, og bagefter spiste vi aftensmad på en lille kro."},
	{"de", "Latn", "Gestern sind wir mit den Kindern ans Meer gefahren und haben dort Fisch gegessen."},
	{"el", "Grek", "Χθες πήγαμε με τα παιδιά στη θάλασσα και φάγαμε ψάρι."},
	{"en", "Latn", "Yesterday we drove to the sea with the children and ate fish in a small restaurant."},
	{"eo", "Latn", "Hieraŭ ni veturis kun la infanoj al la maro kaj manĝis fiŝon en malgranda restoracio."},
	{"es", "Latn", "Ayer fuimos a la playa con los niños y comimos pescado en un restaurante pequeño."},
	{"et", "Latn", "Eile sõitsime lastega mere äärde ja sõime väikeses restoranis kala."},
	{"eu", "Latn", "Atzo umeekin hondartzara joan ginen eta arraina jan genuen jatetxe txiki batean."},
	{"fa", "Arab", "دیروز با بچه\u200cها به کنار دریا رفتیم و در رستوران کوچکی ماهی خوردیم."},
	{"fi", "Latn", "Eilen ajoimme lasten kanssa meren rannalle ja söimme kalaa pienessä ravintolassa."},
	{"fr", "Latn", "Hier, nous sommes allés à la mer avec les enfants et nous avons mangé du poisson."},
	{"ga", "Latn", "Chuamar cois farraige leis na páistí inné agus d'itheamar iasc i mbialann bheag."},
	{"gl", "Latn", "Onte fomos coa xente á praia e xantamos peixe; despois choveu e volvemos xa á casa."},
	{"he", "Hebr", "אתמול נסענו עם הילדים לים ואכלנו דגים במסעדה קטנה."},
	{"hi", "Deva", "कल हम बच्चों के साथ नदी के किनारे घूमने गए थे और वहाँ खाना खाया।"},
	{"hr", "Latn", "Jučer smo se s djecom odvezli na more i tjedan dana ostali u kući uz cestu."},
	{"hu", "Latn", "Tegnap a gyerekekkel a tóhoz mentünk, és halat ettünk egy kis étteremben."},
	{"hy", "Armn", "Երեկ երեխաների հետ գնացինք լիճ։"},
	{"id", "Latn", "Kemarin kami pergi ke pantai bersama anak-anak karena cuacanya bagus dan bisa berenang."},
	{"is", "Latn", "Í gær fórum við með börnin að sjónum og borðuðum fisk á litlum veitingastað."},
	{"it", "Latn", "Ieri siamo andati al mare con i bambini e abbiamo mangiato il pesce in un piccolo ristorante."},
	{"ja", "Jpan", "昨日は子供たちと海へ行って、小さな店で魚を食べました。"},
	{"ka", "Geor", "გუშინ ბავშვებთან ერთად ზღვაზე წავედით."},
	{"kk", "Cyrl", "Кеше біз балалармен бірге көлге барып, балық жедік."},
	{"km", "Khmr", "ម្សិលមិញយើងបានទៅសមុទ្រជាមួយកូនៗ។"},
	{"ko", "Kore", "어제 우리는 아이들과 바다에 가서 생선을 먹었습니다."},
	{"lt", "Latn", "Vakar su vaikais važiavome prie jūros ir mažame restorane valgėme žuvį."},
	{"lv", "Latn", "Vakar mēs ar bērniem braucām pie jūras un mazā restorānā ēdām zivis."},
	{"mk", "Cyrl", "Вчера отидовме со децата на езеро и јадевме риба во мал ресторан."},
	{"mr", "Deva", "काल आम्ही मुलांसोबत नदीकाठी फिरायला गेलो होतो आणि तिथे जेवलो."},
	{"ms", "Latn", "Semalam kami pergi ke pantai bersama kanak-kanak kerana cuaca baik dan boleh berenang."},
	{"nb", "Latn", "I går kjørte vi til sjøen med barna, og etterpå spiste vi fisk på en liten restaurant."},
	{"ne", "Deva", "हिजो हामी केटाकेटीहरूसँग नदी किनारमा घुम्न गएका थियौं र त्यहीँ खाना खायौं।"},
	{"nl", "Latn", "Gisteren zijn we met de kinderen naar zee gereden en hebben we vis gegeten."},
	{"nn", "Latn", "I går køyrde vi til sjøen med borna, og etterpå åt me fisk på ein liten kafé der dei ikkje hadde kjøt."},
	{"pl", "Latn", "Wczoraj pojechaliśmy z dziećmi nad morze i zjedliśmy rybę w małej restauracji."},
	{"pt", "Latn", "Ontem fomos à praia com as crianças e comemos peixe num restaurante pequeno."},
	{"ro", "Latn", "Ieri am fost cu copiii la mare și am mâncat pește într-un restaurant mic."},
	{"ru", "Cyrl", "Вчера мы с детьми ездили к морю и ели рыбу в маленьком ресторане."},
	{"sk", "Latn", "Včera sme išli s deťmi k rieke a potom sme večerali v malej reštaurácii."},
	{"sl", "Latn", "Včeraj smo se z otroki peljali na morje in v majhni gostilni jedli ribe."},
	{"sq", "Latn", "Dje shkuam me fëmijët në det dhe hëngrëm peshk në një restorant të vogël."},
	{"sr", "Cyrl", "Јуче смо са децом ишли на језеро и јели рибу у малом ресторану."},
	{"sv", "Latn", "I går åkte vi till havet med barnen och åt fisk på en liten restaurang."},
	{"sw", "Latn", "Jana tulikwenda baharini pamoja na watoto na tukala samaki katika mkahawa mdogo."},
	{"ta", "Taml", "நேற்று நாங்கள் குழந்தைகளுடன் கடற்கரைக்குச் சென்றோம்."},
	{"th", "Thai", "เมื่อวานเราไปทะเลกับเด็กๆ และกินปลา"},
	{"tl", "Latn", "Kahapon pumunta kami sa dagat kasama ang mga bata at kumain kami ng isda."},
	{"tr", "Latn", "Dün çocuklarla denize gittik ve küçük bir lokantada balık yedik."},
	{"uk", "Cyrl", "Учора ми з дітьми їздили до моря і їли рибу в маленькому ресторані."},
	{"ur", "Arab", "کل ہم بچوں کے ساتھ سمندر پر گئے تھے اور وہاں مچھلی کھائی۔"},
	{"vi", "Latn", "Hôm qua chúng tôi đã đi biển với các con và ăn cá ở một quán nhỏ."},
	{"yi", "Hebr", "נעכטן זענען מיר געפֿאָרן מיט די קינדער צום ים און געגעסן פֿיש."},
	{"zh", "Hans", "昨天我们带孩子们去海边，在一家小饭馆吃了鱼。"},
	{"zh", "Hant", "昨天我們帶孩子們去海邊，在一家小飯館吃了魚。"},
}

func TestDetect(t *testing.T) {
	for _, s := range sentences {
		got := Detect(s.text)
		if got.Language != s.language || got.Script != s.script || got.Percent < likely || got.Percent > 99 {
			t.Errorf("%q: %+v, not %s in %s", s.text, got, s.language, s.script)
		}
		if again := Detect(strings.ToUpper(s.text)); s.language != "tr" && again.Language != s.language {
			t.Errorf("%q in capitals: %+v, not %s", s.text, again, s.language)
		}
	}
}

// TestUnknown: what is no prose, or in two languages, is unknown.
func TestUnknown(t *testing.T) {
	for _, text := range []string{
		"", " \n\t", "12345", "3.14 × 2,000 = ?", "https://example.com/path/to/page.html?id=7", "someone@example.org", "{name} %s %1$d ${total} <br/>",
		"🙂🙂🙂", "\xff\xfe\x00\x01", "x", "ж", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "xqzvw kjhgf pqrst wxyz", "{\"fooBar\": [1, 2, 3], \"x_y\": null}",
		"for (int i = 0; i < n; i++) { total += prices[i]; }", "ls -la /usr/share/doc && cat file.txt | grep -v foo_bar",
		"550e8400-e29b-41d4-a716-446655440000", "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
	} {
		if got := Detect(text); got.Language != "" || got.Percent != 0 {
			t.Errorf("%q: %+v, not unknown", text, got)
		}
	}
}

// TestMixed: a text in two languages is at most as sure as its larger part is large.
func TestMixed(t *testing.T) {
	find := func(language string) string {
		for _, s := range sentences {
			if s.language == language {
				return strings.Repeat(s.text+"\n", 10)
			}
		}
		t.Fatal("no sentence in", language)
		return ""
	}
	if got := Detect(find("de") + find("de") + find("de") + find("en")); got.Language != "de" || got.Percent < 60 || got.Percent > 85 {
		t.Errorf("three quarters of German: %+v", got)
	}
	if got := Detect(find("de") + find("ru")); got.Percent > 60 {
		t.Errorf("half German, half Russian: %+v", got)
	}
	if got := Detect("<p class=\"first\">" + find("fr") + "</p> https://example.com {name}"); got.Language != "fr" || got.Percent < 95 {
		t.Errorf("French with tags: %+v", got)
	}
}

// TestDetectAmong: fewer languages make closer ones clear; a text in another language is still unknown.
func TestDetectAmong(t *testing.T) {
	for _, tc := range []struct {
		text      string
		languages []string
		want      string
	}{
		{"Guten Tag", []string{"en", "de"}, "de"},
		{"Vi skal ha fisk", []string{"nb", "en"}, "nb"},
		{"Wir haben gestern Fisch gegessen.", []string{"en-GB", "de_DE.UTF-8"}, "de"},
		{"Wir haben gestern Fisch gegessen.", []string{"en", "fr"}, ""},
		{"Вчера мы ели рыбу.", []string{"en", "de"}, ""},
		{"昨天我们带孩子们去海边。", []string{"zh-Hans"}, "zh"},
		{"Wir haben gestern Fisch gegessen.", []string{}, ""},
		{"Wir haben gestern Fisch gegessen.", []string{"no such language"}, ""},
	} {
		if got := DetectAmong(tc.text, tc.languages); got.Language != tc.want {
			t.Errorf("%q among %q: %+v, not %q", tc.text, tc.languages, got, tc.want)
		}
	}
}

func TestNormalise(t *testing.T) {
	for code, want := range map[string]string{
		"de": "de", "DE": "de", "deu": "de", "ger": "de", "pt-BR": "pt", "zh-Hans": "zh", "zh_TW": "zh", "iw": "he", "in": "id", "ji": "yi", "no": "nb", "nb": "nb", "nn": "nn",
		"fil": "tl", "tl": "tl", "sr-Latn": "sr", "sh": "sr", "de_DE.UTF-8": "de", "ca@valencia": "ca", "kab": "kab",
		"": "", "und": "", "US": "", "Latn": "", "C": "", "German": "", "und-US": "", strings.Repeat("a", 100): "", "de\x00": "",
	} {
		if got := Normalise(code); got != want {
			t.Errorf("Normalise(%q) = %q, not %q", code, got, want)
		}
	}
}

func TestLanguages(t *testing.T) {
	last := ""
	for _, l := range Languages() {
		if l.Code <= last || l.Name == "" || l.OwnName == "" || len(l.Script) != 4 || Normalise(l.Code) != l.Code {
			t.Errorf("%+v after %s (normalised: %s)", l, last, Normalise(l.Code))
		}
		if strings.ContainsFunc(l.OwnName, func(c rune) bool { return unicode.In(c, unicode.Arabic, unicode.Hebrew, unicode.Thaana) }) != l.RightToLeft {
			t.Errorf("%+v: is it written from right to left?", l)
		}
		last = l.Code
	}
	for _, s := range sentences {
		if _, ok := find(s.language); !ok {
			t.Errorf("%s is not listed", s.language)
		}
	}
}

func find(code string) (Language, bool) {
	for _, l := range Languages() {
		if l.Code == code {
			return l, true
		}
	}
	return Language{}, false
}

// TestSample: the work for a long text is bounded, and no character is cut.
func TestSample(t *testing.T) {
	for _, unit := range []string{"a", "é", "語", "🙂", "\x80"} {
		for _, n := range []int{1, wholeText - 1, wholeText, wholeText + 1, 3*wholeText + 7} {
			text := strings.Repeat(unit, n/len(unit)+1)
			total := 0
			for _, part := range sample(text) {
				total += len(part)
				if unit != "\x80" && !utf8.ValidString(part) {
					t.Errorf("%q × %d: a character was cut", unit, n)
				}
			}
			if total > wholeText || len(text) <= wholeText && total != len(text) {
				t.Errorf("%q × %d: %d bytes of %d are read", unit, n, total, len(text))
			}
		}
	}
}

// TestGolden holds the answers of this Version: for our sentences, for pieces of them, for random words,
// and for the class of every character. A new Unicode version in Go's tables that changes an answer shows here.
func TestGolden(t *testing.T) {
	h := sha256.New()
	answer := func(text string) {
		g := Detect(text)
		fmt.Fprintf(h, "%s %d %s\n", g.Language, g.Percent, g.Script)
	}
	all := ""
	for _, s := range sentences {
		answer(s.text)
		runes := []rune(s.text)
		for i := 0; i < len(runes); i += 5 {
			answer(string(runes[i:min(len(runes), i+20)]))
		}
		all += s.text + "\n"
	}
	answer(all)
	answer(strings.Repeat(all, 20))
	seed := uint32(1)
	for range 300 {
		var text []rune
		for range 40 {
			seed = seed*1664525 + 1013904223
			text = append(text, []rune("etaoin shrdlu äöüéèñçø ijklp")[seed>>16%28])
		}
		answer(string(text))
	}
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if s := profile.ScriptOf(c); s != 0 {
			fmt.Fprintf(h, "%d %d %d %t %t\n", c, s, unicode.ToLower(c), unicode.IsUpper(c), unicode.IsLower(c))
		}
	}
	const want = "6571edff75611acb1e13331b4ff07c0dd5e35c1eed62cbc9e90a185845c662b3"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the answers have digest %s, not %s: they may change only with Version", got, want)
	}
}

func FuzzDetect(f *testing.F) {
	for _, s := range sentences {
		f.Add(s.text)
	}
	for _, s := range []string{"", "\xff\xfe", "<a<a<a", "{{{{", "%1$", "&amp;", "a'", "'", "İI", strings.Repeat("<", 300), strings.Repeat("語a", 600)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Detect(text)
		if again := Detect(text); again != got {
			t.Fatalf("%+v, then %+v", got, again)
		}
		if (got.Language == "") != (got.Percent == 0) || got.Percent != 0 && (got.Percent < most || got.Percent > 99) {
			t.Fatalf("%+v", got)
		}
		if _, ok := find(got.Language); got.Language != "" && !ok {
			t.Fatalf("%+v is no language of the list", got)
		}
		if g := DetectAmong(text, []string{"de"}); g.Language != "" && g.Language != "de" {
			t.Fatalf("among de: %+v", g)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"de", "zh_TW", "de_DE.UTF-8", "x-private", "i-klingon", "sr-Latn-u-co-phonebk", "-", "a-b-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) {
		if got := Normalise(code); got != "" && Normalise(got) != got {
			t.Fatalf("%q gives %q, which gives %q", code, got, Normalise(got))
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	page := strings.Repeat(sentences[9].text+" ", 50)
	for name, text := range map[string]string{"sentence": sentences[9].text, "page": page, "book": strings.Repeat(page, 500)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Detect(text)
			}
		})
	}
}
