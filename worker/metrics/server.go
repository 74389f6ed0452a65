package metrics

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/workqueue/workqueue/worker/web"
)

// Serve serves what write writes at /metrics, and /healthz, until the server is closed.
func Serve(address string, log *slog.Logger, write http.HandlerFunc) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", write)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := web.NewServer(mux, log)
	go func() { _ = server.Serve(listener) }()
	log.Info("metrics are served", "address", listener.Addr())
	return server, nil
}
