package gateway_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/gateway"
	"github.com/alia-network/alia/node/gateway/pages"
	"github.com/alia-network/alia/node/proof"
	"github.com/alia-network/alia/protocol"
)

// chromium starts a browser without a window. A machine that has none skips the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("the page is not tried: install chromium, chromium-browser or google-chrome")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // which waits until its files are gone
			t.Log(err)
		}
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is a tab of the browser.
type tab struct {
	*testing.T
	ctx  context.Context
	base string

	mu     sync.Mutex // guards faults
	faults []string   // what the page must not do
}

// open opens the page in a new tab of a width in pixels.
func open(t *testing.T, in context.Context, base string, width int64) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := &tab{T: t, ctx: ctx, base: base}
	chromedp.ListenTarget(ctx, p.event)
	p.do(network.Enable(), log.Enable(), page.BringToFront(), emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		chromedp.Navigate(base+"/"), chromedp.WaitVisible("#text"))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Error(f)
		}
	})
	return p
}

// event notes errors of the page, and requests to others than the gateway.
func (p *tab) event(e any) {
	var fault string
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			fault = fmt.Sprintf("console: %s", e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			fault = "log: " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && !strings.HasPrefix(e.Request.URL, p.base) && u.Scheme != "data" {
			fault = "request to " + e.Request.URL
		}
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

func (p *tab) do(actions ...chromedp.Action) {
	p.Helper()
	if err := chromedp.Run(p.ctx, actions...); err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 20*time.Second)
		defer cancel()
		var text string
		chromedp.Run(last, chromedp.Evaluate(`document.visibilityState + document.body.innerText`, &text))
		p.Fatalf("%v; the page says: %.600s", err, text)
	}
}

// js is the value of an expression in the page.
func js[T any](p *tab, expression string) (v T) {
	p.Helper()
	p.do(chromedp.Evaluate(expression, &v))
	return v
}

// until waits until an expression is true.
func (p *tab) until(expression string) {
	p.Helper()
	p.do(chromedp.Poll("Boolean("+expression+")", nil, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(2*time.Minute)))
}

// view switches to a view by a click, and holds its width to that of the window.
func (p *tab) view(name, there string) {
	p.Helper()
	p.do(chromedp.Click(`nav a[href="#`+name+`"]`), chromedp.WaitVisible(there))
	if title := js[string](p, `document.title`); !strings.HasSuffix(title, name) {
		p.Errorf("view %s has the title %q", name, title)
	}
	p.fits(name)
}

func (p *tab) fits(name string) {
	p.Helper()
	if size := js[[]int](p, `[document.scrollingElement.scrollWidth, innerWidth]`); size[0] > size[1] {
		p.Errorf("%s is %d pixels wide in a window of %d", name, size[0], size[1])
	}
}

const translated = `document.querySelector('#output').innerText.trim() && !document.querySelector('#output progress, #output .muted')`

// TestPage: a person uses the page by clicks and keys, on a phone and at a desk.
func TestPage(t *testing.T) {
	in := chromium(t)
	for _, width := range []int64{390, 1440} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			v := &village{state: node.MinerWorking}
			s := start(t, gateway.Config{Pages: pages.Files, Views: v, Token: "steer-me", Receipts: proof.Shelf{Dir: t.TempDir()}})
			t.Run("text", func(t *testing.T) { translateText(open(t, in, s.url, width), s) })
			t.Run("document", func(t *testing.T) { translateDocument(open(t, in, s.url, width), s) })
			t.Run("receipt", func(t *testing.T) { checkReceipt(open(t, in, s.url, width), s) })
			t.Run("correction", func(t *testing.T) {
				m, pool := suggestions(t)
				// A budget that pays no correction in whole.
				if _, err := pool.Publish(protocol.Budget{Amount: 5, PerAuthor: 5, PerCorrection: 5, PerCharacter: 1, Votes: 1}); err != nil {
					t.Fatal(err)
				}
				s := start(t, gateway.Config{Pages: pages.Files, Token: "steer-me", Memory: m, Corrections: pool, SuggestLicence: "CC0-1.0"})
				correctTranslation(open(t, in, s.url, width), s)
			})
			t.Run("views", func(t *testing.T) { lookAtViews(open(t, in, s.url, width)) })
			t.Run("pause", func(t *testing.T) { pauseMiner(open(t, in, s.url, width)) })
			t.Run("keyboard", func(t *testing.T) { useKeyboard(open(t, in, s.url, width), s) })
			t.Run("dark", func(t *testing.T) { beDark(open(t, in, s.url, width)) })
		})
	}
}

