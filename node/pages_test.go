package node_test

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository's top, as the tests of this package see it.
const root = ".."

// page is a Markdown file of the repository.
type page struct {
	path     string // from the top, with slashes
	lines    []string
	anchors  map[string]bool // of headings, as GitHub makes them
	sections map[string]bool // numbers of headings, such as "4.2"
}

// readPages returns every Markdown file outside testdata, by path.
func readPages(t *testing.T) map[string]*page {
	t.Helper()
	all := map[string]*page{}
	for _, name := range repositoryFiles(t) {
		if path.Ext(name) != ".md" || strings.Contains(name, "testdata/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		p := &page{path: name, lines: strings.Split(string(data), "\n"), anchors: map[string]bool{}, sections: map[string]bool{}}
		p.index()
		all[name] = p
	}
	return all
}

// repositoryFiles lists the files git knows or would add; without git, all but hidden folders' files.
func repositoryFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err == nil {
		var names []string
		for _, name := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if _, err := os.Stat(filepath.Join(root, name)); err == nil { // not deleted meanwhile
				names = append(names, name)
			}
		}
		return names
	}
	var names []string
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, name)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	heading   = regexp.MustCompile(`^#{1,6} +(.*)$`)
	numbered  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)*)\.? `)
	unslug    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	mdLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan  = regexp.MustCompile("`([^`]+)`")
	pathSpan  = regexp.MustCompile(`^(?:node|protocol|work|ledger|cuda|examples|\.github|\.ci)(?:/[\w.-]+)+/?$`)
	makeSpan  = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	citation  = regexp.MustCompile(`\b([A-Z]+\.md)(?:,? sections? ([0-9]+(?:\.[0-9]+)*))?`)
	makeRules = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// index collects the page's headings. Lines of code blocks are no headings.
func (p *page) index() {
	fenced := false
	for _, line := range p.lines {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		m := heading.FindStringSubmatch(line)
		if fenced || m == nil {
			continue
		}
		slug := strings.ReplaceAll(unslug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		p.anchors[slug] = true
		if n := numbered.FindStringSubmatch(m[1]); n != nil {
			if p.sections[n[1]] {
				panic(p.path + ": two sections " + n[1])
			}
			p.sections[n[1]] = true
		}
	}
}

// TestPages holds every link, path and make target of the pages, and every
// citation of a page's section in code, against what exists.
func TestPages(t *testing.T) {
	pages := readPages(t)
	if len(pages) == 0 {
		t.Fatal("no page was found")
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range makeRules.FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	for _, p := range pages {
		for i, line := range p.lines {
			for _, m := range mdLink.FindAllStringSubmatch(line, -1) {
				checkLink(t, pages, p, i+1, m[1])
			}
			for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
				if !pathSpan.MatchString(m[1]) {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s:%d: there is no %s", p.path, i+1, m[1])
				}
			}
			if !strings.Contains(line, "`") && !strings.HasPrefix(line, "    ") {
				continue // prose that says "make", not a command
			}
			for _, m := range makeSpan.FindAllStringSubmatch(line, -1) {
				if !targets[m[1]] {
					t.Errorf("%s:%d: the Makefile has no target %s", p.path, i+1, m[1])
				}
			}
		}
	}
	checkCitations(t, pages)
}

// checkLink follows a link of a page within the repository.
func checkLink(t *testing.T, pages map[string]*page, p *page, line int, link string) {
	t.Helper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return
	}
	name, anchor, _ := strings.Cut(link, "#")
	to := p.path
	if name != "" {
		to = path.Join(path.Dir(p.path), name)
	}
	if strings.HasPrefix(to, "../") { // a page of the host, such as ../../issues
		return
	}
	if _, err := os.Stat(filepath.Join(root, to)); err != nil {
		t.Errorf("%s:%d: link to %s: there is no such file", p.path, line, link)
		return
	}
	if other := pages[to]; anchor != "" && (other == nil || !other.anchors[anchor]) {
		t.Errorf("%s:%d: link to %s: the page has no such heading", p.path, line, link)
	}
}

// checkCitations finds the names of pages in sources, and the sections cited after them.
func checkCitations(t *testing.T, pages map[string]*page) {
	t.Helper()
	byName := map[string][]*page{}
	for _, p := range pages {
		byName[path.Base(p.path)] = append(byName[path.Base(p.path)], p)
	}
	cited := 0
	for _, name := range repositoryFiles(t) {
		switch path.Ext(name) {
		case ".go", ".c", ".h", ".toml", ".md":
		default:
			if path.Base(name) != "Makefile" {
				continue
			}
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			for _, m := range citation.FindAllStringSubmatch(lines.Text(), -1) {
				cited++
				checkCitation(t, byName[m[1]], name, n, m)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if cited == 0 {
		t.Error("no source cites a page: the pattern no longer fits")
	}
}

// checkCitation checks one citation: m is the pattern's match, its page's name and its section.
func checkCitation(t *testing.T, found []*page, name string, line int, m []string) {
	t.Helper()
	if len(found) == 0 {
		t.Errorf("%s:%d: there is no page %s", name, line, m[1])
		return
	}
	if m[2] == "" {
		return
	}
	for _, p := range found {
		if p.sections[m[2]] {
			return
		}
	}
	t.Errorf("%s:%d: %s has no section %s", name, line, m[1], m[2])
}
