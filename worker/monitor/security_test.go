package monitor

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/web"
)

// TestEveryAnswerIsGuarded: every response has the headers that protect a browser, whether the path exists or not.
func TestEveryAnswerIsGuarded(t *testing.T) {
	server, _ := serve(t, 3, 1)
	for _, path := range []string{"/", "/assets/monitor.js", "/api/counts", "/api/dead", "/api/dead?limit=x", "/download/dead.csv", "/download/dead.jsonl", "/metrics", "/healthz", "/nowhere", "/<script>"} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		policy := response.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the Content-Security-Policy %q lacks %s", path, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the Content-Security-Policy is %q", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if kind := response.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") != (path == "/") {
			t.Errorf("%s: the Content-Type is %q", path, kind)
		}
	}
}

// TestNothingLeadsElsewhere: no path redirects to another site, or serves another file.
func TestNothingLeadsElsewhere(t *testing.T) {
	server, _ := serve(t, 0, 0)
	for _, path := range []string{"//evil.example/", "//evil.example/..", "/%2f%2fevil.example", "/\\evil.example", "/assets//evil.example", "/assets/",
		"/assets/../monitor.go", "/assets/..%2fpage.html", "/assets/..%2f..%2fgo.mod", "/assets/index.html", "/api/dead/..%2f..%2f", "/download/..%2fpage.html", "/?next=//evil.example"} {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n", path)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, _ := io.ReadAll(response.Body)
		connection.Close()
		if to, err := url.Parse(response.Header.Get("Location")); err != nil || to.Host != "" || strings.HasPrefix(to.Path, "//") {
			t.Errorf("%s leads to %q", path, response.Header.Get("Location"))
		}
		if response.StatusCode == http.StatusOK && !strings.HasPrefix(path, "/?") {
			t.Errorf("%s is there: %.200s", path, body)
		}
	}
}

// TestNobodyHoldsItUp: a request that is endless or slow is ended or refused.
func TestNobodyHoldsItUp(t *testing.T) {
	s, _ := fill(t, 3, 0)
	configured := web.NewServer(s.Handler(), s.Log)
	for name, limit := range map[string]time.Duration{"ReadHeaderTimeout": configured.ReadHeaderTimeout, "ReadTimeout": configured.ReadTimeout,
		"WriteTimeout": configured.WriteTimeout, "IdleTimeout": configured.IdleTimeout} {
		if limit <= 0 || limit > 2*time.Minute {
			t.Errorf("%s is %v", name, limit)
		}
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = configured
	const timeout = 500 * time.Millisecond // like the configured ones, but short
	configured.ReadHeaderTimeout, configured.ReadTimeout, configured.WriteTimeout = timeout, timeout, timeout
	server.Start()
	defer server.Close()
	send := func(text string) (response string, took time.Duration) {
		t.Helper()
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		began := time.Now()
		_ = connection.SetDeadline(began.Add(10 * time.Second))
		_, _ = io.WriteString(connection, text)
		all, _ := io.ReadAll(connection)
		return string(all), time.Since(began)
	}
	head := "POST /api/retry HTTP/1.1\r\nHost: monitor\r\nAuthorization: Bearer " + token + "\r\n"
	for name, test := range map[string]struct{ text, status string }{
		"a header that does not end": {"GET / HTTP/1.1\r\nHost: monitor\r\nX: ", ""},
		"a header that is too large": {"GET / HTTP/1.1\r\nHost: monitor\r\nX: " + strings.Repeat("x", 2*web.MaxHeader) + "\r\n\r\n", "431"},
		"a body that does not come":  {head + "Content-Length: 10\r\n\r\n{", ""},
		"a body that does not end":   {head + "Transfer-Encoding: chunked\r\n\r\n20000\r\n{\"match\":\"" + strings.Repeat("x", 0x20000), "400"},
	} {
		response, took := send(test.text)
		if took > 5*time.Second || test.status != "" && !strings.Contains(response[:min(len(response), 20)], test.status) {
			t.Errorf("%s: %.100q after %v, want %s", name, response, took, test.status)
		}
	}

	// The events last longer than any other request may.
	response, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events, lines := bufio.NewScanner(response.Body), 0
	for began := time.Now(); time.Since(began) < 6*timeout && events.Scan(); {
		lines++
	}
	if lines < 4 {
		t.Errorf("the events ended after %d lines: %v", lines, events.Err())
	}
}

func TestTooManyPages(t *testing.T) {
	server, _ := serve(t, 1, 0)
	for i := range maxListeners + 1 {
		response, err := http.Get(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if refused := response.StatusCode == http.StatusServiceUnavailable; refused != (i == maxListeners) {
			t.Fatalf("page %d: status %d", i+1, response.StatusCode)
		}
	}
	if code, _ := get(t, server.URL+"/api/counts"); code != http.StatusOK {
		t.Errorf("with as many pages open as there may be: status %d", code)
	}
}

// TestUnreachable: without Redis the page is still served, and each request for data fails.
func TestUnreachable(t *testing.T) {
	s, redis := fill(t, 3, 1)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	redis.Kill()
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 503, "/api/counts": 503, "/api/workers": 503, "/api/failures": 503, "/api/results": 503, "/api/runs": 503, "/api/dead": 503, "/metrics": 503} {
		if code, body := get(t, server.URL+path); code != want {
			t.Errorf("%s: status %d, want %d: %.300s", path, code, want, body)
		}
	}
	if code, _ := post(t, server.URL+"/api/pause", "", "Authorization", "Bearer "+token); code != http.StatusServiceUnavailable {
		t.Errorf("pause: status %d", code)
	}
}

// TestNoTokenIsNoToken: even if the settings were not checked, an empty token would let nobody in.
func TestNoTokenIsNoToken(t *testing.T) {
	s := &Server{Queue: "q", Actions: true, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	for _, header := range []string{"", "Bearer ", "Bearer"} {
		if code, _ := post(t, server.URL+"/api/pause", "", "Authorization", header); code != http.StatusUnauthorized {
			t.Errorf("%q: status %d", header, code)
		}
	}
}
