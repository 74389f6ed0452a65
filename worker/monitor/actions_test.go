package monitor

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

func TestActions(t *testing.T) {
	server, q := serve(t, 10, 4)
	bearer := []string{"Authorization", "Bearer " + token}
	refused := []struct {
		name, path, body string
		headers          []string
		status           int
	}{
		{"no token", "/api/retry", `{"all":true}`, nil, http.StatusUnauthorized},
		{"wrong token", "/api/retry", `{"all":true}`, []string{"Authorization", "Bearer x"}, http.StatusUnauthorized},
		{"empty token", "/api/pause", ``, []string{"Authorization", "Bearer "}, http.StatusUnauthorized},
		{"another site", "/api/retry", `{"all":true}`, append([]string{"Sec-Fetch-Site", "cross-site"}, bearer...), http.StatusForbidden},
		{"another origin", "/api/retry", `{"all":true}`, append([]string{"Origin", "https://example.org"}, bearer...), http.StatusForbidden},
		{"no choice", "/api/retry", `{}`, bearer, http.StatusBadRequest},
		{"not a key", "/api/retry", `{"keys":["x"]}`, bearer, http.StatusBadRequest},
		{"not a key to continue from", "/api/retry", `{"all":true,"before":"x"}`, bearer, http.StatusBadRequest},
		{"not a run of the release", "/api/retry?queue=other", `{"all":true}`, bearer, http.StatusNotFound},
		{"half a token", "/api/retry", `{"all":true}`, []string{"Authorization", "Bearer " + token[:10]}, http.StatusUnauthorized},
		{"more than the token", "/api/retry", `{"all":true}`, []string{"Authorization", "Bearer " + token + "x"}, http.StatusUnauthorized},
		{"another scheme", "/api/retry", `{"all":true}`, []string{"Authorization", "Basic " + token}, http.StatusUnauthorized},
		{"the token elsewhere", "/api/retry?token=" + url.QueryEscape(token), `{"all":true}`, []string{"Cookie", "token=" + url.QueryEscape(token)}, http.StatusUnauthorized},
		// A name that was made to mean this address: for the browser it is the same site, but no browser adds a token by itself.
		{"a rebound name", "/api/retry", `{"all":true}`, []string{"Host", "evil.example", "Origin", "http://evil.example", "Sec-Fetch-Site", "same-origin"}, http.StatusUnauthorized},
		{"misspelt", "/api/retry", `{"al":true}`, bearer, http.StatusBadRequest},
		{"huge", "/api/retry", `{"match":"` + strings.Repeat("x", maxBody) + `"}`, bearer, http.StatusBadRequest},
	}
	for _, r := range refused {
		if code, text := post(t, server.URL+r.path, r.body, r.headers...); code != r.status {
			t.Errorf("%s: status %d, want %d: %s", r.name, code, r.status, text)
		}
	}
	if code, _ := get(t, server.URL+"/api/retry"); code != http.StatusMethodNotAllowed {
		t.Errorf("retry by GET: status %d", code)
	}
	if c, _ := q.Counts(t.Context()); c.Dead != 4 || c.Paused {
		t.Fatalf("something was done although it was refused: %+v", c)
	}
	for _, do := range []struct {
		path, body string
		holds      func(queue.Counts) bool
	}{
		{"/api/retry", `{"match":" 0"}`, func(c queue.Counts) bool { return c.Dead == 3 && c.Delayed == 1 }},
		{"/api/retry", `{"failure":"exit code 3"}`, func(c queue.Counts) bool { return c.Dead == 3 }}, // no group has this name
		{"/api/retry", `{"all":true}`, func(c queue.Counts) bool { return c.Dead == 0 && c.Delayed == 4 }},
		{"/api/pause", ``, func(c queue.Counts) bool { return c.Paused }},
		{"/api/resume", ``, func(c queue.Counts) bool { return !c.Paused }},
	} {
		code, text := post(t, server.URL+do.path, do.body, bearer...)
		if c, _ := q.Counts(t.Context()); code != http.StatusOK || !do.holds(c) {
			t.Errorf("%s %s: status %d, %s, then %+v", do.path, do.body, code, text, c)
		}
	}
}