// TestLocalPage: a gateway without a network has no views of a node and a ledger, and the
// page does not ask for them.
func TestLocalPage(t *testing.T) {
	in := chromium(t)
	s := start(t, gateway.Config{Pages: pages.Files, Views: &village{}, Shows: []string{"run"}})
	p := open(t, in, s.url, 390)
	p.view("run", ".plot canvas")
	if tabs := js[string](p, `document.querySelector('nav').innerText.split(/\s+/).join(' ')`); tabs != "Translate Run" {
		p.Errorf("the tabs are %q", tabs)
	}
	p.do(chromedp.Evaluate(`location.hash = '#node'`, nil), chromedp.WaitVisible("#text"))
}

// checkReceipt checks a receipt with its files, and with another translation.
func checkReceipt(p *tab, s *server) {
	id := s.file("/api/jobs", "letter.txt", []byte("one two three"), map[string]string{"from": "en", "to": "de"}).json(p.T)["id"].(string)
	s.events(id, func(map[string]any) {})
	dir := p.TempDir()
	for name, data := range map[string][]byte{
		"document": []byte("one two three"), "receipt": s.get("/api/jobs/" + id + "/receipt").body, "translation": s.get("/api/jobs/" + id + "/result").body,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			p.Fatal(err)
		}
	}
	p.do(chromedp.Click("#check summary"))
	for _, name := range []string{"receipt", "document", "translation"} {
		p.do(chromedp.SetUploadFiles("#check-"+name, []string{filepath.Join(dir, name)}, chromedp.ByQuery))
	}
	p.do(chromedp.Click("#check button"))
	p.until(`document.querySelector('#verdict').innerText.includes('The receipt holds. It is the receipt of this document and this translation.')`)
	p.fits("a verdict")
	p.do(chromedp.SetUploadFiles("#check-translation", []string{filepath.Join(dir, "document")}, chromedp.ByQuery), chromedp.Click("#check button"))
	p.until(`document.querySelector('#verdict').innerText.includes('does not hold')`)
}

// translateText translates a text, and writes one from right to left.
func translateText(p *tab, s *server) {
	p.do(chromedp.SendKeys("#from", "English"), chromedp.SendKeys("#to", "German"), chromedp.SendKeys("#text", "one two"), chromedp.Click("#translate"))
	p.until(translated)
	if got, want := js[string](p, `document.querySelector('#output').innerText.trim()`), strings.TrimSpace(s.reference("en", "one two")[0]); got != want {
		p.Errorf("translated to %q, want %q", got, want)
	}
	p.fits("a translation")
	if dir := js[string](p, `getComputedStyle(document.querySelector('#text')).direction`); dir != "ltr" {
		p.Errorf("an English text is %s", dir)
	}
	p.do(chromedp.Evaluate(`document.querySelector("#text").select()`, nil), chromedp.SendKeys("#text", "أين المحطة؟ "+strings.Repeat("سلام", 60)))
	if dir := js[string](p, `getComputedStyle(document.querySelector('#text')).direction`); dir != "rtl" {
		p.Errorf("an Arabic text is %s", dir)
	}
	p.fits("an Arabic text with a long word")
}

// translateDocument uploads a document and downloads its translation.
func translateDocument(p *tab, s *server) {
	dir := p.TempDir()
	file := filepath.Join(dir, "letter with a rather long name, as people give them.srt")
	if err := os.WriteFile(file, []byte("1\n00:00:01,000 --> 00:00:02,000\none <i>two</i>\n"), 0o600); err != nil {
		p.Fatal(err)
	}
	done := make(chan string, 1)
	chromedp.ListenTarget(p.ctx, func(e any) {
		if e, ok := e.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			select {
			case done <- e.GUID:
			default:
			}
		}
	})
	p.do(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllowAndName).WithDownloadPath(dir).WithEventsEnabled(true),
		chromedp.SendKeys("#from", "English"), chromedp.SendKeys("#to", "German"),
		chromedp.SetUploadFiles("#files", []string{file}), chromedp.WaitVisible("li[data-status=done]"))
	p.fits("a document")
	p.do(chromedp.Click("li[data-status=done] a[download]"))
	select {
	case id := <-done:
		got, err := os.ReadFile(filepath.Join(dir, id))
		if err != nil || !strings.HasPrefix(string(got), "1\n00:00:01,000 --> 00:00:02,000\n") || !strings.Contains(string(got), "<i>") {
			p.Errorf("downloaded %q, %v", got, err)
		}
	case <-p.ctx.Done():
		p.Fatal("nothing is downloaded")
	}
	p.do(chromedp.Click("li[data-status=done] div.bar button"), chromedp.WaitNotPresent("li[data-status]"))
}

