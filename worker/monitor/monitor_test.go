package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
	"github.com/workqueue/workqueue/worker/redistest"
)

const token = "a token of some length"

// hostile is what somebody may have put into a queue.
const hostile = "<script>alert(1)</script>\x00\x1b[2J\u202e\"'&"

// serve starts a Redis, a queue on it with some items of which so many are dead, and its monitor.
func serve(t *testing.T, items, deadItems int) (*httptest.Server, *queue.Queue) {
	t.Helper()
	s, _ := fill(t, items, deadItems)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server, s.Queue
}

func fill(t *testing.T, items, deadItems int) (*Server, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	client := redis.Client()
	t.Cleanup(func() { client.Close() })
	q := queue.New(client, "<job2>")
	seeder := q.NewSeeder("test")
	for i := range items {
		if err := seeder.Add(t.Context(), fmt.Sprintf("%s %d", hostile, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	session := q.NewSession("host.abc", queue.Limits{Lease: time.Minute, BatchBytes: 1 << 30, MaxCrashes: 3})
	for left := deadItems; left > 0; {
		reply, err := session.Exchange(t.Context(), queue.Request{Want: left})
		if err != nil {
			t.Fatal(err)
		}
		report := queue.Report{Batch: reply.Batch.ID, Release: true}
		for i := range reply.Batch.Items {
			report.Outcomes = append(report.Outcomes, queue.ItemOutcome{Position: i, Outcome: queue.OutcomeDead,
				Text: `{"reason":"exit code 3","exit_code":3,"output":"<b>oh no</b>","host":"here"}`})
		}
		if _, err := session.Exchange(t.Context(), queue.Request{Reports: []queue.Report{report}}); err != nil {
			t.Fatal(err)
		}
		left -= len(reply.Batch.Items)
	}
	s := &Server{Queue: q, Actions: true, Token: token, Log: slog.New(slog.DiscardHandler)}
	go s.sampler.run(t.Context(), q, s.Log)
	return s, redis
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// post asks for an action; the headers come in pairs.
func post(t *testing.T, address, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(answer)
}

func TestPage(t *testing.T) {
	server, _ := serve(t, 10, 4)
	code, body := get(t, server.URL)
	if code != http.StatusOK || !strings.Contains(body, ">&lt;job2&gt;</bdi></h1>") || !strings.Contains(body, "40.0 %") {
		t.Errorf("status %d, page:\n%.1500s", code, body)
	}
	if _, rest, found := strings.Cut(body, "{{"); found {
		t.Errorf("something of the page was not filled in: %.30s", rest)
	}
	for _, asset := range []string{"/assets/monitor.css", "/assets/monitor.js"} {
		if code, body := get(t, server.URL+asset); code != http.StatusOK || len(body) < 1000 {
			t.Errorf("%s: status %d, %d bytes", asset, code, len(body))
		}
	}
}

func TestAPI(t *testing.T) {
	server, _ := serve(t, 10, 4)
	for path, wanted := range map[string][]string{
		"/api/counts":            {`"state":"running"`, `"total":10`, `"ready":6`, `"dead":4`},
		"/api/running":           {`[]`},
		"/api/dead":              {`\u003cscript\u003e`, `"reason":"exit code 3"`, `"output":"\u003cb\u003eoh no`},
		"/api/dead?match=nobody": {`{"dead":[]}`},
		"/api/dead?match=OH+NO":  {`"key":"`},     // of the output
		"/api/dead?match=outp":   {`{"dead":[]}`}, // of the record's own words
		"/api/samples":           {`"revived":0`},
		"/api/dead?limit=1":      {`"next":"`},
		"/metrics": {`workqueue_items{queue="<job2>",state="dead"} 4`, "# TYPE workqueue_items gauge",
			`workqueue_items_added_total{queue="<job2>"} 10`},
		"/healthz": {},
		"/readyz":  {},
	} {
		code, body := get(t, server.URL+path)
		if code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, code, body)
		}
		for _, want := range wanted {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %q is not in %s", path, want, body)
			}
		}
	}
	for _, wrong := range []string{"/api/dead?limit=x", "/api/dead?limit=0", "/api/dead?limit=1001", "/api/dead?before=x", "/api/dead/x", "/api/dead/-"} {
		if code, body := get(t, server.URL+wrong); code != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", wrong, code, body)
		}
	}
}

