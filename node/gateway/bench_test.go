package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/gateway"
)

// BenchmarkTranslate is a sentence through the gateway, with a model so small that it takes
// next to no time: without a socket, over loopback, and by eight clients at a time.
func BenchmarkTranslate(b *testing.B) {
	file, key := withKey(b, gateway.APIKey{Name: "bench"})
	s := start(b, gateway.Config{Keys: file})
	const body = `{"q":"one two","source":"en","target":"de"}`
	request := func(url string) *http.Request {
		r, err := http.NewRequest("POST", url+"/translate", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set(key[0], key[1])
		r.RemoteAddr = "127.0.0.1:1"
		return r
	}
	send := func(c *http.Client) {
		w, err := c.Do(request(s.url))
		if err != nil {
			b.Error(err)
			return
		}
		data, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != http.StatusOK || !bytes.Contains(data, []byte("translatedText")) {
			b.Errorf("answer %d %s, %v", w.StatusCode, data, err)
		}
	}
	b.Run("handler", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			s.g.ServeHTTP(w, request(s.url))
			if w.Code != http.StatusOK {
				b.Fatalf("answer %d %s", w.Code, w.Body)
			}
		}
	})
	b.Run("loopback", func(b *testing.B) {
		b.ReportAllocs()
		c := &http.Client{Transport: &http.Transport{}}
		defer c.CloseIdleConnections()
		for b.Loop() {
			send(c)
		}
	})
	b.Run("clients-8", func(b *testing.B) {
		c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		defer c.CloseIdleConnections()
		b.SetParallelism(4) // on two processors
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(c)
			}
		})
	})
}

// BenchmarkReference is the same sentence by the engine alone: what a request takes besides
// is the gateway's.
func BenchmarkReference(b *testing.B) {
	s := start(b, gateway.Config{})
	for b.Loop() {
		s.reference("en", "one two")
	}
}
