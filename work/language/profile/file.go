package profile

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic begins the file.
const magic = "ALIA languages 1\n"

// limits of what Decode takes.
const (
	maxFile      = 16 << 20
	maxLanguages = 250
	maxLetters   = 4000
)

// Encode writes the file of a profile: magic, then a DEFLATE stream (RFC 1951) of columns. For each
// group the columns are what stands in the struct Group, in the same sequence. A run begins with how many
// symbols it shares with the run before it.
func Encode(p Profile) ([]byte, error) {
	var w columns
	w.number(len(p))
	for _, g := range p {
		w.number(int(g.Script))
		w.number(len(g.Languages))
		for _, l := range g.Languages {
			w.number(len(l.Code))
			w.Write([]byte(l.Code))
			w.number(l.Prior)
		}
		w.number(len(g.Letters))
		before := rune(0)
		for _, c := range g.Letters {
			w.number(int(c - before))
			before = c
		}
		w.Write(g.First)
		w.number(len(g.Runs))
		var shared, symbols, counts, languages, costs columns
		var last []uint16
		for _, r := range g.Runs {
			now := Symbols(r.Key)
			same := 0
			for same < len(last) && same < len(now) && last[same] == now[same] {
				same++
			}
			shared.number(same*8 + len(now))
			for _, s := range now[same:] {
				symbols.number(int(s))
			}
			last = now
			counts.number(len(r.Costs))
			next := 0
			for _, c := range r.Costs {
				languages.number(int(c.Language) - next)
				next = int(c.Language) + 1
				costs.WriteByte(c.Cost)
			}
		}
		for _, c := range []*columns{&shared, &symbols, &counts, &languages, &costs} {
			w.number(c.Len())
			w.Write(c.Bytes())
		}
	}
	out := bytes.NewBufferString(magic)
	f, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(w.Bytes()); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type columns struct{ bytes.Buffer }

func (c *columns) number(n int) { c.Write(binary.AppendUvarint(nil, uint64(n))) }

// Decode reads the file of a profile and makes its groups ready.
func Decode(file []byte) (Profile, error) {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return nil, errors.New("the language profile does not begin with its magic")
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(rest)), maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("unpack the language profile: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("the language profile unpacks to more than %d bytes", maxFile)
	}
	d := decoder{rest: data}
	var p Profile
	for range d.number(int(Scripts)) {
		p = append(p, d.group())
	}
	if len(d.rest) > 0 {
		d.bad = true
	}
	if d.bad {
		return nil, errors.New("the language profile is damaged")
	}
	for _, g := range p {
		g.Index()
	}
	return p, nil
}

// decoder takes parts off the front of the data. Once something is wrong, it gives zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number(limit int) int {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > uint64(limit) {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.rest) {
		d.bad, d.rest = true, nil
		return nil
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) group() *Group {
	g := &Group{Script: Script(d.number(int(Scripts)))}
	for range d.number(maxLanguages) {
		code := string(d.bytes(d.number(16)))
		g.Languages = append(g.Languages, Language{code, d.number(1000)})
	}
	last := rune(0)
	for range d.number(maxLetters) {
		last += rune(d.number(0x10ffff))
		g.Letters = append(g.Letters, last)
	}
	g.First = d.bytes((len(g.Letters) + 1) * len(g.Languages))
	n := d.number(maxFile)
	var columns [5]decoder
	for i := range columns {
		columns[i].rest = d.bytes(d.number(maxFile))
	}
	var symbols []uint16
	costs := make([]Cost, 0, len(columns[4].rest)) // one array for all runs: hundreds of thousands
	for range n {
		r := g.run(&symbols, &costs, &columns)
		for i := range columns {
			d.bad = d.bad || columns[i].bad
		}
		if d.bad {
			return g
		}
		g.Runs = append(g.Runs, r)
	}
	return g
}

// run reads one run off the columns; symbols are those of the run before it, and costs those of all runs so far.
func (g *Group) run(symbols *[]uint16, costs *[]Cost, columns *[5]decoder) Run {
	head := columns[0].number(Order*8 + Order)
	same, length := head/8, head%8
	if same > len(*symbols) || same > length || length > Order {
		columns[0].bad = true
		return Run{}
	}
	*symbols = (*symbols)[:same]
	for len(*symbols) < length {
		*symbols = append(*symbols, uint16(columns[1].number(len(g.Letters))))
	}
	r := Run{Key: Key(*symbols)}
	next, first := 0, len(*costs)
	for range columns[2].number(len(g.Languages)) {
		next += columns[3].number(len(g.Languages))
		cost := columns[4].bytes(1)
		if next >= len(g.Languages) || len(cost) == 0 {
			columns[3].bad = true
			return r
		}
		*costs = append(*costs, Cost{uint8(next), cost[0]})
		next++
	}
	r.Costs = (*costs)[first:len(*costs):len(*costs)]
	return r
}
