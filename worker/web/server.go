// Package web is what the HTTP servers of the worker and the monitor share.
package web

import (
	"log/slog"
	"net/http"
	"time"
)

// MaxHeader is how many bytes of headers a request may have.
const MaxHeader = 16 << 10

// NewServer returns a server that slow clients cannot block: a client has 10 s to send its request and 30 s to read the response.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    MaxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
