// Command chatbot is a chat bot that translates: whoever connects and writes a line gets
// its translation back, as a line. A network's miners do the work, and the bot pays.
//
//	go run ./examples/chatbot -home DIR -model CID -listen 127.0.0.1:7000
//	nc 127.0.0.1 7000
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	model := flag.String("model", "", "CID of the model")
	listen := flag.String("listen", "127.0.0.1:7000", "address of the bot")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		link, err := block.ParseLink(*model)
		if err != nil {
			return err
		}
		c, err := client.Open(ctx, home.Dir(*dir))
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := net.Listen("tcp", *listen)
		if err != nil {
			return err
		}
		log.Println("chat at", l.Addr())
		return serve(ctx, l, &bot{client: c, model: link})
	}()
	if err != nil {
		log.Fatal(err)
	}
}

// bot answers messages. Its client is shared by all who chat.
type bot struct {
	client   *client.Client
	model    block.Link
	settling sync.WaitGroup
}

// serve answers everybody who connects, until ctx ends.
func serve(ctx context.Context, l net.Listener, b *bot) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var chats sync.WaitGroup
	defer b.settling.Wait()
	defer chats.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
		chats.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				answer, err := b.answer(ctx, lines.Text())
				if err != nil {
					answer = "sorry: " + strings.ReplaceAll(err.Error(), "\n", " ")
				}
				if _, err := fmt.Fprintln(conn, answer); err != nil {
					return
				}
			}
		})
	}
}

// answer translates a message. A message that somebody has sent before is the same job:
// its answer costs nothing.
func (b *bot) answer(ctx context.Context, message string) (string, error) {
	job, err := b.client.Start(ctx, client.Document{Text: message, Model: b.model, Budget: protocol.Coin / 100})
	if err != nil {
		return "", err
	}
	text, err := job.Text(ctx)
	if err != nil {
		return "", errors.Join(err, job.Close())
	}
	// The answer does not wait for the ledger.
	b.settling.Go(func() {
		defer job.Close()
		if _, err := job.Settle(ctx); err != nil {
			log.Println(err)
		}
	})
	return text, nil
}
