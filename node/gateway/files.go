package gateway

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/document"
)

// kinds are the media types of the documents, by the ending of their name.
var kinds = map[string]string{
	".txt": "text/plain; charset=utf-8", ".text": "text/plain; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".markdown": "text/markdown; charset=utf-8",
	".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text",
	".epub": "application/epub+zip", ".srt": "application/x-subrip", ".vtt": "text/vtt",
	".po": "text/x-gettext-translation", ".pot": "text/x-gettext-translation", ".xlf": "application/xliff+xml", ".xliff": "application/xliff+xml",
	".tmx": "application/x-tmx+xml", ".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml",
}

// extensions lists the endings of the documents that are read.
func extensions() (all []string) {
	for _, f := range document.Formats() {
		all = append(all, f.Extensions()...)
	}
	return all
}

// mediaType is the type of a document.
func mediaType(name string) string {
	if t := kinds[strings.ToLower(filepath.Ext(name))]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// attach makes the answer a download: a document of a client is never shown as a page of
// this site.
func (c *call) attach(name, kind string) {
	c.w.Header().Set("Content-Type", kind)
	c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// sendFile sends a file of the gateway.
func (c *call) sendFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(http.StatusNotFound, "the file is deleted")
	} else if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if n, err := io.Copy(c.w, f); err != nil || n != info.Size() {
		return errCut
	}
	return nil
}

// errCut says that a client did not take all of an answer. The answer has begun: nothing
// else is said.
var errCut = errors.New("the client did not take the whole answer")

// urlName is a name as the last part of a path.
func urlName(name string) string { return url.PathEscape(name) }

// url is the address of a path for the client.
func (c *call) url(path string) string {
	if c.g.URL != "" {
		return strings.TrimSuffix(c.g.URL, "/") + path
	}
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.r.Host + path
}

//go:embed index.html
var index []byte

// pagePolicy lets the pages load what is of this gateway, and nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// servePages serves the files of the web page.
func servePages(c *call) error {
	if m := c.r.Method; m != http.MethodGet && m != http.MethodHead {
		return refuse(http.StatusNotFound, "Not found")
	}
	name := strings.TrimPrefix(path.Clean(c.r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	data := index
	if c.g.Pages != nil {
		var err error
		if data, err = fs.ReadFile(c.g.Pages, name); err != nil {
			return refuse(http.StatusNotFound, "Not found")
		}
	} else if name != "index.html" {
		return refuse(http.StatusNotFound, "Not found")
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = http.DetectContentType(data)
	}
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-cache")
	return c.write(http.StatusOK, data)
}

//go:embed openapi.json
var description []byte

// openAPI serves the description of the routes (OpenAPI 3.0).
func openAPI(c *call) error {
	c.w.Header().Set("Content-Type", "application/json")
	return c.write(http.StatusOK, description)
}

// checkPages says what is wrong with the files of the web page.
func checkPages(pages fs.FS) error {
	if pages == nil {
		return nil
	}
	if _, err := fs.Stat(pages, "index.html"); err != nil {
		return fmt.Errorf("gateway: the pages have no index.html: %w", err)
	}
	return nil
}