// lookAtViews looks at each view.
func lookAtViews(p *tab) {
	p.view("node", "[data-state=working]")
	text := js[string](p, `document.body.innerText`)
	for _, want := range []string{"A swarm of 2 nodes", "killed by the fault script", "1.5 ALIA", "a step of training, 40 %", "No offer is open: waiting for one.", "No escrow pays for the job.", "miner-1 joined"} {
		if !strings.Contains(text, want) {
			p.Errorf("the view of nodes has no %q: %s", want, text)
		}
	}
	p.view("run", ".plot canvas")
	p.until(`document.querySelectorAll('.plot canvas').length === 3`)
	text = js[string](p, `document.body.innerText`)
	for _, want := range []string{"English to Arabic", "No process works on it.", "60.0", "2,000", "Where is the station?", "this machine, without a network"} {
		if !strings.Contains(text, want) {
			p.Errorf("the view of a run has no %q: %s", want, text)
		}
	}
	if dir := js[string](p, `getComputedStyle(document.querySelector('.grows dd')).direction`); dir != "rtl" {
		p.Errorf("an Arabic translation is %s", dir)
	}
	p.view("ledger", "#height")
	p.do(chromedp.SendKeys("#account", "alia1someone"+kb.Enter), chromedp.WaitVisible("#found"))
	if found := js[string](p, `document.querySelector('#found').innerText`); !strings.Contains(found, "0.00000007 ALIA") {
		p.Errorf("the account has %s", found)
	}
	p.fits("an account")
	p.view("translate", "#text")
}

// pauseMiner pauses the miner, first without the token.
func pauseMiner(p *tab) {
	const miner = `#node-miner-1`
	p.view("node", miner)
	p.do(chromedp.Click(`//section[@id="node-miner-1"]//button[text()="Pause"]`))
	p.until(`document.querySelector('` + miner + ` [role=alert]')?.innerText.includes('token')`)
	p.mu.Lock()
	p.faults = nil // the browser logs the answer 401 as an error
	p.mu.Unlock()
	p.do(chromedp.Click("summary"), chromedp.SendKeys("#token", "steer-me"), chromedp.Click(`//section[@id="node-miner-1"]//button[text()="Pause"]`),
		chromedp.WaitVisible(miner+"[data-state=paused]"), chromedp.Click(`//section[@id="node-miner-1"]//button[text()="Go on"]`), chromedp.WaitVisible(miner+"[data-state=working]"))
}

// useKeyboard uses nothing but keys: it translates a text and changes the view.
func useKeyboard(p *tab, s *server) {
	focus := func(what string) {
		p.Helper()
		for range 40 {
			if js[bool](p, `document.activeElement === document.querySelector('`+what+`')`) {
				if js[string](p, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
					p.Errorf("nobody sees that %s has the focus", what)
				}
				return
			}
			p.do(chromedp.KeyEvent(kb.Tab))
		}
		p.Fatalf("the key Tab does not lead to %s", what)
	}
	focus("#from")
	p.do(chromedp.KeyEvent("English"))
	focus("#to")
	p.do(chromedp.KeyEvent("German"))
	focus("#text")
	p.do(chromedp.KeyEvent("one two"), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(2))) // Ctrl
	p.until(translated)
	focus(`nav a[href="#ledger"]`)
	p.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#height"))
}

// beDark holds the colours to what a person wishes, and texts to a contrast of 4.5 to 1
// (WCAG 2.2, 1.4.3).
func beDark(p *tab) {
	const contrast = `(() => {
		const light = (c) => { const [r, g, b] = c.match(/[\d.]+/g).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
		const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
		const poor = [];
		for (const e of document.querySelectorAll('main *')) {
			if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || e.closest(':disabled, canvas, option') || !e.getClientRects().length) continue;
			const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
			const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
			if (ratio < 4.5) poor.push(e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2) + ' ' + e.textContent.slice(0, 40));
		}
		return poor; })()`
	seen := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
		for view, there := range map[string]string{"translate": "#text", "node": "[data-state]", "run": ".plot canvas", "ledger": "#height"} {
			p.view(view, there)
			for _, poor := range js[[]string](p, contrast) {
				p.Errorf("%s, %s: too little contrast: %s", scheme, view, poor)
			}
		}
		seen[js[string](p, `getComputedStyle(document.body).backgroundColor`)] = true
	}
	if len(seen) != 2 {
		p.Errorf("the grounds are %v", seen)
	}
}

