package curves

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Sizes of the chart, in pixels. Two panels stand one above the other and have the
// same horizontal axis.
const (
	chartWidth  = 760
	panelLeft   = 64
	panelRight  = chartWidth - 24
	panelHeight = 220
	headHeight  = 56 // the title
	legendSpace = 36 // above a panel
	axisSpace   = 48 // below a panel
)

// mostPoints is the most points of a line. A line with more points is drawn as
// mostPoints means of neighbouring points.
const mostPoints = 300

// Styles of the lines. They are classes of the style sheet.
const (
	styleLoss  = "a"
	styleValid = "b"
	styleFaint = "c"
)

// styleSheet has colours for light and for dark pages.
const styleSheet = `
svg{background:#fff}
text{font:13px system-ui,sans-serif;fill:#444}
.h{font-size:17px;font-weight:600;fill:#111}
.m{text-anchor:middle}.e{text-anchor:end}
.bg{fill:#fff}.grid{stroke:#e4e4e4}.axis{stroke:#888}
path{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
path.a{stroke:#1f6fd6}path.b{stroke:#d65a1f}path.c{stroke:#9db8dc;stroke-width:1.5}
circle.a{fill:#1f6fd6}circle.b{fill:#d65a1f}circle.c{fill:#9db8dc}
@media(prefers-color-scheme:dark){
svg{background:#16181c}
text{fill:#bbb}.h{fill:#f2f2f2}
.bg{fill:#16181c}.grid{stroke:#2c3036}.axis{stroke:#777}
path.a{stroke:#6aa9ff}path.b{stroke:#ff9a62}path.c{stroke:#48617f}
circle.a{fill:#6aa9ff}circle.b{fill:#ff9a62}circle.c{fill:#48617f}
}
`

// xy is a point of a line: x in epochs, y a loss or a score.
type xy struct{ x, y float64 }

// series is one line of a panel.
type series struct {
	name, style string
	marked      bool // draw a dot at each point, unless there are too many
	points      []xy
}

// panel is one pair of axes.
type panel struct {
	label  string // of the vertical axis
	zero   bool   // the vertical axis begins at 0
	series []series
}

// chart draws the curves of a run as SVG: the losses and, when there are validations,
// BLEU and chrF, over the passes through the corpus.
func chart(title string, points []Point) []byte {
	panels := panelsOf(points)
	end := 0.0
	if len(points) > 0 {
		end = points[len(points)-1].Epoch
	}
	height := headHeight + len(panels)*(legendSpace+panelHeight+axisSpace)
	c := canvas{xs: axis{0, max(end, 1e-9), panelLeft, panelRight}}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", chartWidth, height, chartWidth, height)
	c.printf("<title>%s</title>\n<style>%s</style>\n", escape(title), styleSheet)
	c.printf(`<rect class="bg" width="%d" height="%d"/>`+"\n", chartWidth, height)
	c.printf(`<text class="h" x="%d" y="32">%s</text>`+"\n", panelLeft, escape(title))
	if n := len(points); n > 0 {
		c.printf(`<text class="e" x="%d" y="32">epoch %s, round %d</text>`+"\n", panelRight, short(math.Round(end*100)/100), points[n-1].Round)
	}
	for i, p := range panels {
		c.panel(p, headHeight+i*(legendSpace+panelHeight+axisSpace)+legendSpace)
	}
	c.printf("</svg>\n")
	return c.Bytes()
}

// panelsOf makes the panels of the points.
func panelsOf(points []Point) []panel {
	smoothed := series{name: "training, label-smoothed", style: styleFaint}
	train := series{name: "training", style: styleLoss}
	valid := series{name: "validation", style: styleValid, marked: true}
	bleu := series{name: "BLEU", style: styleLoss, marked: true}
	chrf := series{name: "chrF", style: styleValid, marked: true}
	var last *Validation
	for _, p := range points {
		smoothed.points = append(smoothed.points, xy{p.Epoch, p.Loss})
		train.points = append(train.points, xy{p.Epoch, p.NLL})
		if v := p.Validation; v != nil {
			valid.points = append(valid.points, xy{p.Epoch, v.NLL})
			bleu.points = append(bleu.points, xy{p.Epoch, v.BLEU})
			chrf.points = append(chrf.points, xy{p.Epoch, v.ChrF})
			last = v
		}
	}
	if last != nil {
		if last.Tokenizer != "13a" && last.Tokenizer != "" {
			bleu.name += ", tok:" + last.Tokenizer
		}
		for measure, s := range map[string]*series{"bleu": &bleu, "chrf": &chrf, "loss": &valid} {
			if last.Measure == measure {
				s.name += ", chooses the model"
			}
		}
	}
	loss := panel{label: "loss, nats a token", series: []series{smoothed, train}}
	if slices.Equal(smoothed.points, train.points) { // no label smoothing
		loss.series = loss.series[1:]
	}
	if len(valid.points) == 0 {
		return []panel{loss}
	}
	loss.series = append(loss.series, valid)
	return []panel{loss, {label: "score of the validation pairs", zero: true, series: []series{bleu, chrf}}}
}

