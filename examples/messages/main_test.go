package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/alia-network/alia/node/testnet"
)

// TestMessages runs the program against a network in this process. It answers a message
// before the stream ends, and all in order: the same messages in another order have the
// same answers.
func TestMessages(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.Mine("miner-1"); err != nil {
		t.Fatal(err)
	}
	dir, err := n.Customer(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	in, write := io.Pipe()
	read, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := messages(ctx, dir, n.Model.String(), in, out)
		out.CloseWithError(err)
		done <- err
	}()
	answers := bufio.NewScanner(read)
	answer := func() string {
		if !answers.Scan() {
			t.Fatalf("the answers end: %v", answers.Err())
		}
		return answers.Text()
	}
	fmt.Fprintln(write, "one two three")
	first := answer() // while the stream is open
	go func() {
		for i := range 12 {
			fmt.Fprintf(write, "message %d\n", i)
		}
		fmt.Fprint(write, "\n\none two three\n")
		for i := range 12 {
			fmt.Fprintf(write, "message %d\n", 11-i)
		}
		write.Close()
	}()
	var forth, back [12]string
	for i := range forth {
		forth[i] = answer()
	}
	if a, b := answer(), answer(); a != "" || b != "" {
		t.Errorf("empty messages are answered with %q and %q", a, b)
	}
	if again := answer(); first == "" || again != first {
		t.Errorf("the same message is answered with %q and %q", first, again)
	}
	for i := range back {
		back[11-i] = answer()
	}
	if forth != back {
		t.Errorf("answers %q, in the other order %q", forth, back)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
