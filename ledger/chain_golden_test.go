package ledger

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record the golden chain anew")

// goldenChain has a chain that an earlier build has made: the genesis in JSON, and then a
// line for each height, with its number, its app hash and its transactions in hexadecimal
// digits.
var goldenChain = filepath.Join("testdata", "chain.golden")

// TestGoldenChain makes the recorded chain again. Every build, on every processor, must
// give the same app hash at every height: otherwise its nodes leave the network.
func TestGoldenChain(t *testing.T) {
	if *update {
		recordChain(t)
	}
	data, err := os.ReadFile(goldenChain)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 4*MaxTx)
	lines.Scan()
	g, err := ParseGenesis(lines.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	state, err := New(testNet, g)
	if err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		b := Block{Height: state.height + 1}
		for _, word := range words[2:] {
			data, err := hex.DecodeString(word)
			if err != nil {
				t.Fatal(err)
			}
			tx, err := ParseTx(data, testNet)
			if err != nil {
				tx = nil
			}
			b.Txs = append(b.Txs, tx)
		}
		next, _, _, err := state.Apply(b)
		if err != nil {
			t.Fatal(err)
		}
		state = next
		if got := fmt.Sprintf("%d %x", state.height, state.AppHash()); got != words[0]+" "+words[1] {
			t.Fatalf("height and app hash %s, want %s %s", got, words[0], words[1])
		}
	}
	if err := lines.Err(); err != nil || state.height < 100 {
		t.Errorf("the chain has %d heights, %v", state.height, err)
	}
}

// recordChain writes the chain of the history, with heights of several transactions and of
// bytes that are none.
func recordChain(t *testing.T) {
	t.Helper()
	w := newWorld(t, LocalParams())
	genesis, err := json.Marshal(w.state.genesis)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(append(genesis, '\n'))
	height := func(txs ...[]byte) {
		b := Block{Height: w.state.height + 1}
		line := ""
		for _, data := range txs {
			tx, err := ParseTx(data, testNet)
			if err != nil {
				tx = nil
			}
			b.Txs, line = append(b.Txs, tx), line+fmt.Sprintf(" %x", data)
		}
		next, _, _, err := w.state.Apply(b)
		if err != nil {
			t.Fatal(err)
		}
		w.state = next
		fmt.Fprintf(out, "%d %x%s\n", w.state.height, w.state.AppHash(), line)
	}
	history(w, func(who string, body Body) { height(w.sign(who, body)) }, func(n uint64) {
		for range n {
			height()
		}
	})
	height([]byte("no transaction"), w.sign("miner", Transfer{To: acct("alice"), Amount: 7}), w.sign("miner", Lock{Amount: 1}))
	height()
	if err := os.WriteFile(goldenChain, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
