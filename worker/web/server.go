// Package web has what the pages that a worker serves have in common.
package web

import (
	"log/slog"
	"net/http"
	"time"
)

// MaxHeader is how many bytes of headers a request may have.
const MaxHeader = 16 << 10

// NewServer bounds what somebody can hold who sends slowly, reads slowly, or does not end. A client has 10 s to ask, and
// 30 s to read the response.
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
