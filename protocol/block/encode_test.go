package block_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/ipfs/go-cid"
)

type record struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Key     [4]byte
	Body    []byte
	Name    string
	Yes     bool
	Root    block.Link
	Parts   []part
}

type part struct {
	_    struct{} `cbor:",toarray"`
	Size uint64
	Leaf block.Link
}

var leaf = block.Sum(block.Raw, []byte("leaf"))

func TestEncodeVector(t *testing.T) {
	r := record{Version: 1, Key: [4]byte{1, 2, 3, 4}, Name: "é", Yes: true, Parts: []part{{Size: 1 << 32, Leaf: block.Link{Cid: leaf}}}}
	got, err := block.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	want := "87" + "01" + "4401020304" + "40" + "62c3a9" + "f5" + "40" +
		"81" + "82" + "1b0000000100000000" + "d82a5825" + "00" + "01551220" + hex.EncodeToString(leaf.Hash()[2:])
	if hex.EncodeToString(got) != want {
		t.Errorf("Encode = %x\nwant     %s", got, want)
	}
	var back record
	if err := block.Decode(got, &back); err != nil {
		t.Fatal(err)
	}
	if back.Parts[0] != r.Parts[0] || back.Name != r.Name || back.Root.Defined() {
		t.Errorf("Decode = %+v", back)
	}
	links, err := block.Links(got)
	if err != nil || len(links) != 1 || links[0] != leaf {
		t.Errorf("Links = %v, %v", links, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"map":          struct{ A int }{1},
		"float":        []float32{1},
		"negative":     []int{-1},
		"nil":          []*int{nil},
		"bare":         uint64(1),
		"not UTF-8":    []string{"\xff"},
		"foreign link": []block.Link{{Cid: cid.NewCidV0(leaf.Hash())}},
		"git link":     []block.Link{{Cid: cid.NewCidV1(cid.GitRaw, leaf.Hash())}},
	} {
		if data, err := block.Encode(v); err == nil {
			t.Errorf("%s: encoded as %x", name, data)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	type one struct {
		_ struct{} `cbor:",toarray"`
		N uint64
	}
	var ok one
	if err := block.Decode([]byte{0x81, 5}, &ok); err != nil || ok.N != 5 {
		t.Fatalf("Decode = %v, %v", ok, err)
	}
	for name, text := range map[string]string{
		"empty":             "",
		"not an array":      "05",
		"long head":         "811805",
		"long array head":   "980105",
		"indefinite":        "9f05ff",
		"trailing element":  "820505",
		"missing element":   "80",
		"trailing byte":     "810500",
		"truncated":         "8119",
		"float":             "81f90000",
		"null":              "81f6",
		"undefined":         "81f7",
		"negative":          "8120",
		"map":               "81a0",
		"other tag":         "81c105",
		"huge array":        "9bffffffffffffffff",
		"huge bytes":        "815bffffffffffffffff",
		"nested too deep":   strings.Repeat("81", 100) + "05",
		"simple in 2 bytes": "81f814",
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := block.Decode(data, new(one)); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	if err := block.Decode(make([]byte, block.MaxSize+1), new(one)); err == nil {
		t.Error("over the size limit: decoded")
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range []record{{}, {Version: 1, Name: "n", Parts: make([]part, 2)}, {Root: block.Link{Cid: leaf}}} {
		data, err := block.Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		block.Links(data) // must not panic
		var r record
		if block.Decode(data, &r) != nil {
			return
		}
		if again, err := block.Encode(r); err != nil || !bytes.Equal(again, data) {
			t.Errorf("decoded %x, encodes as %x, %v", data, again, err)
		}
	})
}

func TestBytes(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int{0, 1, block.LeafSize, block.LeafSize + 1} {
		var m block.MemoryStore
		data := bytes.Repeat([]byte{7}, size)
		leaves, err := block.PutBytes(ctx, &m, data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := block.GetBytes(ctx, &m, leaves, uint64(size))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		for _, wrong := range []int{size - 1, size + 1, size + block.LeafSize} {
			if _, err := block.GetBytes(ctx, &m, leaves, uint64(wrong)); err == nil {
				t.Errorf("%d bytes got as %d", size, wrong)
			}
		}
		if size == 0 {
			continue
		}
		m.Delete(leaves[0].Cid)
		if _, err := block.GetBytes(ctx, &m, leaves, uint64(size)); !errors.Is(err, block.ErrNotFound) {
			t.Errorf("a leaf missing: %v", err)
		}
	}
}

func TestNode(t *testing.T) {
	ctx := context.Background()
	var m block.MemoryStore
	l, err := block.PutNode(ctx, &m, part{Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	var p part
	if err := block.GetNode(ctx, &m, l, &p); err != nil || p.Size != 3 {
		t.Errorf("GetNode = %+v, %v", p, err)
	}
	if err := block.GetNode(ctx, &m, l, new(record)); err == nil {
		t.Error("a part decoded as a record")
	}
	if err := block.GetNode(ctx, &m, block.Link{Cid: leaf}, &p); err == nil {
		t.Error("a raw block got as a node")
	}
	if err := block.GetNode(ctx, &m, block.Link{}, &p); err == nil {
		t.Error("no link got as a node")
	}
	back, err := block.ParseLink(l.String())
	if err != nil || back != l {
		t.Errorf("ParseLink = %v, %v", back, err)
	}
}

// TestParseLink: a CID has one text form. The last letter of base32 has two
// spare bits, so that four letters decode to the same CID.
func TestParseLink(t *testing.T) {
	text := block.Sum(block.CBOR, []byte{0x80}).String()
	if l, err := block.ParseLink(text); err != nil || l.String() != text {
		t.Fatalf("%s: %v, %v", text, l, err)
	}
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	for i, c := range []byte(letters) {
		other := text[:len(text)-1] + string(c)
		l, err := block.ParseLink(other)
		if spare := i%4 != 0; (err != nil) != spare || err == nil && l.String() != other {
			t.Errorf("%s: %v, %v", other, l, err)
		}
	}
	for _, s := range []string{"", "z", strings.ToUpper(text), "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnnPuq"} {
		if _, err := block.ParseLink(s); err == nil {
			t.Errorf("%q parsed", s)
		}
	}
}
