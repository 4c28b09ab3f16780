package run_test

import (
	"encoding/hex"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// TestLineGolden: the bytes of a log line, which the CIDs of all run logs
// depend on.
func TestLineGolden(t *testing.T) {
	link := func(s string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(s))} }
	l := run.Line{Kind: unit.Translate, Index: 2, Unit: link("unit"), Result: link("result"), Miner: [32]byte{3},
		Effort: unit.Effort{Started: 4, Took: 5, BytesIn: 6, BytesOut: 7},
		Tokens: 8, Loss: 9, NLL: 10, Cost: 11}
	data, err := block.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	const want = "8d0402d82a58250001711220385cfdbc00ec32031699460779c15099b2bba3cad0e440fffb08e10df0acb9e1" +
		"d82a58250001711220f6a214f7a5fcda0c2cee9660b7fc29f5649e3c68aad48e20e950137c98913a68" +
		"582003000000000000000000000000000000000000000000000000000000000000000405060708090a0b"
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("a line is encoded as %s, want %s", got, want)
	}
}
