// Package monitor shows a run to a person: one page that follows it live, the same as JSON, and metrics. It reads only,
// unless actions are switched on.
package monitor

import (
	"context"
	"embed"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/web"
)

//go:embed page.html assets
var files embed.FS

const (
	maxBody       = 64 << 10 // bytes in a request that wants something done
	shutdownAfter = 3 * time.Second
)

// Server is the monitor of one queue.
type Server struct {
	Queue   *queue.Queue
	MaxDead int    // dead items with which a run still counts as a success
	Actions bool   // whether retry, pause and resume are allowed
	Token   string // what a person must know for that
	Log     *slog.Logger

	sampler sampler
	running recent[[]Running]
}

// Run serves on the address until ctx is done.
func (s *Server) Run(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.Log.Info("the monitor listens", "address", listener.Addr().String(), "queue", s.Queue.Name, "actions", s.Actions)
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	go s.sampler.run(ctx, s.Queue, s.Log)
	server := web.NewServer(s.Handler(), s.Log)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownAfter)
	defer cancel()
	_ = server.Shutdown(last) // the pages that still listen notice
	return nil
}

// Handler routes the monitor's requests. See docs/monitor.md.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /assets/monitor.css", asset("text/css"))
	mux.HandleFunc("GET /assets/monitor.js", asset("text/javascript"))
	mux.HandleFunc("GET /events", s.eventsHandler())
	mux.HandleFunc("GET /api/counts", s.serveCounts)
	mux.HandleFunc("GET /api/samples", s.serveSamples)
	mux.HandleFunc("GET /api/running", s.serveRunning)
	mux.HandleFunc("GET /api/dead", s.serveDead)
	mux.HandleFunc("GET /api/dead/{key}", s.serveLetter)
	mux.HandleFunc("POST /api/retry", s.action(s.retry))
	mux.HandleFunc("POST /api/pause", s.action(s.pause))
	mux.HandleFunc("POST /api/resume", s.action(s.resume))
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", s.serveReady)
	return secured(mux)
}

// secured sets what keeps a hostile payload from becoming more than text, should it ever get past the templates.
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

// asset serves a file that is part of the page.
func asset(mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType+"; charset=utf-8")
		_, _ = io.WriteString(w, file("assets/"+path.Base(r.URL.Path)))
	}
}

func file(name string) string {
	bytes, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the binary
	}
	return string(bytes)
}

// servePage answers the page even while Redis is away: its script says so, and goes on when it is back.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	shot := Snapshot{State: stateAway, Says: "Redis does not answer."}
	if counts, err := s.Queue.Counts(r.Context()); err == nil {
		shot = s.snapshot(counts)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, s.render(shot))
}

// render fills in the page as it is now; its script keeps it up to date afterwards. The package html/template would do
// it too, and double the size of the program: it calls methods by name, so the linker must keep all there are.
func (s *Server) render(shot Snapshot) string {
	part := func(n int) string { return fmt.Sprintf("%.3f", share(n, shot.Total)) }
	values := []string{}
	for name, value := range map[string]any{
		"Queue": s.Queue.Name, "Actions": s.Actions, "State": shot.State, "Says": shot.Says,
		"Percent": fmt.Sprintf("%.1f", shot.Percent()), "Total": grouped(shot.Total),
		"Ready": grouped(shot.Ready), "Leased": grouped(shot.Leased), "Delayed": grouped(shot.Delayed),
		"Suspects": grouped(shot.Suspects), "Done": grouped(shot.Done), "Dead": grouped(shot.Dead),
		"Failed": grouped(shot.Failed), "Expired": grouped(shot.Expired),
		"DonePart": part(shot.Done), "DeadPart": part(shot.Dead), "LeasedPart": part(shot.Leased),
		"DeadAt": part(shot.Done), "LeasedAt": part(shot.Done + shot.Dead),
	} {
		values = append(values, "{{"+name+"}}", html.EscapeString(fmt.Sprint(value)))
	}
	return strings.NewReplacer(values...).Replace(file("page.html"))
}

// serveReady says whether Redis can be reached.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	if _, err := s.Queue.Counts(r.Context()); err != nil {
		unavailable(w, err)
	}
}

func unavailable(w http.ResponseWriter, err error) {
	http.Error(w, "redis cannot be read: "+err.Error(), http.StatusServiceUnavailable)
}
