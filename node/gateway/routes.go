package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// route is a handler and where it is found. openapi.json has the same routes.
type route struct {
	method, path string
	api          *api
	limit        func(l Limits) int64 // bytes of the body; nil: it has none
	handle       func(c *call) error
}

func phraseBody(l Limits) int64 { return l.Text }
func file(l Limits) int64       { return l.Document + maxField }
func three(l Limits) int64      { return 3 * file(l) }
func short(Limits) int64        { return maxShort }

// maxShort bounds requests of the API of DeepL without a document: 128 KiB, see
// https://developers.deepl.com/docs/resources/usage-limits.
const maxShort = 128 << 10

// maxGlossary bounds a request with a glossary: 10 MiB, and its escapes.
const maxGlossary = 30 << 20

func glossary(Limits) int64 { return maxGlossary }

// routes is the table of all handlers.
func (g *Gateway) routes() []route {
	return []route{
		{"POST", "/translate", libre, phraseBody, libreTranslate},
		{"POST", "/detect", libre, phraseBody, libreDetect},
		{"POST", "/suggest", libre, phraseBody, libreSuggest},
		{"GET", "/languages", libre, nil, libreLanguages},
		{"POST", "/translate_file", libre, file, libreTranslateFile},
		{"GET", "/download_file/{file}", libre, nil, libreDownload},
		{"GET", "/frontend/settings", libre, nil, libreSettings},
		{"GET", "/health", libre, nil, libreHealth},
		{"GET", "/spec", libre, nil, openAPI},
		{"GET", "/openapi.json", own, nil, openAPI},
		{"GET", "/metrics", own, nil, serveMetrics},

		{"POST", "/v2/translate", deepl, short, deeplTranslate},
		{"GET", "/v2/languages", deepl, nil, deeplLanguages},
		{"GET", "/v2/usage", deepl, nil, deeplUsage},
		{"POST", "/v2/document", deepl, file, deeplUpload},
		{"POST", "/v2/document/{id}", deepl, short, deeplStatus},
		{"POST", "/v2/document/{id}/result", deepl, short, deeplResult},
		{"GET", "/v2/glossary-language-pairs", deepl, nil, glossaryPairs},
		{"POST", "/v2/glossaries", deepl, glossary, glossaryCreate},
		{"GET", "/v2/glossaries", deepl, nil, glossaryList},
		{"GET", "/v2/glossaries/{id}", deepl, nil, glossaryGet},
		{"DELETE", "/v2/glossaries/{id}", deepl, nil, glossaryDelete},
		{"GET", "/v2/glossaries/{id}/entries", deepl, nil, glossaryEntries},

		{"GET", "/api/node", own, nil, viewNodes},
		{"POST", "/api/node/{action}", own, nil, viewSteer},
		{"GET", "/api/runs", own, nil, viewRuns},
		{"GET", "/api/runs/{cid}", own, nil, viewRun},
		{"GET", "/api/ledger", own, nil, viewLedger},
		{"GET", "/api/status", own, nil, ownStatus},
		{"GET", "/api/models", own, nil, ownModels},
		{"POST", "/api/jobs", own, file, ownCreate},
		{"GET", "/api/jobs/{id}", own, nil, ownGet},
		{"DELETE", "/api/jobs/{id}", own, nil, ownDelete},
		{"GET", "/api/jobs/{id}/events", own, nil, ownEvents},
		{"GET", "/api/jobs/{id}/result", own, nil, ownResult},
		{"GET", "/api/jobs/{id}/receipt", own, nil, ownReceipt},
		{"GET", "/api/jobs/{id}/segments", own, nil, ownSegments},
		{"POST", "/api/verify", own, three, ownVerify},
		{"POST", "/api/corrections", own, phraseBody, ownSuggest},
		{"GET", "/api/corrections", own, nil, ownCorrections},
		{"POST", "/api/corrections/{id}/approve", own, phraseBody, ownApprove},
	}
}

// routesMux makes the mux of the routes. What it does not have is an error of the API.
func (g *Gateway) routesMux() *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range g.routes() {
		mux.Handle(r.method+" "+r.path, r)
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allow := range methods {
		slices.Sort(allow)
		mux.Handle(path, route{handle: func(c *call) error {
			c.w.Header().Set("Allow", strings.Join(allow, ", "))
			return refuse(http.StatusMethodNotAllowed, "%s is not a method of %s: it has %s", c.r.Method, path, strings.Join(allow, ", "))
		}})
	}
	mux.Handle("/", route{handle: servePages})
	return mux
}

// allowed are the methods of a request's path.
func (g *Gateway) allowed(r *http.Request) (methods []string) {
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := g.mux.Handler(probe); strings.HasPrefix(pattern, m+" ") {
			methods = append(methods, m)
		}
	}
	return append(methods, http.MethodOptions)
}

// ServeHTTP runs the handler of a route.
func (t route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	c.r = r // with the values of the path
	if t.api != nil {
		c.api = t.api
	}
	most := int64(0)
	if t.limit != nil {
		most = t.limit(c.g.Limits)
	}
	if r.ContentLength > most {
		// What is announced is not read.
		c.w.Header().Set("Connection", "close")
		c.fail(refuse(http.StatusRequestEntityTooLarge, "the request has %d bytes: at most %d are taken here", r.ContentLength, most))
		return
	}
	r.Body = http.MaxBytesReader(c.w.ResponseWriter, r.Body, most)
	if err := t.handle(c); err != nil {
		c.fail(err)
	}
}

type callKey struct{}

// withCall keeps a call where the mux passes it by.
func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }
