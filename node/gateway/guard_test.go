package gateway_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/alia-network/alia/node/gateway"
)

const simple = `{"q":"one two","source":"en","target":"de"}`

// TestKeys: with keys, each API refuses requests without one, in its own way. A key that is
// added or removed counts at once.
func TestKeys(t *testing.T) {
	file, key := withKey(t, gateway.APIKey{})
	secret := strings.TrimPrefix(key[1], "DeepL-Auth-Key ")
	s := start(t, gateway.Config{Keys: file})
	s.post("/translate", simple).want(t, 400, `{"error":"Please contact the server operator to get an API key"}`)
	s.post("/translate", `{"q":"one","source":"en","target":"de","api_key":"no"}`).want(t, 403, `{"error":"Invalid API key"}`)
	s.post("/translate", `{"q":"one","source":"en","target":"de","api_key":"`+secret+`"}`).want(t, 200, "translatedText")
	s.post("/translate", `{"q":"one","source":"en","target":"de","apiKey":"`+secret+`"}`).want(t, 200, "translatedText")
	s.post("/translate", simple, "Authorization", "Bearer "+secret).want(t, 200, "translatedText")
	s.post("/detect", `{"q":"one"}`).want(t, 400, "API key")
	s.file("/translate_file", "a.txt", []byte("one"), map[string]string{"source": "en", "target": "de"}).want(t, 400, "API key")
	s.file("/translate_file", "a.txt", []byte("one"), map[string]string{"source": "en", "target": "de", "api_key": secret}).want(t, 200, "translatedFileUrl")
	none := s.file("/api/jobs", "", nil, map[string]string{"text": "one", "to": "de"})
	none.want(t, 401, "needs an API key")
	if none.header.Get("WWW-Authenticate") != "Bearer" {
		t.Error("no WWW-Authenticate")
	}
	s.get("/frontend/settings").want(t, 200, `"keyRequired":true`)
	s.get("/api/status").want(t, 200, `"key_required":true`)

	if data, err := os.ReadFile(file); err != nil || strings.Contains(string(data), secret) {
		t.Errorf("the file has the key itself: %s, %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	second, _, err := gateway.AddKey(file, gateway.APIKey{Name: "second"})
	if err != nil {
		t.Fatal(err)
	}
	s.post("/translate", simple, "Authorization", "Bearer "+second).want(t, 200, "translatedText")
	if err := gateway.RemoveKey(file, "second"); err != nil {
		t.Fatal(err)
	}
	s.post("/translate", simple, "Authorization", "Bearer "+second).want(t, 403, "Invalid API key")
	// A file that is damaged or gone lets nobody in.
	for _, spoil := range []func() error{
		func() error { return os.WriteFile(file, []byte("{"), 0o600) },
		func() error { return os.Remove(file) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if a := s.post("/translate", simple); a.status < 400 {
			t.Errorf("answer %d without a key", a.status)
		}
	}
}

// TestKeyFile: what is no file of keys is refused, and names are single.
func TestKeyFile(t *testing.T) {
	file, _ := withKey(t, gateway.APIKey{Name: "a"})
	for _, k := range []gateway.APIKey{{Name: "a"}, {}, {Name: "b\n"}, {Name: "c", Requests: -1}} {
		if _, _, err := gateway.AddKey(file, k); err == nil {
			t.Errorf("%+v is taken", k)
		}
	}
	if err := gateway.RemoveKey(file, "b"); err == nil || !strings.Contains(err.Error(), "alia serve key list") {
		t.Errorf("remove of no key: %v", err)
	}
	for _, bad := range []string{"{", `{"keys":[{"id":"1","name":"x","sha256":"00"}]}`, `{"keys":"x"}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.ReadKeys(file); err == nil {
			t.Errorf("%s is read", bad)
		}
		if g, err := gateway.Open(gateway.Config{Dir: t.TempDir(), Keys: file, Engine: localEngine(t, "en-de")}); err == nil {
			g.Close()
			t.Errorf("a gateway opens with %s", bad)
		}
	}
}

// TestPace: a client that sends too much is told when to come again.
func TestPace(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	file, key := withKey(t, gateway.APIKey{Requests: 2})
	s := start(t, gateway.Config{Keys: file, Now: now.Now})
	for range 2 {
		s.get("/v2/usage", key[:]...).want(t, 200, "")
	}
	slow := s.get("/v2/usage", key[:]...)
	slow.want(t, 429, `{"message":"too many requests`)
	if slow.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q, want 30", slow.header.Get("Retry-After"))
	}
	s.post("/translate", simple, key[:]...).want(t, 429, `{"error":"Slowdown: too many requests`)
	now.add(30 * time.Second)
	s.post("/translate", simple, key[:]...).want(t, 200, "")

	s = start(t, gateway.Config{Limits: gateway.Limits{Requests: 1}, Now: now.Now})
	s.post("/translate", simple).want(t, 200, "")
	s.post("/translate", simple).want(t, 429, "Slowdown")
}

// TestPaceOfLine: one machine has 2^64 addresses of IPv6. They count as one; those of another
// customer of the provider, and of IPv4, are others.
func TestPaceOfLine(t *testing.T) {
	now := &clock{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	s := start(t, gateway.Config{Limits: gateway.Limits{Requests: 1}, Now: now.Now})
	for _, c := range []struct {
		from string
		want int
	}{
		{"[2001:db8:1:2::1]:1", 200}, {"[2001:db8:1:2:ffff::7]:9", 429}, {"[2001:db8:1:2::1%eth0]:1", 429}, {"[2001:db8:1:3::1]:1", 200},
		{"192.0.2.1:1", 200}, {"[::ffff:192.0.2.1]:1", 429}, {"192.0.2.2:1", 200},
	} {
		r := httptest.NewRequest("POST", "http://localhost/translate", strings.NewReader(simple))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = c.from
		w := httptest.NewRecorder()
		s.g.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("from %s: answer %d, want %d: %s", c.from, w.Code, c.want, w.Body)
		}
	}
}

// TestConcurrent: an address has a number of requests at a time.
func TestConcurrent(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de")}
	release := h.hold()
	s := start(t, gateway.Config{Engine: h, Limits: gateway.Limits{Concurrent: 2}})
	var waiting sync.WaitGroup
	answers := make(chan int, 2)
	for range 2 {
		waiting.Go(func() {
			r, err := http.Post(s.url+"/translate", jsonType, strings.NewReader(simple))
			if err != nil {
				t.Error(err)
				return
			}
			r.Body.Close()
			answers <- r.StatusCode
		})
	}
	// Both are inside when a third is refused.
	for {
		r, err := http.Get(s.url + "/health")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode == 429 {
			if r.Header.Get("Retry-After") != "1" {
				t.Error("no Retry-After")
			}
			break
		}
		runtime.Gosched()
	}
	release()
	waiting.Wait()
	if a, b := <-answers, <-answers; a != 200 || b != 200 {
		t.Errorf("answers %d, %d", a, b)
	}
	s.get("/health").want(t, 200, "ok")
}

// TestOrigins: pages of other sites may not ask, but those that are named.
func TestOrigins(t *testing.T) {
	s := start(t, gateway.Config{Origins: []string{"https://good.example"}})
	good := s.post("/translate", simple, "Origin", "https://good.example", "Sec-Fetch-Site", "cross-site")
	good.want(t, 200, "")
	if good.header.Get("Access-Control-Allow-Origin") != "https://good.example" || good.header.Get("Vary") != "Origin" {
		t.Errorf("header %v", good.header)
	}
	bad := s.post("/translate", simple, "Origin", "https://bad.example", "Sec-Fetch-Site", "cross-site")
	bad.want(t, 403, `{"error":"pages of other sites may not ask`)
	if bad.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of another site is let in")
	}
	s.post("/v2/translate", "{}", "Origin", "https://bad.example").want(t, 403, `{"message":`)
	s.post("/translate", simple, "Origin", s.url, "Sec-Fetch-Site", "same-origin").want(t, 200, "")
	ask := s.send("OPTIONS", "/translate", "", "", "Origin", "https://good.example", "Access-Control-Request-Method", "POST")
	ask.want(t, 204, "")
	if ask.header.Get("Access-Control-Allow-Methods") == "" || ask.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("preflight %v", ask.header)
	}
	s = start(t, gateway.Config{Origins: []string{"*"}})
	if a := s.post("/translate", simple, "Origin", "https://any.example", "Sec-Fetch-Site", "cross-site"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if _, err := gateway.Open(gateway.Config{Dir: t.TempDir(), Engine: localEngine(t, "en-de"), Origins: []string{"example.org"}}); err == nil || !strings.Contains(err.Error(), "https://example.org") {
		t.Errorf("an origin without a scheme: %v", err)
	}
}

// TestHost: a name that only leads here, as in DNS rebinding, is not this machine.
func TestHost(t *testing.T) {
	s := start(t, gateway.Config{})
	s.post("/translate", simple, "Host", "evil.example").want(t, 421, "that of localhost")
	for _, host := range []string{"localhost:8080", "127.0.0.1", "[::1]:80", "alia.localhost"} {
		s.post("/translate", simple, "Host", host).want(t, 200, "")
	}
	start(t, gateway.Config{Open: true}).post("/translate", simple, "Host", "name.example").want(t, 200, "")
}

// TestHeader: large headers are refused in the form of the API, and answers have the
// headers that keep pages apart.
func TestHeader(t *testing.T) {
	s := start(t, gateway.Config{})
	s.get("/languages", "X-Large", strings.Repeat("a", 20<<10)).want(t, 431, `{"error":"the header`)
	s.get("/v2/usage", "X-Large", strings.Repeat("a", 20<<10)).want(t, 431, `{"message":"the header`)
	s.get("/v2/usage?"+strings.Repeat("a", 20<<10)).want(t, 431, `{"message":"the header`)
	if r, err := http.NewRequest("GET", s.url+"/health", nil); err == nil {
		r.Header.Set("X-Large", strings.Repeat("a", 200<<10))
		w, err := http.DefaultClient.Do(r)
		if err != nil || w.StatusCode != 431 {
			t.Errorf("a huge header: %v, %v", w, err)
		}
	}
	a := s.post("/translate", `{"q":"<script>alert(1)</script>","source":"en","target":"<b>"}`)
	a.want(t, 400, `\u003cb\u003e is not supported`)
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	} {
		if a.header.Get(name) != want {
			t.Errorf("%s: %q", name, a.header.Get(name))
		}
	}
	if a.header.Get("X-Trace-ID") == "" {
		t.Error("no X-Trace-ID")
	}
}

// TestLargeUpload: two gigabytes are refused without being read.
func TestLargeUpload(t *testing.T) {
	s := start(t, gateway.Config{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, path := range []string{"/api/jobs", "/v2/document", "/translate_file", "/translate", "/v2/translate"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n--x\r\n", path, 2<<30)
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if body, _ := io.ReadAll(r.Body); r.StatusCode != 413 || !strings.Contains(string(body), "2147483648 bytes") {
			t.Errorf("%s: %d %s", path, r.StatusCode, body)
		}
		c.Close()
	}
	// Without a length, the end comes at the limit.
	s = start(t, gateway.Config{Limits: gateway.Limits{Document: 1 << 20}})
	pr, pw := io.Pipe()
	go func() {
		fmt.Fprint(pw, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n")
		chunk := strings.Repeat("a", 64<<10)
		var err error
		for range 32 << 10 { // two gigabytes
			if _, err = io.WriteString(pw, chunk); err != nil {
				break
			}
		}
		pw.CloseWithError(err)
	}()
	r, err := http.NewRequest("POST", s.url+"/api/jobs", pr)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	w, err := http.DefaultClient.Do(r)
	if err == nil {
		w.Body.Close()
		if w.StatusCode != 413 {
			t.Errorf("answer %d", w.StatusCode)
		}
	} // else the connection was cut while the client still sent
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d bytes of memory", took)
	}
	empty(t, s)
}

// TestListen: an address that others reach needs keys, or to be said open.
func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, _ := withKey(t, gateway.APIKey{})
	for _, c := range []struct {
		config gateway.Config
		ok     bool
	}{{gateway.Config{}, false}, {gateway.Config{Open: true}, true}, {gateway.Config{Keys: file}, true}} {
		c.config.Dir, c.config.Engine = t.TempDir(), localEngine(t, "en-de")
		g, err := gateway.Open(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(l.Addr()); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.config, err)
		}
		if !c.ok {
			if err := g.Run(context.Background(), l); err == nil || !strings.Contains(err.Error(), "alia serve key add") {
				t.Errorf("it runs: %v", err)
			}
		}
		g.Close()
	}
}

// TestSecond: a directory has one gateway.
func TestSecond(t *testing.T) {
	s := start(t, gateway.Config{})
	if _, err := gateway.Open(gateway.Config{Dir: s.config.Dir, Engine: s.config.Engine}); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Errorf("a second gateway: %v", err)
	}
}

// TestDrain: a request that has begun is answered, though the gateway ends.
func TestDrain(t *testing.T) {
	h := &held{Engine: localEngine(t, "en-de")}
	release := h.hold()
	s := start(t, gateway.Config{Engine: h})
	began := make(chan struct{})
	answered := make(chan int, 1)
	go func() {
		close(began)
		r, err := http.Post(s.url+"/translate", jsonType, strings.NewReader(simple))
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		r.Body.Close()
		answered <- r.StatusCode
	}()
	<-began
	for !strings.Contains(string(s.get("/metrics").body), "alia_gateway_requests_in_flight 2") { // it, and this one
		runtime.Gosched()
	}
	ended := make(chan struct{})
	go func() { s.stop(); close(ended) }()
	for {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break // nobody listens any more
		}
		c.Close()
	}
	release()
	if status := <-answered; status != 200 {
		t.Errorf("answer %d", status)
	}
	<-ended
}

