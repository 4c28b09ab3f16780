package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alia-network/alia/protocol/block"
)

const (
	fetchTime    = 30 * time.Second // for a network file
	maxRedirects = 3
)

// NetworkLink reports whether a text is a link to a network file rather than a path.
func NetworkLink(text string) bool { return strings.Contains(text, "://") }

// FetchNetwork downloads the network file that a link URL|CID names, and checks it.
// The CID is that of the file's bytes, so that whoever serves the file cannot change
// it, and cannot put another network in its place.
func FetchNetwork(ctx context.Context, link string) (Network, error) {
	n, err := fetchNetwork(ctx, link)
	if err != nil {
		return Network{}, fmt.Errorf("network file %s: %w", link, err)
	}
	return n, nil
}

func fetchNetwork(ctx context.Context, link string) (Network, error) {
	address, name, found := strings.Cut(link, "|")
	if !found {
		return Network{}, errors.New("the link names no CID: want 'URL|CID', as the founder of the network gives it")
	}
	want, err := block.ParseLink(name)
	if err != nil {
		return Network{}, fmt.Errorf("%q is not a CID: want 'URL|CID', as the founder of the network gives it", name)
	}
	data, err := download(ctx, address)
	if err != nil {
		return Network{}, err
	}
	if got := NetworkCID(data); got != want {
		return Network{}, fmt.Errorf("the file there has the CID %s: it is another file, or was changed: ask who founded the network", got)
	}
	return ParseNetwork(data)
}

// NetworkCID returns the CID of a network file: that of a raw block of its bytes.
func NetworkCID(data []byte) block.Link { return block.Link{Cid: block.Sum(block.Raw, data)} }

// download returns the bytes of a small file on a web server.
func download(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", address)
	}
	ip := net.ParseIP(req.URL.Hostname())
	here := req.URL.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !here) {
		return nil, fmt.Errorf("%s is not taken: give a link with https, or with http to this machine", address)
	}
	client := http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirections", maxRedirects)
		}
		if next.URL.Scheme != "https" { // also keeps a server from naming services of this machine
			return fmt.Errorf("the server redirects to %s, which is not https", next.URL)
		}
		return nil
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxNetworkFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxNetworkFile {
		return nil, fmt.Errorf("it has more than %d bytes: no network file has", maxNetworkFile)
	}
	return data, nil
}