// correctTranslation corrects a sentence of a document, approves it as the owner of the
// gateway, and finds it in the next translation.
func correctTranslation(p *tab, s *server) {
	file := filepath.Join(p.TempDir(), "letter.txt")
	if err := os.WriteFile(file, []byte("one two\n\nthree "+fmt.Sprint(len(p.Name()))+"\n"), 0o600); err != nil {
		p.Fatal(err)
	}
	const box, said = `.segment textarea`, `document.querySelector('.segment [role=status]')?.innerText`
	human := "eins zwei " + strings.Repeat("ja ", len(p.Name())%7+1) + "gut"
	p.do(chromedp.SendKeys("#from", "English"), chromedp.SendKeys("#to", "German"), chromedp.SetUploadFiles("#files", []string{file}),
		chromedp.WaitVisible("li[data-status=done] .suggest summary"), chromedp.Focus("li[data-status=done] .suggest summary"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(box))
	p.fits("the box for a better translation")
	if n := js[int](p, `document.querySelectorAll('.segment button').length`); n != 0 {
		p.Errorf("%d buttons send what nobody has changed", n)
	}
	// With keys alone: from the summary over the licence and the search to the first text.
	p.do(chromedp.Focus(".suggest select"))
	for range 10 {
		if js[bool](p, `document.activeElement.matches('`+box+`')`) {
			break
		}
		p.do(chromedp.KeyEvent(kb.Tab))
	}
	p.do(chromedp.Evaluate(`document.activeElement.select()`, nil), chromedp.KeyEvent(human), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(2)))
	p.until(said + `?.includes('Recorded. It waits for another person to approve it')`)
	p.until(said + `.includes('Nobody is paid for it: you have named no account.')`)
	p.fits("a correction")

	const entry = `#corrections .correction`
	p.do(chromedp.Click("#corrections summary"), chromedp.WaitVisible(entry))
	p.fits("the list of corrections")
	if text := js[string](p, `document.querySelector('`+entry+`').innerText`); !strings.Contains(text, human) || !strings.Contains(text, "CC0-1.0") || !strings.Contains(text, "anonymous") {
		p.Errorf("the correction is listed as %s", text)
	}
	p.do(chromedp.Click(entry + " button.primary"))
	p.until(`document.querySelector('` + entry + ` [role=alert]')?.innerText.includes('the vote does not count')`)
	if !js[bool](p, `[...document.querySelectorAll('`+entry+` button')].at(-1).disabled`) {
		p.Error("a correction can be rejected without a reason")
	}
	p.mu.Lock()
	p.faults = nil // the browser logs the answer 403 as an error
	p.mu.Unlock()
	p.do(chromedp.SendKeys("#corrections #token", "steer-me"), chromedp.Click(entry+" button.primary"), chromedp.WaitVisible(entry+"[data-state=approved]"))
	p.until(`document.querySelector('` + entry + `').innerText.includes('the author gave no account')`)

	p.do(chromedp.SendKeys("#text", "one two"), chromedp.Click("#translate"))
	p.until(`document.querySelector('#output').innerText.trim() === '` + human + `'`)
	p.do(chromedp.Click(".panel > .suggest summary"), chromedp.WaitVisible(".panel > .suggest "+box))
	if text := js[string](p, `document.querySelector('.panel > .suggest .segment').innerText`); !strings.Contains(text, "A person has written this translation.") {
		p.Errorf("the sentence is listed as %s", text)
	}

	// The same once more is refused in words, and so is an account that is none.
	again := func(account, text, want string) {
		p.Helper()
		p.do(chromedp.Evaluate(`document.querySelector('.panel > .suggest input[name=account]').select()`, nil), chromedp.SendKeys(".panel > .suggest input[name=account]", account),
			chromedp.Evaluate(`document.querySelector('.panel > .suggest `+box+`').select()`, nil), chromedp.SendKeys(".panel > .suggest "+box, text), chromedp.Click(".panel > .suggest .segment button.primary"))
		p.until(`document.querySelector('.panel > .suggest .segment').innerText.includes('` + want + `')`)
	}
	again("alia1nobody", human+" nein", "account")
	again(protocol.AccountOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))).String(), human+" "+human, "The budget is spent")
	p.mu.Lock()
	p.faults = nil
	p.mu.Unlock()
}
