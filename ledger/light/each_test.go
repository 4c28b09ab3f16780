package light

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
)

// saying is a server that answers every call with the same words, in which 0 stands for
// the call's ID. Without words it hangs.
func saying(t *testing.T, words string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct{ ID int }
		// Read to its end: else the server does not notice that the client leaves.
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &call)
		}
		if err != nil {
			t.Error(err)
		}
		if words == "" {
			<-r.Context().Done()
			return
		}
		w.Write([]byte(strings.Replace(words, `"id":0`, fmt.Sprintf(`"id":%d`, call.ID), 1)))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestLiarFirst: whatever the first of two servers says, the second is asked.
func TestLiarFirst(t *testing.T) {
	p := newPaper(t, 20, always(validator(1)))
	for name, words := range map[string]string{
		"an error":  `{"jsonrpc":"2.0","id":0,"error":{"code":-32603,"message":"Internal error","data":"no such height"}}`,
		"nothing":   `{"jsonrpc":"2.0","id":0,"result":null}`,
		"an array":  `[]`,
		"an object": `{"jsonrpc":"2.0","id":0,"result":{}}`,
		"a page":    `<html>log in here</html>`,
	} {
		t.Run(name, func(t *testing.T) {
			honest := p.serve(t)
			c, err := Dial(t.Context(), Config{
				Addrs: []string{saying(t, words), honest.url}, Genesis: p.genesis, Now: func() time.Time { return p.time(20) },
			})
			check(t, err)
			if _, height, err := c.Supply(t.Context()); err != nil || height != 19 {
				t.Errorf("read after height %d, %v", height, err)
			}
			if head, err := c.Head(t.Context()); err != nil || head.Height != 20 {
				t.Errorf("head %+v, %v", head, err)
			}
		})
	}
}

// TestHangingFirst: a server that accepts calls and never answers is not asked first for
// ever by callers who have less patience than the client.
func TestHangingFirst(t *testing.T) {
	p := newPaper(t, 20, always(validator(1)))
	honest := p.serve(t)
	dialing, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c, err := Dial(dialing, Config{
		Addrs: []string{saying(t, ""), honest.url}, Genesis: p.genesis, Now: func() time.Time { return p.time(20) },
	})
	check(t, err)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, _, err = c.Supply(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	t.Errorf("the other server is never asked: %v", err)
}

// TestRefusalOfOne: a refusal is not proven, so one server cannot refuse a transaction
// that another takes.
func TestRefusalOfOne(t *testing.T) {
	p := newPaper(t, 20, always(validator(1)))
	const taken = `{"jsonrpc":"2.0","id":0,"result":{"code":0,"data":"","log":"","codespace":"","hash":""}}`
	const refused = `{"jsonrpc":"2.0","id":0,"result":{"code":7,"data":"","log":"","codespace":"","hash":""}}`
	const failed = `{"jsonrpc":"2.0","id":0,"error":{"code":-32603,"message":"Internal error","data":"out of order"}}`
	submit := func(words ...string) error {
		cfg := Config{Genesis: p.genesis, Now: func() time.Time { return p.time(20) }}
		for _, w := range words {
			cfg.Addrs = append(cfg.Addrs, saying(t, w))
		}
		c, err := Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c.Submit(t.Context(), []byte("a transaction"))
	}
	if err := submit(refused, taken); err != nil {
		t.Errorf("the second server takes it: %v", err)
	}
	if err := submit(failed, taken); err != nil {
		t.Errorf("the first server is out of order: %v", err)
	}
	for _, all := range [][]string{{refused, refused}, {refused, failed}, {failed, refused}} {
		if err := submit(all...); !errors.Is(err, ledger.InsufficientFunds) {
			t.Errorf("no server takes it: %v, want %v", err, ledger.InsufficientFunds)
		}
	}
}
