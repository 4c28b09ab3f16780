package options

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// count is a whole number.
type count uint32

func (n *count) Type() string   { return "number" }
func (n *count) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *count) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", uint32(math.MaxUint32))
	}
	*n = count(v)
	return nil
}

// seed is a whole number. All values are equally good. TOML has no integers above
// 2^63-1.
type seed uint64

func (n *seed) Type() string   { return "number" }
func (n *seed) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *seed) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return fmt.Errorf("want a whole number from 0 to %d", int64(math.MaxInt64))
	}
	*n = seed(v)
	return nil
}

// word is one of a few names.
type word string

func (w *word) Type() string   { return "name" }
func (w *word) String() string { return string(*w) }

func (w *word) Set(text string) error {
	*w = word(text)
	return nil
}

// isWord reports whether a field is a name, which stands in quotes in a file. No field is none.
func isWord(f Field) bool { return f != nil && f.Type() == (*word)(nil).Type() }

// measure is one of a few names. Auto is "": the target language decides.
type measure string

func (m *measure) Type() string   { return "name" }
func (m *measure) String() string { return cmp.Or(string(*m), Auto) }

func (m *measure) Set(text string) error {
	*m = ""
	if text != Auto {
		*m = measure(text)
	}
	return nil
}

// fraction is parts per Million, written as a decimal number.
type Fraction uint32

// Million is the Fraction that stands for 1.
const Million = 1_000_000

func (f *Fraction) Type() string { return "decimal" }

func (f *Fraction) String() string {
	s := fmt.Sprintf("%d.%06d", uint32(*f)/Million, uint32(*f)%Million)
	s = strings.TrimRight(s, "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

// Set reads digits, a point and at most six more digits: every such number is
// a whole number of parts per million, and no other is.
func (f *Fraction) Set(text string) error {
	whole, part, _ := strings.Cut(text, ".")
	part = strings.TrimRight(part, "0")
	if len(part) > 6 {
		return errors.New("want at most 6 digits after the point")
	}
	if whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return errors.New("want a decimal number that is not negative, such as 0.1")
	}
	v, err := strconv.ParseUint(whole+part+strings.Repeat("0", 6-len(part)), 10, 32)
	if err != nil {
		return fmt.Errorf("want a number from 0 to %d", math.MaxUint32/Million)
	}
	*f = Fraction(v)
	return nil
}
