// Package metrics writes metrics in Prometheus' text format, and serves them.
// See https://prometheus.io/docs/instrumenting/exposition_formats/.
package metrics

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ContentType is the Content-Type of a page.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Page is one response to a scrape. All its samples have the label queue.
type Page struct {
	out   io.Writer
	queue string
}

// NewPage returns an empty page about a queue.
func NewPage(w http.ResponseWriter, queue string) *Page {
	w.Header().Set("Content-Type", ContentType)
	return &Page{out: w, queue: queue}
}

// Family begins a metric. Its samples follow.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(p.out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// quoted returns any text as a label's value.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Sample writes a value. Labels are names and values in turn.
func (p *Page) Sample(name string, value float64, labels ...string) {
	fmt.Fprintf(p.out, `%s{queue="%s"`, name, quoted.Replace(strings.ToValidUTF8(p.queue, "\uFFFD")))
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(p.out, `,%s="%s"`, labels[i], quoted.Replace(labels[i+1]))
	}
	fmt.Fprintf(p.out, "} %s\n", number(value))
}

// Single writes a metric with one sample.
func (p *Page) Single(name, kind, help string, value float64) {
	p.Family(name, kind, help)
	p.Sample(name, value)
}

// Histogram writes a metric that is a histogram of times.
func (p *Page) Histogram(name, help string, h *Histogram) {
	p.Family(name, "histogram", help)
	seen := uint64(0)
	for i, bound := range h.bounds {
		seen += h.counts[i]
		p.Sample(name+"_bucket", float64(seen), "le", number(bound.Seconds()))
	}
	p.Sample(name+"_bucket", float64(h.count), "le", "+Inf")
	p.Sample(name+"_sum", h.sum.Seconds())
	p.Sample(name+"_count", float64(h.count))
}

func number(value float64) string { return strconv.FormatFloat(value, 'g', -1, 64) }
