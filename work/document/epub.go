package document

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// EPUB is the format of electronic books: a ZIP file of XHTML pages (EPUB 3.3; EPUB 2.0.1
// differs in its table of contents).
const EPUB Format = "epub"

func parseEPUB(data []byte) (*Document, error) {
	a, err := openArchive(EPUB, data)
	if err != nil {
		return nil, err
	}
	const container = "META-INF/container.xml"
	if !a.has(container) {
		return nil, fmt.Errorf("no EPUB file: it is a ZIP archive without the member %s, which each EPUB has", container)
	}
	if err := a.refuseDRM(); err != nil {
		return nil, err
	}
	packages, err := a.epubPackages(container)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range packages {
		if err := a.addBook(name, seen); err != nil {
			return nil, err
		}
	}
	return a.doc, nil
}

// refuseDRM refuses a book whose pages are encrypted (EPUB Open Container Format 3.3,
// section 4.2.6.3.2). Fonts that are only mixed up are no hindrance.
func (a *archive) refuseDRM() error {
	const list = "META-INF/encryption.xml"
	if !a.has(list) {
		return nil
	}
	data, err := a.read(list)
	if err != nil {
		return err
	}
	locked := ""
	err = walkXML(list, data, func(name string) verdict {
		if name == "enc:EncryptedData" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		method, of := "", ""
		e.each(func(k *xmlElement) bool {
			switch k.name {
			case "enc:EncryptionMethod":
				if method == "" {
					method = k.attr("Algorithm")
				}
			case "enc:CipherReference":
				of = k.attr("URI")
			}
			return true
		})
		if method != "http://www.idpf.org/2008/embedding" && method != "http://ns.adobe.com/pdf/enc#RC" && locked == "" {
			locked = of
			if locked == "" {
				locked = "a member without a name"
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the EPUB file: %w", err)
	}
	if locked != "" {
		return fmt.Errorf("the EPUB file is protected by digital rights management: META-INF/encryption.xml says that %s is encrypted; take a copy without protection", locked)
	}
	return nil
}

// epubPackages are the names of the package documents.
func (a *archive) epubPackages(container string) (names []string, err error) {
	data, err := a.read(container)
	if err != nil {
		return nil, err
	}
	err = walkXML(container, data, func(name string) verdict {
		if name == "container:rootfile" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		if t := e.attr("media-type"); t == "" || t == "application/oebps-package+xml" {
			names = append(names, e.attr("full-path"))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the EPUB file: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the EPUB file: %s names no package document", container)
	}
	return names, nil
}

// addBook adds the members of a package document: the pages in the sequence in which people
// read them, the tables of contents, the title.
func (a *archive) addBook(name string, seen map[string]bool) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	type entry struct{ href, media, properties string }
	items := map[string]entry{}
	var ids, spine []string
	err = walkXML(name, data, func(name string) verdict {
		if name == "opf:item" || name == "opf:itemref" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		if e.name == "opf:itemref" {
			spine = append(spine, e.attr("idref"))
			return nil
		}
		id := e.attr("id")
		if _, twice := items[id]; !twice {
			ids = append(ids, id)
			items[id] = entry{e.attr("href"), e.attr("media-type"), e.attr("properties")}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the EPUB file: %w", err)
	}
	for _, id := range ids {
		if strings.Contains(" "+items[id].properties+" ", " nav ") {
			spine = append(spine, id)
		}
	}
	for _, id := range spine {
		it, ok := items[id]
		if !ok {
			return fmt.Errorf("the EPUB file: %s has the page %q in its spine, and no item with this id", name, id)
		}
		if it.media != "application/xhtml+xml" {
			continue // a picture as a page
		}
		member, err := a.href(name, it.href)
		if err != nil {
			return err
		}
		if !seen[member] {
			seen[member] = true
			if err := a.addPage(member); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		if items[id].media != "application/x-dtbncx+xml" {
			continue
		}
		member, err := a.href(name, items[id].href)
		if err != nil {
			return err
		}
		if !seen[member] {
			seen[member] = true
			if err := a.addProperties(member, []string{"ncx:text"}); err != nil {
				return err
			}
		}
	}
	if seen[name] {
		return nil
	}
	seen[name] = true
	return a.addProperties(name, []string{"dc:title", "dc:description"})
}

// href is the member that a package document means by an address.
func (a *archive) href(base, href string) (string, error) {
	u, err := url.Parse(href)
	if err != nil || u.IsAbs() || u.Host != "" {
		return "", fmt.Errorf("the EPUB file: %s has a page at %q, which is no address in the file", base, href)
	}
	return path.Join(path.Dir(base), u.Path), nil
}

// addPage adds a page.
func (a *archive) addPage(name string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	// A page that is no XML is refused by readers of books; utf8XML says what to do about
	// UTF-16.
	if bytes.IndexByte(data, 0) >= 0 {
		if err := utf8XML(data); err != nil {
			return fmt.Errorf("the EPUB file: %s: %w", name, err)
		}
	}
	p, err := htmlPart(a.doc, name, data, true)
	if err != nil {
		return fmt.Errorf("the EPUB file: %w", err)
	}
	p.name = name
	a.add(p, data)
	return nil
}