// canvas collects the text of the SVG. xs is the horizontal axis of all panels.
type canvas struct {
	bytes.Buffer
	xs axis
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// panel draws a panel whose upper edge is at top.
func (c *canvas) panel(p panel, top int) {
	bottom := top + panelHeight
	ys := axisOf(p, bottom, top)
	for _, t := range ys.ticks(5) {
		y := pixel(ys.at(t))
		c.printf(`<line class="grid" x1="%d" x2="%d" y1="%s" y2="%s"/>`, panelLeft, panelRight, y, y)
		c.printf(`<text class="e" x="%d" y="%s" dy=".35em">%s</text>`+"\n", panelLeft-8, y, short(t))
	}
	for _, t := range c.xs.ticks(8) {
		x := pixel(c.xs.at(t))
		c.printf(`<line class="axis" x1="%s" x2="%s" y1="%d" y2="%d"/>`, x, x, bottom, bottom+5)
		c.printf(`<text class="m" x="%s" y="%d">%s</text>`+"\n", x, bottom+20, short(t))
	}
	c.printf(`<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", panelLeft, panelRight, bottom, bottom)
	c.printf(`<text class="m" x="%d" y="%d">epoch</text>`+"\n", (panelLeft+panelRight)/2, bottom+38)
	c.printf(`<text class="m" transform="translate(18 %d) rotate(-90)">%s</text>`+"\n", (top+bottom)/2, escape(p.label))
	c.legend(p.series, top-14)
	for _, s := range p.series {
		c.line(s, ys)
	}
}

// legend writes the name and the last value of each line.
func (c *canvas) legend(all []series, y int) {
	x := panelLeft
	for _, s := range all {
		if len(s.points) == 0 {
			continue
		}
		text := s.name + " " + strconv.FormatFloat(s.points[len(s.points)-1].y, 'f', 2, 64)
		c.printf(`<path class="%s" d="M%d %dh18"/><text x="%d" y="%d">%s</text>`+"\n", s.style, x, y-4, x+24, y, escape(text))
		x += 24 + 7*len(text) + 24 // a letter of this size is about 7 pixels wide
	}
}

func (c *canvas) line(s series, ys axis) {
	var d strings.Builder
	for i, p := range means(s.points) {
		d.WriteByte("ML"[min(i, 1)])
		d.WriteString(pixel(c.xs.at(p.x)) + " " + pixel(ys.at(p.y)))
	}
	if d.Len() > 0 {
		c.printf(`<path class="%s" d="%s"/>`+"\n", s.style, d.String())
	}
	if n := len(s.points); n > mostPoints || n > 1 && !s.marked {
		return
	}
	for _, p := range s.points {
		c.printf(`<circle class="%s" cx="%s" cy="%s" r="3"><title>%s, epoch %s: %s</title></circle>`+"\n",
			s.style, pixel(c.xs.at(p.x)), pixel(ys.at(p.y)), escape(s.name), short(p.x), strconv.FormatFloat(p.y, 'f', 3, 64))
	}
}

// means returns at most mostPoints points. Each is the mean of its share of the points.
func means(points []xy) []xy {
	n := min(len(points), mostPoints)
	out := make([]xy, n)
	for i := range out {
		share := points[i*len(points)/n : (i+1)*len(points)/n]
		for _, p := range share {
			out[i].x += p.x / float64(len(share))
			out[i].y += p.y / float64(len(share))
		}
	}
	return out
}

// axis maps numbers from lo to hi to pixels from start to end.
type axis struct{ lo, hi, start, end float64 }

func (a axis) at(v float64) float64 {
	return a.start + float64((v-a.lo)/(a.hi-a.lo)*(a.end-a.start))
}

// axisOf is the vertical axis of a panel, widened to round numbers.
func axisOf(p panel, start, end int) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range p.series {
		for _, p := range s.points {
			lo, hi = min(lo, p.y), max(hi, p.y)
		}
	}
	if lo > hi { // no points
		lo, hi = 0, 1
	}
	if p.zero {
		lo = 0
	}
	if hi-lo < 1e-3 {
		lo, hi = math.Floor(lo), math.Floor(lo)+1
	}
	step := stepOf(hi-lo, 5)
	return axis{math.Floor(lo/step) * step, math.Ceil(hi/step) * step, float64(start), float64(end)}
}

// stepOf returns a distance between ticks, 1, 2 or 5 times a power of ten, for at most
// about n ticks in a span.
func stepOf(span float64, n int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, m := range []float64{1, 2, 5} {
		if float64(m*power*float64(n)) >= span {
			return m * power
		}
	}
	return 10 * power
}

// ticks returns about n round numbers on the axis.
func (a axis) ticks(n int) []float64 {
	step := stepOf(a.hi-a.lo, n)
	var ts []float64
	for i := math.Ceil(a.lo/step - 1e-6); float64(i*step) <= a.hi+float64(step*1e-6); i++ {
		ts = append(ts, float64(i*step))
	}
	return ts
}

// pixel writes a coordinate, to a tenth of a pixel.
func pixel(v float64) string { return short(math.Round(v*10) / 10) }

// short writes a number with as few digits as possible, at most four after the point.
func short(v float64) string {
	s := strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder takes everything
	}
	return b.String()
}
