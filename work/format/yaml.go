package format

import (
	"fmt"
	"strconv"
	"strings"
)

// readYAML reads the part of YAML that Marian writes: an object of scalars and of
// lists of scalars, each on its line. A scalar is returned as a list of one.
func readYAML(data []byte) (map[string][]string, error) {
	all, key, open := map[string][]string{}, "", false
	complexKey, asked := "", false // of a line that begins with a question mark
	line := 0
	for s := range strings.Lines(strings.TrimRight(string(data), "\x00")) {
		line++
		s = strings.TrimRight(s, "\r\n ")
		bad := func() error { return fmt.Errorf("line %d, %.60q: not the YAML that Marian writes", line, s) }
		if s == "" || s[0] == '#' || s == "---" {
			continue
		}
		// A key of many characters, or of strange ones, stands on a line of its own behind a question
		// mark, and its value on the next line behind a colon.
		if rest, ok := strings.CutPrefix(s, "? "); ok && !asked {
			name, more, err := scalar(rest)
			if err != nil || more != "" {
				return nil, bad()
			}
			complexKey, asked = name, true
			continue
		}
		if item, ok := strings.CutPrefix(strings.TrimLeft(s, " "), "- "); ok {
			value, rest, err := scalar(item)
			if err != nil || rest != "" || !open {
				return nil, bad()
			}
			all[key] = append(all[key], value)
			continue
		}
		name, rest, err := complexKey, s, error(nil)
		if asked {
			complexKey, asked = "", false
		} else {
			name, rest, err = scalar(s)
		}
		if err != nil || !strings.HasPrefix(rest, ":") {
			if strings.HasPrefix(s, " ") && open { // nested deeper than this program reads: skipped
				continue
			}
			return nil, bad()
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("line %d: %.200q is there twice", line, name)
		}
		key, open, all[name] = name, true, nil
		switch rest = strings.TrimSpace(rest[1:]); {
		case rest == "" || rest == "[]":
		case rest[0] == '[':
			for item := range strings.SplitSeq(strings.Trim(rest, "[]"), ",") {
				all[name] = append(all[name], strings.TrimSpace(item))
			}
			open = false
		default:
			value, more, err := scalar(rest)
			if err != nil || more != "" {
				return nil, bad()
			}
			all[name], open = []string{value}, false
		}
	}
	if asked {
		return nil, fmt.Errorf("the key %.60q has no value", complexKey)
	}
	return all, nil
}

// scalar reads the scalar at the start of s, and gives the rest of s.
func scalar(s string) (value, rest string, err error) {
	switch {
	case strings.HasPrefix(s, `"`):
		return quoted(s[1:])
	case strings.HasPrefix(s, "'"):
		var b strings.Builder
		for s = s[1:]; ; {
			part, after, ok := strings.Cut(s, "'")
			if !ok {
				return "", "", fmt.Errorf("a quote is open")
			}
			b.WriteString(part)
			if !strings.HasPrefix(after, "'") {
				return b.String(), after, nil
			}
			b.WriteByte('\'')
			s = after[1:]
		}
	}
	if at := strings.Index(s+" ", ": "); at > 0 { // a plain key
		return s[:at], s[at:], nil
	}
	return s, "", nil
}

// escapes are the one-character escapes of YAML 1.2, section 5.7.
var escapes = map[byte]rune{
	'0': 0, 'a': 7, 'b': 8, 't': 9, 'n': 10, 'v': 11, 'f': 12, 'r': 13, 'e': 27, ' ': ' ', '"': '"', '/': '/',
	'\\': '\\', 'N': 0x85, '_': 0xA0, 'L': 0x2028, 'P': 0x2029,
}

// quoted reads the rest of a scalar in double quotes.
func quoted(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] != '\\':
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		if r, ok := escapes[s[i]]; ok {
			b.WriteRune(r)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits == 0 || i+digits >= len(s) {
			break
		}
		r, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 21)
		if err != nil {
			return "", "", fmt.Errorf("an escape that names no character")
		}
		b.WriteRune(rune(r))
		i += digits
	}
	return "", "", fmt.Errorf("a quote is open, or an escape unknown")
}