// TestMetrics: Prometheus reads what was answered.
func TestMetrics(t *testing.T) {
	s := start(t, gateway.Config{})
	s.post("/translate", simple).want(t, 200, "")
	s.get("/random/path").want(t, 404, "")
	a := s.get("/metrics")
	for _, want := range []string{
		`alia_gateway_requests_total{code="200",route="POST /translate"} 1`, `alia_gateway_requests_total{code="404",route="/"} 1`,
		"alia_gateway_characters_total 7", "alia_gateway_jobs_queued 0", "go_goroutines",
	} {
		a.want(t, 200, want)
	}
}

// TestPages: pages come from the files that are given, with their own policy.
func TestPages(t *testing.T) {
	s := start(t, gateway.Config{})
	s.get("/").want(t, 200, "ALIA gateway")
	s = start(t, gateway.Config{Pages: fstest.MapFS{"index.html": {Data: []byte("<p>hello")}, "app/main.js": {Data: []byte("1")}}})
	page := s.get("/")
	page.want(t, 200, "<p>hello")
	if p := page.header.Get("Content-Security-Policy"); !strings.Contains(p, "script-src 'self'") {
		t.Errorf("policy %q", p)
	}
	if kind := s.get("/app/main.js").header.Get("Content-Type"); !strings.Contains(kind, "javascript") {
		t.Errorf("type %q", kind)
	}
	for _, path := range []string{"/app/", "/other", "/%2e%2e/gateway.db"} {
		s.get(path).want(t, 404, "Not found")
	}
}

// writeCertificate writes a certificate for localhost, and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificate: a certificate that is replaced is used, and one that is damaged is not.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	c := &gateway.Certificate{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := c.Config(); err == nil {
		t.Error("no files, and no error")
	}
	writeCertificate(t, c.Cert, c.Key, 1)
	config, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if conn, err := tls.NewListener(l, config).Accept(); err == nil {
				conn.(*tls.Conn).Handshake()
				conn.Close()
			}
		}()
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d, want 1", n)
	}
	renew := func(n int64) {
		writeCertificate(t, c.Cert, c.Key, n)
		for _, path := range []string{c.Cert, c.Key} {
			os.Chtimes(path, time.Time{}, time.Now().Add(time.Duration(n)*time.Minute))
		}
		gateway.LookAgain(c)
	}
	if renew(2); serial() != 2 {
		t.Error("the new certificate is not used")
	}
	if renew(3); os.WriteFile(c.Key, []byte("damaged"), 0o600) != nil || serial() != 2 {
		t.Error("a damaged certificate ends the old one")
	}
}
