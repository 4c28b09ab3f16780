package gateway_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/gateway"
)

// TestBoard: the board for Grafana names only metrics that the gateway has, all of the
// gateway's own, and only routes of the table; no two panels overlap.
func TestBoard(t *testing.T) {
	data, err := os.ReadFile("grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	type grid struct{ X, Y, W, H int }
	var board struct {
		Title  string
		Panels []struct {
			ID                 int
			Title, Description string
			GridPos            grid
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	s := start(t, gateway.Config{})
	s.get("/languages")
	metrics := string(s.get("/metrics").body)
	name, route := regexp.MustCompile(`\b(?:alia|go|process)_[a-z_]+`), regexp.MustCompile(`route=~"([^"]*)"`)
	used := map[string]bool{}
	for i, p := range board.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d says nothing: %+v", i, p)
		}
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if p.ID == q.ID || a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s and %s have one ID, or overlap", p.Title, q.Title)
			}
		}
		for _, target := range p.Targets {
			names := name.FindAllString(target.Expr, -1)
			if len(names) != 1 {
				t.Errorf("%s: %q names the metrics %v, want one", p.Title, target.Expr, names)
			}
			for _, n := range names {
				used[strings.TrimSuffix(n, "_bucket")] = true
				if !strings.Contains(metrics, "\n"+n+" ") && !strings.Contains(metrics, "\n"+n+"{") {
					t.Errorf("%s: the gateway has no metric %s", p.Title, n)
				}
			}
			for _, m := range route.FindAllStringSubmatch(target.Expr, -1) {
				for r := range strings.SplitSeq(m[1], "|") {
					if !strings.Contains(strings.Join(gateway.Routes(), "\n")+"\n", r+"\n") {
						t.Errorf("%s: the gateway has no route %q", p.Title, r)
					}
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# HELP (alia_\S+)`).FindAllStringSubmatch(metrics, -1) {
		if !used[m[1]] {
			t.Errorf("the board does not show %s", m[1])
		}
	}
}
