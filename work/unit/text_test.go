package unit_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// The CIDs of records as they were before there were terms.
const (
	goldenText = "bafyreierttpx6vpdx3nnsfqsbtavejen2hrfvggv7kv63frnmlvnfogg6e"
	goldenJob  = "bafyreifixzpldxw5k3uh2czvzxsms4sxzuo7c3l5cbuunsznpda2l6cbzu"
)

func aJob() unit.Job {
	return unit.Job{Version: 1, Customer: [32]byte{1}, Sequence: 2, Model: link("model"), Input: link("input"), Decoding: unit.Greedy}
}

// TestGoldenRecords: what has no terms has the record that it had before there were terms.
func TestGoldenRecords(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{unit.NewText([]string{"one", "", "two"}, nil), goldenText},
		{unit.NewText([]string{"one", "", "two"}, [][]string{nil, {}, nil}), goldenText},
		{aJob(), goldenJob},
	} {
		l, err := block.LinkOf(c.v)
		if err != nil {
			t.Fatal(err)
		}
		if l.String() != c.want {
			t.Errorf("%+v is %s, want %s", c.v, l, c.want)
		}
	}
}

// TestTextRecord: a text and a job with terms come back from their records.
func TestTextRecord(t *testing.T) {
	in := unit.NewText([]string{"one", "two"}, [][]string{{"eins", "1"}, {}})
	data, err := block.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var out unit.Text
	if err := block.Decode(data, &out); err != nil {
		t.Fatal(err)
	}
	if err := out.Validate(); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v, %v, want %+v", out, err, in)
	}
	j := aJob()
	j.Version, j.Terms = unit.WithTerms, []unit.Term{{Source: "one", Target: "eins"}}
	if data, err = block.Encode(j); err != nil {
		t.Fatal(err)
	}
	var back unit.Job
	if err := block.Decode(data, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Validate(); err != nil || !reflect.DeepEqual(j, back) {
		t.Errorf("%+v, %v, want %+v", back, err, j)
	}
}

func TestTextValidate(t *testing.T) {
	long := strings.Repeat("x", unit.MaxTerm+1)
	many := make([]string, unit.MaxTerms+1)
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	two := []string{"one", "two"}
	for want, c := range map[string]unit.Text{
		"version 4":                            {Version: 4, Segments: two},
		"a salt of 0 bytes, want 16":           {Version: 3, Segments: two},
		"a salt of 3 bytes":                    {Version: 3, Segments: two, Salt: []byte("abc")},
		"version 1 with a salt":                {Version: 1, Segments: two, Salt: []byte(salt)},
		"version 2 with a salt":                {Version: 2, Segments: two, Terms: [][]string{{"eins"}, {}}, Salt: []byte(salt)},
		"lists of terms without a term":        {Version: 3, Segments: two, Terms: [][]string{{}, {}}, Salt: []byte(salt)},
		"version 1 with terms":                 {Version: 1, Segments: two, Terms: [][]string{{"eins"}, {}}},
		"2 segments, and terms for 1":          {Version: 2, Segments: two, Terms: [][]string{{"eins"}}},
		"terms for 0":                          {Version: 2, Segments: two},
		"a text without terms has none":        {Version: 2, Segments: two, Terms: [][]string{{}, {}}},
		`segment 1: 17 terms, from "a" to "q"`: {Version: 2, Segments: two, Terms: [][]string{{}, many}},
		"segment 0: an empty term":             {Version: 2, Segments: two, Terms: [][]string{{""}, {}}},
		"257 bytes":                            {Version: 2, Segments: two, Terms: [][]string{{long}, {}}},
		`"a" stands there twice`:               {Version: 2, Segments: two, Terms: [][]string{{"a", "b", "a"}, {}}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	for want, change := range map[string]func(*unit.Job){
		"version 4":                func(j *unit.Job) { j.Version = 4 },
		"a salt of 0 bytes":        func(j *unit.Job) { j.Version = 3 },
		"version 1 with a salt":    func(j *unit.Job) { j.Salt = []byte(salt) },
		"version 1 with terms":     func(j *unit.Job) { j.Terms = []unit.Term{{}} },
		"version 2 without a term": func(j *unit.Job) { j.Version = 2 },
		"65544 bytes": func(j *unit.Job) {
			j.Version, j.Terms = 2, []unit.Term{{Source: "a", Target: strings.Repeat("x", 1<<16)}}
		},
	} {
		j := aJob()
		change(&j)
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

const salt = "sixteen bytes..."

// TestSalt: a text and a job with a salt come back from their records. The salts of a job's
// texts differ, and those of two jobs.
func TestSalt(t *testing.T) {
	for _, in := range []unit.Text{
		unit.NewText([]string{"one", "two"}, nil).WithSalt([]byte(salt)),
		unit.NewText([]string{"one", "two"}, [][]string{{"eins"}, {}}).WithSalt([]byte(salt)),
	} {
		data, err := block.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		var out unit.Text
		if err := block.Decode(data, &out); err != nil {
			t.Fatal(err)
		}
		if err := out.Validate(); err != nil || !reflect.DeepEqual(in, out) {
			t.Errorf("%+v, %v, want %+v", out, err, in)
		}
		if x := in.Translation([]string{"eins", "zwei"}); x.Version != unit.Salted || string(x.Salt) != salt || x.Terms != nil {
			t.Errorf("the translation is %+v", x)
		}
	}
	seen := map[string]bool{}
	for _, s := range []string{salt, "another salt...."} {
		j := aJob()
		if j.TextSalt(0) != nil {
			t.Error("a job without a salt gives salts")
		}
		j.Version, j.Salt = unit.Salted, []byte(s)
		for i := range uint32(300) {
			seen[string(j.TextSalt(i))] = true
		}
		data, err := block.Encode(j)
		if err != nil {
			t.Fatal(err)
		}
		var back unit.Job
		if err := block.Decode(data, &back); err != nil || back.Validate() != nil || !reflect.DeepEqual(j, back) {
			t.Errorf("%+v, %v, want %+v", back, err, j)
		}
	}
	if len(seen) != 600 {
		t.Errorf("%d salts of 600", len(seen))
	}
}

// FuzzText: a text or a job has exactly one encoding.
func FuzzText(f *testing.F) {
	withTerms := aJob()
	withTerms.Version, withTerms.Terms = unit.WithTerms, []unit.Term{{Source: "one", Target: "eins"}}
	for _, v := range []any{
		unit.NewText([]string{"one"}, nil), unit.NewText([]string{"one", "two"}, [][]string{{"eins"}, {}}), aJob(), withTerms,
		unit.Text{Version: 2, Segments: []string{"x"}},
		unit.NewText([]string{"one"}, nil).WithSalt([]byte(salt)), unit.Job{Version: 3, Salt: []byte(salt)}, unit.Text{Salt: []byte{}},
	} {
		data, err := block.Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in unit.Text
		if block.Decode(data, &in) == nil {
			again, err := block.Encode(in)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("text %x is encoded as %x, %v", data, again, err)
			}
			if in.Validate() == nil {
				for i := range in.Segments {
					in.TermsOf(i)
				}
			}
		}
		var j unit.Job
		if block.Decode(data, &j) == nil {
			if again, err := block.Encode(j); err != nil || !bytes.Equal(again, data) {
				t.Errorf("job %x is encoded as %x, %v", data, again, err)
			}
		}
	})
}
