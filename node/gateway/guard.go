package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxHeader bounds the names and values of a request's header. net/http reads a little
// more than four times as much, so that the answer has the form of the API; beyond, it
// answers 431 by itself.
const maxHeader = 16 << 10

// patience is how long a client may take for a piece of an answer.
const patience = time.Minute

// call is a request and its answer.
type call struct {
	g     *Gateway
	w     *recorder
	r     *http.Request
	api   *api
	trace string // names the request in the log, and in X-Trace-ID
	who   client // once it is admitted
}

// recorder is an answer. It remembers the status, and gives the client some time for each
// piece: http.Server.WriteTimeout would also count the time of the translation.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	// A writer without deadlines, such as that of a test, has no slow client either.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(patience))
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ServeHTTP answers a request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{g: g, w: &recorder{ResponseWriter: w}, r: r, trace: newID(8), api: libre}
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		c.api = deepl
	case strings.HasPrefix(r.URL.Path, "/api/"):
		c.api = own
	}
	began := g.Now()
	g.metrics.inFlight.Inc()
	defer g.metrics.inFlight.Dec()
	_, pattern := g.mux.Handler(r)
	defer func() {
		if p := recover(); p != nil {
			g.Log.Error("request panicked", "trace", c.trace, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			if c.w.status == 0 {
				c.fail(refuse(http.StatusInternalServerError, "Internal error: the log of the gateway has it under %s", c.trace))
			}
		}
		g.metrics.answered(pattern, c.w.status, g.Now().Sub(began))
	}()
	c.headers()
	if err := c.guard(); err != nil {
		c.fail(err)
		return
	}
	if r.Method == http.MethodOptions {
		c.w.Header().Set("Allow", strings.Join(g.allowed(r), ", "))
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	address := addressOf(r)
	if !g.slots.take(address, g.Limits.Concurrent) {
		c.fail(&failure{status: http.StatusTooManyRequests, text: "too many requests of this address at a time", after: time.Second})
		return
	}
	defer g.slots.free(address)
	g.mux.ServeHTTP(c.w, r.WithContext(withCall(r.Context(), c)))
}

// headers sets what each answer has: it is no page, unless a page's handler says so.
func (c *call) headers() {
	h := c.w.Header()
	h.Set("X-Trace-ID", c.trace)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	origin := c.r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Add("Vary", "Origin")
	if slices.Contains(c.g.Origins, "*") {
		origin = "*"
	} else if !slices.Contains(c.g.Origins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-Trace-ID, Content-Disposition")
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// guard refuses what no handler has to see.
func (c *call) guard() error {
	size := len(c.r.RequestURI)
	for name, values := range c.r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size > maxHeader {
		return refuse(http.StatusRequestHeaderFieldsTooLarge, "the header of the request is larger than %d bytes", maxHeader)
	}
	if err := c.checkHost(); err != nil {
		return err
	}
	if kind := c.r.Header.Get("Content-Encoding"); kind != "" && !strings.EqualFold(kind, "identity") {
		return refuse(http.StatusUnsupportedMediaType, "the body has the Content-Encoding %.20q: send it without", kind)
	}
	if slices.Contains(c.g.Origins, "*") {
		return nil
	}
	if err := c.g.origin.Check(c.r); err != nil {
		return refuse(http.StatusForbidden, "pages of other sites may not ask: `alia serve --origin` names those that may")
	}
	return nil
}

// checkHost refuses names of this machine that are not: a page whose own name leads to
// loopback could ask a gateway that needs no key (DNS rebinding).
func (c *call) checkHost() error {
	if !c.g.local.Load() || c.g.Open || c.g.keys.needed() {
		return nil
	}
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") || strings.HasSuffix(host, ".localhost") {
		return nil
	}
	return refuse(http.StatusMisdirectedRequest, "this gateway is that of localhost: for others it needs keys (`alia serve key add`), or --open")
}

// lineBits are the first bits of an IPv6 address, which a provider gives to one customer.
const lineBits = 64

// addressOf is the address of a client, without its port. Of an IPv6 address it is the part
// that the client cannot choose: with the rest, one machine has more addresses than any limit.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		line, err := ip.Prefix(lineBits)
		if err == nil {
			return line.String()
		}
	}
	return ip.String()
}

// slots counts what is done at a time, by a name.
type slots struct {
	mu  sync.Mutex // guards now
	now map[string]int
}

// take takes a slot, unless all of the name's are taken.
func (s *slots) take(name string, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		s.now = map[string]int{}
	}
	if s.now[name] >= most {
		return false
	}
	s.now[name]++
	return true
}

func (s *slots) free(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[name]--; s.now[name] == 0 {
		delete(s.now, name)
	}
}

// newID is a random name of so many bytes, in hexadecimal digits.
func newID(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
