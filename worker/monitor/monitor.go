// Package monitor shows a run to a person: one page that follows it live, the same as JSON, and metrics. It reads only,
// unless actions are switched on.
package monitor

import (
	"context"
	"embed"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

//go:embed assets
var files embed.FS

//go:embed page.html
var page string

const (
	maxBody       = 64 << 10 // bytes in a request that wants something done
	readTimeout   = 10 * time.Second
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
}

// Run serves on the address until ctx is done.
func (s *Server) Run(ctx context.Context, address string) error {
	go s.sampler.run(ctx, s.Queue, s.Log)
	server := &http.Server{
		Addr:              address,
		Handler:           s.Handler(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.ListenAndServe() }()
	s.Log.Info("the monitor listens", "address", address, "queue", s.Queue.Name, "actions", s.Actions)
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
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // they are part of the binary
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(assets)))
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.HandleFunc("GET /api/counts", s.serveCounts)
	mux.HandleFunc("GET /api/samples", s.serveSamples)
	mux.HandleFunc("GET /api/running", s.serveRunning)
	mux.HandleFunc("GET /api/dead", s.serveDead)
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
			"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	counts, err := s.Queue.Counts(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, s.render(s.snapshot(counts)))
}

// render fills in the page as it is now; its script keeps it up to date afterwards. The package html/template would do
// it too, and double the size of the program: it calls methods by name, so the linker must keep all there are.
func (s *Server) render(shot Snapshot) string {
	values := []string{}
	for name, value := range map[string]any{
		"Queue": s.Queue.Name, "Actions": s.Actions, "State": shot.State, "Percent": fmt.Sprintf("%.1f", shot.Percent()),
		"Total": shot.Total, "Ready": shot.Ready, "Leased": shot.Leased, "Delayed": shot.Delayed, "Suspects": shot.Suspects,
		"Done": shot.Done, "Dead": shot.Dead, "Retried": shot.Retried, "Expired": shot.Expired,
	} {
		values = append(values, "{{"+name+"}}", html.EscapeString(fmt.Sprint(value)))
	}
	return strings.NewReplacer(values...).Replace(page)
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