func TestReadOnly(t *testing.T) {
	s := &Server{Queue: "q", Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	if code, text := post(t, server.URL+"/api/pause", "", "Authorization", "Bearer "); code != http.StatusForbidden {
		t.Errorf("with actions disabled: status %d, %s", code, text)
	}
}

// TestRetryOfAGroupIsBoundedAndExact: each request looks at a bounded number of dead letters and says where to continue;
// after the last one all of the group are back, and no others.
func TestRetryOfAGroupIsBoundedAndExact(t *testing.T) {
	const items = 2*record.WindowRecords + 10
	server, q := serve(t, items+3, 3)
	settle(t, q, items, queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: `{"reason":"exit code 1","exit_code":1,"output":"ValueError: 'x.jpg' is truncated"}`})
	requests, before, back := 0, "", 0
	for {
		code, text := post(t, server.URL+"/api/retry", fmt.Sprintf(`{"failure":"exit code 1: ValueError","before":%q}`, before), "Authorization", "Bearer "+token)
		var response ActionResponse
		if err := json.Unmarshal([]byte(text), &response); err != nil || code != http.StatusOK || response.Items > record.WindowRecords {
			t.Fatalf("status %d: %s", code, text)
		}
		requests++
		back += response.Items
		if before = response.Next; before == "" {
			break
		}
	}
	if c, _ := q.Counts(t.Context()); requests != 3 || back != items || c.Dead != 3 || c.Revived != items {
		t.Errorf("after %d requests %d are back and %d dead, want 3, %d and 3", requests, back, c.Dead, items)
	}
}

// TestGuessingTheTokenIsSlow: after some wrong tokens a client must wait, even if its next one is right; others need not.
func TestGuessingTheTokenIsSlow(t *testing.T) {
	server, _ := serve(t, 1, 0)
	refused := 0
	for i := range 3 * wrongTokens {
		code, _ := post(t, server.URL+"/api/pause", "", "Authorization", fmt.Sprintf("Bearer guess %d", i))
		if code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < wrongTokens {
		t.Errorf("%d of %d guesses were refused unread", refused, 3*wrongTokens)
	}
	if code, text := post(t, server.URL+"/api/pause", "", "Authorization", "Bearer "+token); code != http.StatusTooManyRequests {
		t.Errorf("the right token during the wait: status %d, %s", code, text)
	}
}

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Unix(1700000000, 0)
	spend := func(client string, tries int) (accepted int) {
		for range tries {
			if l.take(client, now) == 0 {
				accepted++
			}
		}
		return accepted
	}
	if n := spend("a", 100); n != wrongTokens {
		t.Errorf("%d tries were accepted at once, want %d", n, wrongTokens)
	}
	if n := spend("b", 100); n != wrongTokens {
		t.Errorf("another client had %d tries, want %d", n, wrongTokens)
	}
	now = now.Add(2 * wrongTokenInterval)
	if n := spend("a", 100); n != 2 {
		t.Errorf("after two intervals %d tries were accepted, want 2", n)
	}
	l.restore("a")
	if n := spend("a", 100); n != wrongTokens {
		t.Errorf("after the right token %d tries were accepted, want %d", n, wrongTokens)
	}
	// An attacker with very many addresses costs no memory, and wins no tries by being forgotten early.
	accepted := 0
	for i := range 10 * clientsKnown {
		accepted += spend(fmt.Sprint(i), 1)
	}
	if len(l.spent) > clientsKnown+1 || accepted > clientsKnown+wrongTokens {
		t.Errorf("%d clients are kept, and %d tries were accepted", len(l.spent), accepted)
	}
	now = now.Add(time.Hour)
	spend("later", 1)
	if len(l.spent) != 1 {
		t.Errorf("%d clients are kept after an hour, want 1", len(l.spent))
	}
}

func TestClients(t *testing.T) {
	for address, want := range map[string]string{"10.1.2.3:5": "10.1.2.3", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:10.1.2.3]:5": "10.1.2.3",
		"[fe80::1%eth0]:5": "fe80::/64", "@": "@"} {
		if got := clientOf(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%s is the client %s, want %s", address, got, want)
		}
	}
}
