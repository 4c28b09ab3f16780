package gateway

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what Prometheus reads at /metrics.
type metrics struct {
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	characters prometheus.Counter
	inFlight   prometheus.Gauge
	handler    http.Handler
}

func newMetrics(g *Gateway) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alia_gateway_requests_total", Help: "Requests that were answered, by route and status.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alia_gateway_request_seconds", Help: "Seconds until the end of the answer, by route.",
			Buckets: []float64{.001, .005, .02, .1, .3, 1, 3, 10, 30, 100},
		}, []string{"route"}),
		characters: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "alia_gateway_characters_total", Help: "Characters of source texts that clients had translated.",
		}),
	}
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alia_gateway_requests_in_flight", Help: "Requests that are being answered.",
	})
	queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "alia_gateway_jobs_queued", Help: "Documents that wait for their translation.",
	}, func() float64 { n, _ := g.jobs.counts(); return float64(n) })
	running := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "alia_gateway_jobs_running", Help: "Documents that are translated.",
	}, func() float64 { _, n := g.jobs.counts(); return float64(n) })
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.seconds, m.characters, m.inFlight, queued, running,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// answered counts a request. Routes are those of the table: a client cannot make others.
func (m *metrics) answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// serveMetrics serves GET /metrics: to this machine, and to others with a key.
func serveMetrics(c *call) error {
	if ip := net.ParseIP(addressOf(c.r)); ip == nil || !ip.IsLoopback() {
		if err := c.admit(""); err != nil {
			return err
		}
	}
	c.g.metrics.handler.ServeHTTP(c.w, c.r)
	return nil
}
