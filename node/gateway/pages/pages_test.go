package pages

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestSize: the whole page, as a server would compress it, has less than 80 KB.
func TestSize(t *testing.T) {
	sum := 0
	each(t, func(name string, data []byte) {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		sum += b.Len()
	})
	if t.Logf("%d bytes", sum); sum >= 80_000 || sum < 10_000 {
		t.Errorf("the page has %d bytes", sum)
	}
}

// each calls f with each file of the page.
func each(t *testing.T, f func(name string, data []byte)) {
	t.Helper()
	err := fs.WalkDir(Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".md") {
			return err
		}
		data, err := fs.ReadFile(Files, name)
		f(name, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Things that the policy of the gateway refuses, or that are on the wrong side for people
// who write from right to left.
var (
	inline   = regexp.MustCompile(`\sstyle=|<style|javascript:|\son[a-z]+="|innerHTML`)
	external = regexp.MustCompile(`(src|href|import|url\()[^\n]{0,20}https?://`)
	sides    = regexp.MustCompile(`(margin|padding|border)-(left|right)|text-align: (left|right)|[^-](left|right):`)
)

// TestSources: our files have no inline style or script, ask no other site, and name no
// left or right side.
func TestSources(t *testing.T) {
	each(t, func(name string, data []byte) {
		if strings.HasPrefix(name, "vendor/") {
			return
		}
		for what, bad := range map[string]*regexp.Regexp{"is inline": inline, "asks another site": external, "names a side": sides} {
			if bad == sides && !strings.HasSuffix(name, ".css") {
				continue
			}
			if found := bad.Find(data); found != nil {
				t.Errorf("%s: %q %s", name, found, what)
			}
		}
	})
}
