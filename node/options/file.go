package options

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/alia-network/alia/work/train"
)

// Parse parses the text of a configuration file: its preset, if it names one, and
// its settings in their order.
func Parse(path, data string) (preset string, all []Setting, err error) {
	values, meta, err := Decode(path, data, "`alia train --print-config` prints a file of the right form")
	if err != nil {
		return "", nil, err
	}
	known, former := ByKey(new(train.Config)), FormerKeys()
	lines := map[string]int{} // by key, where it is given
	for _, k := range meta.Keys() {
		given, line := k[0], lineOf(data, k[0])
		at := fmt.Sprintf("%s:%d: %s", path, line, given)
		key := given
		if former[given] != "" {
			key = former[given]
		}
		o, ok := known[key]
		if key != "preset" && !ok {
			return "", nil, fmt.Errorf("%s: no option is called that%s; the options are preset, %s", at, DidYouMean(given, slices.Sorted(maps.Keys(known))), strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if other := lines[key]; other > 0 {
			return "", nil, fmt.Errorf("%s: line %d gives the same option: give only %s", at, other, key)
		}
		lines[key] = line
		text, err := tomlText(values[given], o)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %v", at, err)
		}
		if key == "preset" {
			if _, err := train.Preset(text); err != nil {
				return "", nil, fmt.Errorf("%s: %v", at, err)
			}
			preset = text
			continue
		}
		s := Setting{Origin: at + " = " + text, Key: key, Text: text}
		if given != key {
			s.Old = given
		}
		all = append(all, s)
	}
	return preset, all, nil
}

// Decode parses the text of a TOML file. Its error names the file and the line; form says
// how a right one looks.
func Decode(path, data, form string) (map[string]any, toml.MetaData, error) {
	values := map[string]any{}
	meta, err := toml.Decode(data, &values)
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return values, meta, err
	}
	line := parse.Position.Line
	lines := strings.Split(data, "\n")
	key := keyOf(lines[min(max(line, 1), len(lines))-1])
	if first := lineOf(data, key); key != "" && 0 < first && first < line {
		return nil, meta, fmt.Errorf("%s:%d: line %d gives %s too: give it once", path, line, first, key)
	}
	return nil, meta, fmt.Errorf("%s:%d: not TOML: %s; %s", path, line, strings.TrimSuffix(parse.Message, "."), form)
}

// tomlText is a value of a file as text, if it is of a type that the option
// takes; the zero option takes words.
func tomlText(v any, o Option) (string, error) {
	switch v := v.(type) {
	case string:
		if isWord(o.Field) || o.Field == nil || o.Auto && v == Auto {
			return v, nil
		}
	case int64:
		if !isWord(o.Field) && o.Field != nil {
			return strconv.FormatInt(v, 10), nil
		}
	case float64:
		if _, isFraction := o.Field.(*Fraction); isFraction {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	}
	want := "a name in quotes"
	switch {
	case o.Field == nil:
	case o.Auto:
		want = `a whole number or "auto"`
	case o.Field.Type() == "number":
		want = "a whole number"
	case o.Field.Type() == "decimal":
		want = "a number such as 0.1"
	}
	return "", fmt.Errorf("want %s", want)
}

// lineOf finds the line, counted from 1, that first gives a key at the top of a file, or 0.
// The decoder does not tell it.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if keyOf(line) == key {
			return n
		}
	}
	return 0
}

// keyOf is the key that a line gives, or the first part of it.
func keyOf(line string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(line, " \t["), "=")
	name, _, _ = strings.Cut(strings.Trim(strings.TrimSpace(name), `"'`), ".")
	return strings.TrimRight(name, "] \t")
}

// Print writes a configuration as a file that Parse reads.
func Print(cfg train.Config, preset string, undecided map[string]bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A training run: alia train --config FILE\n# Decimals have at most six digits after the point. What a line leaves out is the preset's.\n\npreset = %q\n", preset)
	for _, s := range Sections(&cfg) {
		fmt.Fprintf(&b, "\n# %s\n", s.Heading)
		for _, o := range s.Options {
			value := o.Field.String()
			if isWord(o.Field) {
				value = strconv.Quote(value)
			}
			if undecided[o.Key] {
				value = strconv.Quote(Auto)
			}
			fmt.Fprintf(&b, "%-26s # %s\n", o.Key+" = "+value, o.About)
		}
	}
	return b.String()
}
