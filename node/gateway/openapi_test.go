package gateway_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/work/document"
)

// described is openapi.json.
var described = sync.OnceValues(func() (*openapi3.T, error) {
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var router = sync.OnceValues(func() (routers.Router, error) {
	doc, err := described()
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// checkDescribed holds an answer to its description.
func checkDescribed(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	switch a.status {
	case http.StatusMethodNotAllowed, http.StatusRequestHeaderFieldsTooLarge, http.StatusMisdirectedRequest, http.StatusUnsupportedMediaType:
		return // any route has these
	}
	find, err := router()
	if err != nil {
		t.Fatal(err)
	}
	plain := r.Clone(context.Background())
	plain.URL = &url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	route, values, err := find.FindRoute(plain)
	if err != nil {
		if a.status != http.StatusNotFound && a.status != http.StatusForbidden && r.Method != http.MethodOptions && !strings.HasSuffix(r.URL.Path, "/") && !strings.HasPrefix(r.URL.Path, "/app/") {
			t.Errorf("%s %s is answered, and not described: %v", r.Method, r.URL.Path, err)
		}
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: plain, PathParams: values, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		in.Options.ExcludeResponseBody = true // a file
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		t.Errorf("%s %s: the answer %d %s is not as described: %v", r.Method, r.URL.Path, a.status, a.body, err)
	}
}

// TestDescribed: openapi.json has the routes of the table, no more and no less.
func TestDescribed(t *testing.T) {
	doc, err := described()
	if err != nil {
		t.Fatal(err)
	}
	var has []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			has = append(has, method+" "+path)
		}
	}
	slices.Sort(has)
	if want := gateway.Routes(); !slices.Equal(has, want) {
		t.Errorf("described:\n%s\nrouted:\n%s", strings.Join(has, "\n"), strings.Join(want, "\n"))
	}
	s := start(t, gateway.Config{})
	if a := s.get("/openapi.json"); !bytes.Contains(a.body, []byte(`"openapi": "3.0.3"`)) || !bytes.Equal(a.body, s.get("/spec").body) {
		t.Errorf("no description: %.80s", a.body)
	}
}

// TestReasons: the description names every reason for which a segment needs a person, and the
// page has words for it.
func TestReasons(t *testing.T) {
	spec, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("pages/translate.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range document.Reasons() {
		word := regexp.MustCompile(`"reason": \{"type": "string", "description": "[^"]*\b` + string(r) + `\b`)
		if !word.Match(spec) {
			t.Errorf("openapi.json does not name the reason %s", r)
		}
		if key := regexp.MustCompile(`(?m)^  '?` + string(r) + `'?: '\w`); !key.Match(page) {
			t.Errorf("the page has no words for the reason %s", r)
		}
	}
}
