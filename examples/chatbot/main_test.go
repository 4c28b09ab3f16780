package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
)

// TestChatbot runs the bot against a network in this process. Three people chat with it at
// once; who writes the same gets the same answer.
func TestChatbot(t *testing.T) {
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
	c, err := client.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serve(serving, l, &bot{client: c, model: n.Model}) }()

	var people sync.WaitGroup
	answers := make([][]string, 3)
	for i := range answers {
		people.Go(func() {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for lines := bufio.NewScanner(conn); len(answers[i]) < 4; {
				message := "one and two"
				if len(answers[i]) > 0 {
					message = fmt.Sprintf("message %d of %d", len(answers[i]), i)
				}
				if len(answers[i]) == 3 {
					message = "  " // which has no text
				}
				if _, err := fmt.Fprintln(conn, message); err != nil || !lines.Scan() {
					t.Errorf("person %d: %v, %v", i, err, lines.Err())
					return
				}
				answers[i] = append(answers[i], lines.Text())
			}
		})
	}
	people.Wait()
	for i, a := range answers {
		if len(a) != 4 || a[0] == "" || a[0] != answers[0][0] || strings.HasPrefix(a[1], "sorry") || !strings.HasPrefix(a[3], "sorry: the document has no text") {
			t.Errorf("person %d is answered %q", i, a)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
