package mesh

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// end is one end of a simulated link.
type end struct {
	io.Reader
	io.Writer
}

// wire carries bytes in one direction: rate bytes per second, after a delay. It
// returns the end to write to and the end to read from.
func wire(rate int, delay time.Duration) (io.Writer, io.Reader) {
	type chunk struct {
		data []byte
		at   time.Time // of its arrival
	}
	in, w := io.Pipe()
	r, out := io.Pipe()
	flight := make(chan chunk, 1024)
	go func() {
		defer close(flight)
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			if err != nil {
				return
			}
			<-time.After(time.Duration(n) * time.Second / time.Duration(rate))
			flight <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}
		}
	}()
	go func() {
		defer out.Close()
		for c := range flight {
			<-time.After(time.Until(c.at))
			if _, err := out.Write(c.data); err != nil {
				return
			}
		}
	}()
	return w, r
}

// TestProbeMeasuresTheLink: on a simulated link, in simulated time, the probe
// measures the link's rates to within 3 %.
func TestProbeMeasuresTheLink(t *testing.T) {
	for _, c := range []struct {
		up, down int // bytes per second
		delay    time.Duration
	}{
		{1_000_000, 4_000_000, time.Millisecond},
		{4_000_000, 1_000_000, 20 * time.Millisecond},
		{125_000_000, 125_000_000, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			upW, upR := wire(c.up, c.delay)
			downW, downR := wire(c.down, c.delay)
			asker, peer := end{downR, upW}, end{upR, downW}
			answered := make(chan error, 1)
			go func() { answered <- answerProbe(peer, func() bool { return true }, func() {}) }()
			got, err := probe(asker, MaxProbe)
			if err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Error(err)
			}
			if !near(got.Up, c.up) || !near(got.Down, c.down) {
				t.Errorf("measured %.0f up and %.0f down, the link has %d and %d", got.Up, got.Down, c.up, c.down)
			}
			upW.(io.Closer).Close()
			downW.(io.Closer).Close()
		})
	}
}

func near(got float64, want int) bool {
	return got > 0.97*float64(want) && got < 1.03*float64(want)
}
