// Command picture draws the screen of a running command as an SVG.
//
// It starts the command in a terminal of tmux, waits until the screen shows a
// text, and writes what the screen then shows:
//
//	picture -out swarm.svg -until "fault script" bin/alia swarm --once
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	out := flag.String("out", "screen.svg", "file to write")
	until := flag.String("until", ".", "regular expression that the screen must match")
	size := flag.String("size", "100x20", "columns and rows of the terminal")
	wait := flag.Duration("wait", 5*time.Minute, "how long to wait for the text")
	flag.Parse()
	if err := run(*out, *until, *size, *wait, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(out, until, size string, wait time.Duration, command []string) error {
	pattern, err := regexp.Compile(until)
	if err != nil {
		return fmt.Errorf("-until: %w", err)
	}
	columns, rows, ok := strings.Cut(size, "x")
	if !ok || len(command) == 0 {
		return errors.New("want -size COLUMNSxROWS and a command")
	}
	// A server of our own, so that no session of the user is touched.
	tmux := terminal(fmt.Sprintf("picture-%d", os.Getpid()))
	if _, err := tmux("-f", os.DevNull, "new-session", "-d", "-x", columns, "-y", rows, strings.Join(command, " ")); err != nil {
		return err
	}
	defer tmux("kill-server")
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); time.Sleep(time.Second / 4) {
		screen, err := tmux("capture-pane", "-e", "-p")
		if err != nil {
			return err
		}
		if pattern.MatchString(escape.ReplaceAllString(screen, "")) {
			width, err := strconv.Atoi(columns)
			if err != nil {
				return fmt.Errorf("-size: %w", err)
			}
			return os.WriteFile(out, []byte(draw(screen, strings.Join(command, " "), width)), 0o644)
		}
	}
	return fmt.Errorf("the screen did not show %q within %v", until, wait)
}

// terminal returns a function that runs a command of tmux on the server of a name.
func terminal(name string) func(args ...string) (string, error) {
	return func(args ...string) (string, error) {
		out, err := exec.Command("tmux", append([]string{"-u", "-L", name}, args...)...).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("tmux %s: %w: %s", args[0], err, out)
		}
		return string(out), err
	}
}

// The picture's measures, in pixels.
const (
	cell   = 8.4 // width of a character
	line   = 19  // height of a row
	margin = 16
	head   = 34 // bar above the screen
)

var (
	escape  = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	stretch = regexp.MustCompile("\x1b\\[([0-9;]*)m|([^\x1b]+)")
	colours = map[string]string{
		"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea",
	}
)

// style is how characters look.
type style struct {
	fill      string
	bold, dim bool
}

// set changes the style as the numbers of an escape sequence say.
func (s *style) set(numbers string) {
	for _, n := range strings.Split(cmp.Or(numbers, "0"), ";") {
		switch colour := colours[n]; {
		case n == "0" || n == "":
			*s = style{}
		case n == "1":
			s.bold = true
		case n == "2":
			s.dim = true
		case n == "22":
			s.bold, s.dim = false, false
		case n == "39":
			s.fill = ""
		case colour != "":
			s.fill = colour
		}
	}
}

// draw makes an SVG of a screen. The screen is text with escape sequences.
func draw(screen, title string, columns int) string {
	lines := strings.Split(strings.TrimRight(screen, "\n "), "\n")
	width, height := float64(columns)*cell+2*margin, head+len(lines)*line+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>`+"\n")
	fmt.Fprintf(&b, `<text x="%d" y="22" fill="#8b949e">$ %s</text>`+"\n", margin, escaped(title))
	for i, l := range lines {
		var s style
		column := 0
		for _, m := range stretch.FindAllStringSubmatch(l, -1) {
			if m[2] == "" {
				s.set(m[1])
				continue
			}
			n := len([]rune(m[2]))
			if strings.TrimSpace(m[2]) != "" {
				text(&b, m[2], column, head+(i+1)*line-5, n, s)
			}
			column += n
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// text writes one run of characters; its length keeps columns straight in any font.
func text(b *strings.Builder, characters string, column, y, n int, s style) {
	look := fmt.Sprintf(` fill="%s"`, cmp.Or(s.fill, "#e6edf3"))
	if s.bold {
		look += ` font-weight="bold"`
	}
	if s.dim {
		look += ` opacity="0.65"`
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n",
		margin+float64(column)*cell, y, float64(n)*cell, look, escaped(characters))
}

func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
