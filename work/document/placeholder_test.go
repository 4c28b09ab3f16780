package document

import (
	"strings"
	"testing"
)

// cutUp writes pieces with codes in brackets: "a ⟦%s⟧ b".
func cutUp(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Kind == Plain {
			b.WriteString(p.Text)
		} else {
			b.WriteString("⟦" + p.Text + "⟧")
		}
	}
	return b.String()
}

func TestPlaceholders(t *testing.T) {
	for _, want := range []string{
		"Hello ⟦%s⟧, you have ⟦%d⟧ messages",
		"⟦%1$s⟧ of ⟦%2$d⟧ (⟦%5.1f⟧⟦%%⟧)",
		"⟦%(count)d⟧ files in ⟦%(dir)s⟧.",
		"⟦%@⟧ and ⟦%ld⟧ and ⟦%lld⟧, ⟦%-10s⟧, ⟦%d⟧px",
		"100 % of it, 100%, 50% off, 100%ig, 5%Rabatt",
		"⟦{name}⟧ ⟦{0}⟧ ⟦{}⟧ ⟦{0:>8}⟧ ⟦{user.name!r}⟧ ⟦{{name}}⟧ ⟦{{ count }}⟧ ⟦{{{raw}}}⟧",
		"⟦${name}⟧ ⟦%{name}⟧ ⟦#{name}⟧ ⟦%<name>s⟧ ⟦$t(common.ok)⟧ ⟦$USER$⟧ ⟦@:common.ok⟧.",
		"⟦{% if x %}⟧yes⟦{% endif %}⟧ ⟦<%= erb %>⟧",
		"⟦{n, number}⟧ on ⟦{d, date, short}⟧",
		"⟦{n, plural, =0 {⟧no files⟦} one {⟧⟦#⟧ file⟦} other {⟧⟦#⟧ files in ⟦{dir}⟧⟦}}⟧",
		"⟦{g, select, male {⟧He has ⟦{n, plural, one {⟧⟦#⟧ cat⟦} other {⟧⟦#⟧ cats⟦}}⟧⟦} other {⟧They # run⟦}}⟧",
		"⟦{n, selectordinal, one {⟧⟦#⟧st⟦} other {⟧⟦#⟧th⟦}}⟧ day",
		"⟦{n, plural, broken}⟧ x",
		"{like this} {a, b} { unclosed",
		"Press ⟦<b>⟧OK⟦</b>⟧⟦<br/>⟧ or ⟦<a href=\"x>y\">⟧here⟦</a>⟧ ⟦<1>⟧x⟦</1>⟧ a < b > c <your name here>",
		"Tom ⟦&amp;⟧ Jerry⟦&nbsp;⟧⟦&#160;⟧⟦&#xA0;⟧ R&D; AT&T",
		"See ⟦https://example.org/a_(b)?c=d⟧. (⟦http://x.org⟧) or ⟦www.example.org⟧, ⟦mailto:a@b.de⟧",
		"Mail ⟦jo.doe+x@mail.example.org⟧. @name a@b",
		"It costs $5 or $6.",
		"The control '⟦%1⟧' in « ⟦%2⟧ » = ⟦%L3⟧, ⟦%1⟧'s ⟦%12⟧.",
		"Use ⟦-v⟧ or ⟦--dry-run⟧, (⟦--all⟧) - not -word, a-b, -- c or well--known. ⟦-o⟧=x -ö -",
		"Überall ⟦%s⟧ größer",
	} {
		text := strings.NewReplacer("⟦", "", "⟧", "").Replace(want)
		if got := cutUp(placeholders(text)); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func FuzzPlaceholders(f *testing.F) {
	f.Add("Hello %s {n, plural, one {# a} other {b}} <b>x</b> https://x.org/ a@b.cd &amp; ${x}")
	f.Add(strings.Repeat("{a,plural,b{", 20))
	f.Fuzz(func(t *testing.T, text string) {
		var all strings.Builder
		last := Code
		for _, p := range placeholders(text) {
			if p.Text != p.Raw || p.Text == "" || p.Kind != Plain && p.Kind != Code {
				t.Fatalf("%q: piece %+v", text, p)
			}
			if p.Kind == Plain && last == Plain {
				t.Fatalf("%q: two plain pieces in a row", text)
			}
			last = p.Kind
			all.WriteString(p.Text)
		}
		if all.String() != text {
			t.Fatalf("%q became %q", text, all.String())
		}
	})
}

// TestPlaceholdersAreLinear: hostile texts of a megabyte take no time to speak of.
func TestPlaceholdersAreLinear(t *testing.T) {
	for _, unit := range []string{"{", "{{", "{a,plural,b{", "%", "%1", "<", "<a ", "&", "&a", "@", "a@", "a@b.", "http://", "$", "$a", "#{", "%(", "%s", "{}", "{a}"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		n := 0
		for _, p := range placeholders(text) {
			n += len(p.Text)
		}
		if n != len(text) {
			t.Errorf("%q: %d bytes of %d", unit, n, len(text))
		}
	}
}

// TestNameLength holds the name in braces to a slow obvious version.
func TestNameLength(t *testing.T) {
	for n := range 4 * 4 * 4 * 4 * 4 {
		inner := ""
		for k := n; k > 0; k /= 4 {
			inner += string(` ,{a`[k%4])
		}
		want := -1
		if name, _, _ := strings.Cut(inner, ","); !strings.ContainsAny(strings.TrimSpace(name), " {") {
			want = len(name)
		}
		if got := nameLength(inner); got != want {
			t.Errorf("%q: %d, want %d", inner, got, want)
		}
	}
}
