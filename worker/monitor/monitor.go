// Package monitor serves one page that follows the runs of a release live, the same data as JSON, and metrics. It is
// read-only unless actions are enabled.
package monitor

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/web"
)

//go:embed page.html assets
var files embed.FS

const (
	maxBody       = 64 << 10 // bytes in the body of an action
	shutdownAfter = 3 * time.Second
)

// Server is the monitor of the runs of one release. Its fields are set before use and not changed afterwards.
type Server struct {
	Redis   redis.UniversalClient
	Queue   string        // the queue of the run that opens; if Redis does not have it, the latest run of the release opens
	MaxDead queue.Portion // dead items with which a run still counts as a success
	Actions bool          // whether retry, pause and resume are allowed
	Pods    int           // worker pods that the release asks for, 0 if unknown
	Token   string        // needed for each action
	Log     *slog.Logger

	runs    runs
	limiter limiter
}

// Run serves on the address until ctx is done.
func (s *Server) Run(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.Log.Info("monitor listening", "address", listener.Addr().String(), "queue", s.Queue, "actions", s.Actions)
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	defer s.first().watch(s.Log)()
	server := web.NewServer(s.Handler(), s.Log)
	server.BaseContext = func(net.Listener) context.Context { return ctx } // open pages end with it
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownAfter)
	defer cancel()
	_ = server.Shutdown(last)
	return nil
}

// Handler routes the monitor's requests. See docs/monitor.md.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage())
	mux.HandleFunc("GET /assets/monitor.css", file("assets/monitor.css", "text/css"))
	mux.HandleFunc("GET /assets/monitor.js", file("assets/monitor.js", "text/javascript"))
	mux.HandleFunc("GET /events", s.eventsHandler())
	mux.HandleFunc("GET /api/runs", s.serveRuns)
	mux.HandleFunc("GET /api/counts", s.forRun(s.serveCounts))
	mux.HandleFunc("GET /api/samples", s.forRun(s.serveSamples))
	mux.HandleFunc("GET /api/workers", s.forRun(s.serveWorkers))
	mux.HandleFunc("GET /api/failures", s.forRun(s.serveFailures))
	mux.HandleFunc("GET /api/dead", s.forRun(s.serveRecords(queue.KindDead)))
	mux.HandleFunc("GET /api/dead/{key}", s.forRun(s.serveRecord(queue.KindDead)))
	mux.HandleFunc("GET /api/results", s.forRun(s.serveRecords(queue.KindResults)))
	mux.HandleFunc("GET /api/results/{key}", s.forRun(s.serveRecord(queue.KindResults)))
	mux.HandleFunc("GET /download/{file}", s.forRun(s.downloadHandler()))
	mux.HandleFunc("POST /api/retry", s.action(retry))
	mux.HandleFunc("POST /api/pause", s.action(pause))
	mux.HandleFunc("POST /api/resume", s.action(resume))
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", s.serveReady)
	return secured(mux)
}

// secured sets the headers that keep a hostile payload from being anything but text in a browser.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// servePage serves the page. It holds nothing of a queue: its script fills it from the API.
func servePage() http.HandlerFunc { return content("text/html", page()) }

// page returns the page, with a place for the number of items in each state.
func page() []byte {
	var bars, counts strings.Builder
	for _, state := range queue.ItemStates {
		if state.Ended || state.Name == "leased" {
			fmt.Fprintf(&bars, `<rect class="%s" data-state="%[1]s" height="100%%" width="0"/>`, state.Name)
		}
		fmt.Fprintf(&counts, `<div class="%s" title="%s"><dt>%[1]s</dt><dd id="%[1]s" data-state="%[1]s"></dd></div>`, state.Name, state.Meaning)
	}
	return []byte(strings.NewReplacer("<!-- bars -->", bars.String(), "<!-- counts -->", counts.String()).Replace(string(embedded("page.html"))))
}

// file serves an embedded file.
func file(name, mediaType string) http.HandlerFunc { return content(mediaType, embedded(name)) }

func embedded(name string) []byte {
	bytes, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the binary
	}
	return bytes
}

func content(mediaType string, bytes []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
		_, _ = w.Write(bytes)
	}
}

// serveReady reports whether Redis can be read.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	if _, err := s.first().queue.Counts(r.Context()); err != nil {
		unavailable(w, err)
	}
}

func unavailable(w http.ResponseWriter, err error) {
	http.Error(w, "redis cannot be read: "+err.Error(), http.StatusServiceUnavailable)
}
