package main

import (
	"reflect"
	"testing"
)

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		got, want string
		spans     []span
	}{
		{"a b c", "a b c", []span{{"a b c", true}}},
		{"a x c", "a b c", []span{{"a", true}, {"x", false}, {"c", true}}},
		{"x y", "a b", []span{{"x y", false}}},
		{"a b c d", "b d", []span{{"a", false}, {"b", true}, {"c", false}, {"d", true}}},
		{"b", "a b c", []span{{"b", true}}},
		{"", "a", nil},
		{"a", "", []span{{"a", false}}},
	} {
		if got := differences(c.got, c.want); !reflect.DeepEqual(got, c.spans) && len(got)+len(c.spans) > 0 {
			t.Errorf("%q for %q: %v, want %v", c.got, c.want, got, c.spans)
		}
	}
}
