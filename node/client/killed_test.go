package client_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
)

// order is what a process of TestKilled is to translate, in the environment.
type order struct {
	Home     home.Dir
	Document client.Document
}

// orderVariable is the environment variable with the order.
const orderVariable = "ALIA_TEST_ORDER"

// TestKilled: a customer's process is killed after each of its notices in turn. The same
// call goes on: no accepted unit is lost, and there is one escrow.
func TestKilled(t *testing.T) {
	if text := os.Getenv(orderVariable); text != "" {
		translateOrder(t, text)
		return
	}
	w := newWorld(t)
	w.check(w.Mine("miner"))
	dir, err := w.Customer(w.ctx, "ada")
	w.check(err)
	d := w.letter()
	d.Text = strings.Repeat(d.Text, 250)
	text, err := json.Marshal(order{dir, d})
	w.check(err)
	done := map[string]int{} // by unit: how often it was done
	killed := 0
	for after := 1; ; after++ {
		kinds, whole := w.process(string(text), after)
		for _, line := range kinds {
			if unit, ok := strings.CutPrefix(line, "unit "); ok {
				done[unit]++
			}
		}
		if whole {
			break
		}
		killed++
	}
	for unit, n := range done { // order-free: each is judged alone
		if n > 1 {
			t.Errorf("unit %s was done %d times", unit, n)
		}
	}
	c, err := client.Open(w.ctx, dir)
	w.check(err)
	defer c.Close()
	all, _, err := c.Customer().Escrows(w.ctx)
	w.check(err)
	if len(all) > 1 || killed < 3 {
		t.Errorf("killed %d times, the escrows are %+v", killed, all)
	}
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	if r := tr.Receipt; r.Status == client.Unpaid || r.Job.Sequence != 0 || len(r.Receipt.Units) < len(done) {
		t.Errorf("%d units are done, and the receipt is %s for %d: %s", len(done), r.Status, len(r.Receipt.Units), r.Missing)
	}
}

// process has another process carry out an order, and kills it after some notices. It
// returns the lines that the process wrote, and whether it came to its end.
func (w *world) process(text string, after int) (lines []string, whole bool) {
	w.Helper()
	cmd := exec.CommandContext(w.ctx, os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), orderVariable+"="+text)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	w.check(err)
	w.check(cmd.Start())
	read := bufio.NewScanner(out)
	for len(lines) < after && read.Scan() {
		lines = append(lines, read.Text())
		if whole = read.Text() == "translated"; whole {
			break
		}
	}
	w.check(cmd.Process.Kill())
	for read.Scan() { // what it wrote before it died
		lines = append(lines, read.Text())
	}
	cmd.Wait() // its error says that it was killed
	return lines, whole
}

// kill has another process translate a document, and kills it after some lines that begin
// with a text.
func (w *world) kill(dir home.Dir, d client.Document, after string, times int) {
	w.Helper()
	text, err := json.Marshal(order{dir, d})
	w.check(err)
	cmd := exec.CommandContext(w.ctx, os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	w.check(err)
	w.check(cmd.Start())
	read := bufio.NewScanner(out)
	for times > 0 && read.Scan() {
		if strings.HasPrefix(read.Text(), after) {
			times--
		}
	}
	w.check(cmd.Process.Kill())
	cmd.Wait() // its error says that it was killed
	if times > 0 {
		w.Fatalf("the process ended without a line %q", after)
	}
}

// translateOrder is the process that is killed. It writes a line for each notice.
func translateOrder(t *testing.T, text string) {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(t.Context(), o.Home)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Report = func(n node.Notice) {
		if u, ok := n.(node.UnitDone); ok {
			fmt.Println("unit", u.Unit)
			return
		}
		fmt.Println(n.Kind())
	}
	if _, err := c.Translate(t.Context(), o.Document); err != nil {
		t.Fatal(err)
	}
	fmt.Println("translated")
}
