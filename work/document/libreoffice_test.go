package document

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const letter = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A letter</title></head><body>
<h1>Opening hours &amp; prices</h1>
<p>Dear <b>guest</b>, thank you for <i>your <b>kind</b> letter</i> of 5 May. Our address is <a href="http://example.org/">on this page</a>.</p>
<ul><li>Monday to Friday, 9 to 5</li><li>Café: closed<br>on Sunday</li></ul>
<table><tr><td>Adult</td><td>12.50 €</td></tr><tr><td>Child &lt; 6</td><td>free</td></tr></table>
<p>x<sub>1</sub> and x<sup>2</sup> are   numbers.</p></body></html>`

// office runs LibreOffice, and returns the folder with the results.
func office(t *testing.T, filter, to string, names ...string) string {
	t.Helper()
	program, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice is not installed: no other program judges the documents")
	}
	dir := t.TempDir()
	args := []string{"-env:UserInstallation=file://" + filepath.Join(os.TempDir(), "alia-document-test-office"), "--headless"}
	if filter != "" {
		args = append(args, "--infilter="+filter)
	}
	args = append(append(args, "--convert-to", to, "--outdir", dir), names...)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v: %s", err, out)
	}
	return dir
}

// TestLibreOffice: LibreOffice makes documents, and reads their translations: each has the
// text of the document, in capitals.
func TestLibreOffice(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts LibreOffice several times")
	}
	dir := t.TempDir()
	page := filepath.Join(dir, "letter.html")
	if err := os.WriteFile(page, []byte(letter), 0o644); err != nil {
		t.Fatal(err)
	}
	formats := []string{"docx", "odt"}
	var files []string
	for _, format := range formats {
		made := filepath.Join(office(t, "HTML (StarWriter)", format, page), "letter."+format)
		data, err := os.ReadFile(made)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse("a."+format, data)
		if err != nil {
			t.Fatal(err)
		}
		unchanged(t, d, data)
		out, _ := translated(t, d, "de", louder)
		xmllint(t, []byte(out))
		for name, data := range map[string]string{"quiet-": string(data), "loud-": out} { // order-free: two files
			path := filepath.Join(dir, name+format+"."+format)
			if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
	}
	texts := office(t, "", "txt:Text (encoded):UTF8", files...)
	for _, format := range formats {
		want, err := os.ReadFile(filepath.Join(texts, "quiet-"+format+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(texts, "loud-"+format+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), "OPENING HOURS & PRICES") || string(got) != strings.ToUpper(string(want)) {
			t.Errorf("%s: LibreOffice reads\n%s\nwant\n%s", format, got, strings.ToUpper(string(want)))
		}
	}
}

// xmllint has another program read every member of an archive that is XML.
func xmllint(t *testing.T, data []byte) {
	t.Helper()
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Log("xmllint is not installed: it does not read the members")
		return
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, ".xml") {
			continue
		}
		cmd := exec.Command(program, "--nonet", "--noout", "-")
		cmd.Stdin = strings.NewReader(unzipped(t, data, f.Name))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: xmllint: %v: %s", f.Name, err, out)
		}
	}
}
