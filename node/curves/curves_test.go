package curves

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rounds is the points of n rounds, with a validation after every tenth.
func rounds(n int) []Point {
	var points []Point
	for i := 1; i <= n; i++ {
		x := float64(i) / float64(n)
		p := Point{
			Round: i, Step: i, Epoch: math.Round(13*x*1e6) / 1e6, Loss: 2.5 + 6*math.Exp(-6*x), NLL: 1.5 + 7*math.Exp(-6*x),
			LearningRate: 0.004 * min(x*5, 1), Tokens: uint64(4000 + i%7), Seconds: 0.25, Time: 1_700_000_000_000 + uint64(250*i),
		}
		if i%10 == 0 {
			p.Validation = &Validation{NLL: 1.8 + 6*math.Exp(-6*x), BLEU: 40 * (1 - math.Exp(-4*x)), ChrF: 62 * (1 - math.Exp(-5*x))}
		}
		points = append(points, p)
	}
	return points
}

// files writes the curves of points, those after the first done as they come.
func files(t *testing.T, dir string, points []Point, done int) {
	t.Helper()
	f, err := Open(dir, "en to de", points[:done:done])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points[done:] {
		if err := f.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestResume: a run that was killed in the middle of a line, and lost others,
// has the same files in the end as one that was not.
func TestResume(t *testing.T) {
	points := rounds(40)
	whole, killed := t.TempDir(), t.TempDir()
	files(t, whole, points, 0)
	files(t, killed, points[:20], 0)
	for _, name := range []string{MetricsFile, EventsFile} {
		data := read(t, killed, name)
		if err := os.WriteFile(filepath.Join(killed, name), data[:len(data)-17], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files(t, killed, points, 23) // the log was three rounds ahead of the files
	for _, name := range []string{MetricsFile, EventsFile, ChartFile} {
		if !bytes.Equal(read(t, whole, name), read(t, killed, name)) {
			t.Errorf("%s differs after a resume", name)
		}
	}
}

func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	points := rounds(10)
	files(t, dir, points, 4)
	lines := bytes.Split(bytes.TrimSuffix(read(t, dir, MetricsFile), []byte("\n")), []byte("\n"))
	if len(lines) != len(points) {
		t.Fatalf("%d lines for %d rounds", len(lines), len(points))
	}
	for i, line := range lines {
		var p Point
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		if p.Round != i+1 || p.NLL != points[i].NLL || (p.Validation != nil) != (i == 9) {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if v := *points[9].Validation; !bytes.Contains(lines[9], []byte(`"valid_nll":`)) || bytes.Contains(lines[8], []byte(`"bleu"`)) {
		t.Errorf("validation %v: %s", v, lines[9])
	}
}

// event is an event read back.
type event struct {
	time    float64
	step    uint64
	version string
	values  map[string]float32
}

// TestEvents reads the event file back as TensorBoard does, CRCs included.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	points := rounds(10)
	files(t, dir, points, 3)
	events, err := readEvents(read(t, dir, EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 1+len(points) || events[0].version != "brain.Event:2" {
		t.Fatalf("%d events, the first %+v", len(events), events[0])
	}
	for i, p := range points {
		e := events[i+1]
		if e.step != uint64(p.Round) || e.time != float64(p.Time)/1000 {
			t.Errorf("round %d: step %d at %v", p.Round, e.step, e.time)
		}
		for _, s := range scalars(p) {
			if got, ok := e.values[s.tag]; !ok || got != float32(s.value) {
				t.Errorf("round %d: %s is %v, want %v", p.Round, s.tag, got, s.value)
			}
		}
	}
	for _, tag := range []string{"loss/train", "loss/valid", "bleu", "chrf", "learning_rate", "tokens_per_second"} {
		if _, ok := events[10].values[tag]; !ok {
			t.Errorf("no %s", tag)
		}
	}
	if _, ok := events[9].values["bleu"]; ok {
		t.Error("a score after a round without validation")
	}
}

// TestMasked holds the checksum to that of TensorFlow's own test (crc32c_test.cc):
// 32 zero bytes have the CRC 8a9136aa.
func TestMasked(t *testing.T) {
	crc := uint32(0x8a9136aa)
	if got, want := masked(make([]byte, 32)), (crc>>15|crc<<17)+0xa282ead8; got != want {
		t.Errorf("masked %08x, want %08x", got, want)
	}
}

// readEvents is the slow and obvious reader.
func readEvents(data []byte) ([]event, error) {
	check := func(data []byte, want uint32) bool {
		rotated := want - 0xa282ead8
		return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) == rotated<<15|rotated>>17
	}
	var events []event
	for len(data) > 0 {
		if len(data) < 16 {
			return nil, io.ErrUnexpectedEOF
		}
		n := binary.LittleEndian.Uint64(data)
		if !check(data[:8], binary.LittleEndian.Uint32(data[8:])) || uint64(len(data)) < 16+n {
			return nil, errors.New("length damaged")
		}
		body := data[12 : 12+n]
		if !check(body, binary.LittleEndian.Uint32(data[12+n:])) {
			return nil, errors.New("data damaged")
		}
		e, err := parseEvent(body)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
		data = data[16+n:]
	}
	return events, nil
}

func parseEvent(b []byte) (event, error) {
	e := event{values: map[string]float32{}}
	err := fields(b, func(n protowire.Number, v uint64, bytes []byte) error {
		switch n {
		case 1:
			e.time = math.Float64frombits(v)
		case 2:
			e.step = v
		case 3:
			e.version = string(bytes)
		case 5:
			return fields(bytes, func(_ protowire.Number, _ uint64, value []byte) error {
				var tag string
				return fields(value, func(n protowire.Number, v uint64, bytes []byte) error {
					if n == 1 {
						tag = string(bytes)
					} else {
						e.values[tag] = math.Float32frombits(uint32(v))
					}
					return nil
				})
			})
		}
		return nil
	})
	return e, err
}

// fields calls f for each field of a message.
func fields(b []byte, f func(n protowire.Number, v uint64, bytes []byte) error) error {
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var v uint64
		var bytes []byte
		switch typ {
		case protowire.VarintType:
			v, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, size = protowire.ConsumeFixed64(b)
		case protowire.Fixed32Type:
			var w uint32
			w, size = protowire.ConsumeFixed32(b)
			v = uint64(w)
		default:
			bytes, size = protowire.ConsumeBytes(b)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := f(n, v, bytes); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// TestChart: the chart is well-formed with any points, and of a small run it is
// the one in testdata, which was looked at.
func TestChart(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 1000, 20000} {
		svg := chart("en <to> de & back", rounds(n))
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%d rounds: %v\n%s", n, err, svg)
			}
		}
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
			t.Errorf("%d rounds: a coordinate is no number\n%s", n, svg)
		}
		if len(svg) > 64<<10 {
			t.Errorf("%d rounds: %d bytes", n, len(svg))
		}
	}
	golden := filepath.Join("testdata", "small.svg")
	got := chart("en to de", rounds(30))
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the chart has changed; look at it, and run with -update\n%s", got)
	}
}