// TestLetter: one dead letter is answered whole, however large; in a list it is cut.
func TestLetter(t *testing.T) {
	s, server := fill(t, 3, 3)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	large := strings.Repeat("ü", 1<<20)
	client := server.Client()
	defer client.Close()
	var key string
	for range 20 {
		var err error
		key, err = client.XAdd(t.Context(), &redis.XAddArgs{Stream: "{" + s.Queue.Name + "}:dead",
			Values: []any{"id", "9", "item", large, "attempts", 1, "crashes", 0, "report", large}}).Result()
		if err != nil {
			t.Fatal(err)
		}
	}
	code, body := get(t, monitor.URL+"/api/dead")
	var page DeadPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if first := page.Dead[0]; code != http.StatusOK || len(page.Dead) != 23 || len(body) > 23*5*partShown || first.ItemBytes != len(large) ||
		len(first.Item) > partShown || len(first.Item) < partShown-3 || !strings.HasPrefix(large, first.Item) {
		t.Errorf("status %d, %d letters in %d bytes; of %d bytes %d, which begin with %.20q", code, len(page.Dead), len(body), first.ItemBytes, len(first.Item), first.Item)
	}
	code, body = get(t, monitor.URL+"/api/dead/"+key)
	var whole record.Record
	if err := json.Unmarshal([]byte(body), &whole); err != nil || code != http.StatusOK || whole.Item != large || whole.ItemBytes != 0 || whole.Reason != large {
		t.Errorf("status %d, %v: %d bytes of the item, %d of the reason, want %d", code, err, len(whole.Item), len(whole.Reason), len(large))
	}
	if code, _ := get(t, monitor.URL+"/api/dead/1-1"); code != http.StatusNotFound {
		t.Errorf("a letter that is not there: status %d", code)
	}
}

// TestManyDead: paging through ten thousand dead letters meets each of them once.
func TestManyDead(t *testing.T) {
	server, _ := serve(t, 10000, 10000)
	seen, before := map[string]bool{}, ""
	for pages := 0; ; pages++ {
		_, body := get(t, server.URL+"/api/dead?limit=1000&before="+before)
		var page DeadPage
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Dead {
			seen[d.ID] = true
		}
		if before = page.Next; before == "" {
			break
		}
		if pages > 20 {
			t.Fatal("there is no last page")
		}
	}
	if len(seen) != 10000 {
		t.Errorf("%d dead letters on all pages", len(seen))
	}
}

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
		{"nothing said", "/api/retry", `{}`, bearer, http.StatusBadRequest},
		{"no such key", "/api/retry", `{"keys":["x"]}`, bearer, http.StatusBadRequest},
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
		if code, answer := post(t, server.URL+r.path, r.body, r.headers...); code != r.status {
			t.Errorf("%s: status %d, want %d: %s", r.name, code, r.status, answer)
		}
	}
	if code, _ := get(t, server.URL+"/api/retry"); code != http.StatusMethodNotAllowed {
		t.Errorf("retry by GET: status %d", code)
	}
	if c, _ := q.Counts(t.Context()); c.Dead != 4 || c.Paused {
		t.Fatalf("something refused was done all the same: %+v", c)
	}
	for _, do := range []struct {
		path, body string
		holds      func(queue.Counts) bool
	}{
		{"/api/retry", `{"match":" 0"}`, func(c queue.Counts) bool { return c.Dead == 3 && c.Delayed == 1 }},
		{"/api/retry", `{"all":true}`, func(c queue.Counts) bool { return c.Dead == 0 && c.Delayed == 4 }},
		{"/api/pause", ``, func(c queue.Counts) bool { return c.Paused }},
		{"/api/resume", ``, func(c queue.Counts) bool { return !c.Paused }},
	} {
		code, answer := post(t, server.URL+do.path, do.body, bearer...)
		if c, _ := q.Counts(t.Context()); code != http.StatusOK || !do.holds(c) {
			t.Errorf("%s %s: status %d, %s, then %+v", do.path, do.body, code, answer, c)
		}
	}
}

// TestEvents: the page is told how the run goes on.
func TestEvents(t *testing.T) {
	server, q := serve(t, 3, 0)
	response, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := q.Push(t.Context(), "p", "another"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for told := ""; !strings.Contains(told, `"total":4`); {
		n, err := response.Body.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, told)
		}
		told += string(buffer[:n])
	}
}

func TestOnlyShows(t *testing.T) {
	s := &Server{Queue: queue.New(nil, "q"), Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	if code, answer := post(t, server.URL+"/api/pause", "", "Authorization", "Bearer "); code != http.StatusForbidden {
		t.Errorf("with actions switched off: status %d, %s", code, answer)
	}
}
