package monitor

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/redistest"
)

const token = "a token of some length"

// hostile is what somebody may have put into a queue.
const hostile = "<script>alert(1)</script>\x00\x1b[2J\u202e\"'&"

// testQueue is the name of the tests' queue, which is hostile too.
const testQueue = "<job2>"

const deadReport = `{"reason":"exit code 3","exit_code":3,"output":"<b>oh no</b>","host":"here","started":"2026-01-02T03:04:05Z","seconds":2}`

// serve starts a Redis, a queue on it with some items, so many of them dead, and its monitor.
func serve(t *testing.T, items, deadItems int) (*httptest.Server, *queue.Queue) {
	t.Helper()
	s, _ := fill(t, items, deadItems)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server, s.first().queue
}

func fill(t *testing.T, items, deadItems int) (*Server, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	client := redis.Client()
	t.Cleanup(func() { client.Close() })
	q := queue.New(client, testQueue)
	seed(t, q, items)
	settle(t, q, deadItems, queue.ItemOutcome{Outcome: queue.OutcomeDead, Text: deadReport})
	s := &Server{Redis: client, Queue: q.Name, Actions: true, Token: token, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(s.first().watch(s.Log))
	return s, redis
}

func seed(t *testing.T, q *queue.Queue, items int) {
	t.Helper()
	seeder := q.NewSeeder("test")
	for i := range items {
		if err := seeder.Add(t.Context(), fmt.Sprintf("%s %d", hostile, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := seeder.Publish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
}

// settle leases so many items and reports the same outcome of each.
func settle(t *testing.T, q *queue.Queue, items int, outcome queue.ItemOutcome) {
	t.Helper()
	session := q.NewSession("here."+rand.Text(), queue.Limits{Lease: time.Minute, BatchBytes: 1 << 30, MaxCrashes: 3})
	for items > 0 {
		reply, err := session.Exchange(t.Context(), queue.Request{Want: min(items, 1000)})
		if err != nil {
			t.Fatal(err)
		}
		report := queue.Report{Batch: reply.Batch.ID, Release: true}
		for i := range reply.Batch.Items {
			outcome.Position = i
			report.Outcomes = append(report.Outcomes, outcome)
		}
		if outcome.Outcome == queue.OutcomeDone {
			report.Done = len(reply.Batch.Items)
		}
		if _, err := session.Exchange(t.Context(), queue.Request{Reports: []queue.Report{report}}); err != nil {
			t.Fatal(err)
		}
		items -= len(reply.Batch.Items)
	}
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

// fetch returns the JSON that an address responds with.
func fetch[T any](t *testing.T, address string) (value T) {
	t.Helper()
	code, body := get(t, address)
	if err := json.Unmarshal([]byte(body), &value); err != nil || code != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %.300s", address, code, err, body)
	}
	return value
}

// post requests an action; the headers come in pairs.
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
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// TestPage: the page and its assets hold nothing of a queue: they are the same for every run.
func TestPage(t *testing.T) {
	server, _ := serve(t, 10, 4)
	code, body := get(t, server.URL)
	if want := string(page()); code != http.StatusOK || body != want {
		t.Errorf("status %d, and the page is another:\n%.500s", code, body)
	}
	for _, asset := range []string{"/assets/monitor.css", "/assets/monitor.js"} {
		if code, body := get(t, server.URL+asset); code != http.StatusOK || len(body) < 1000 {
			t.Errorf("%s: status %d, %d bytes", asset, code, len(body))
		}
	}
}

func TestAPI(t *testing.T) {
	server, _ := serve(t, 10, 4)
	redistest.Eventually(t, "there is a sample", func() error {
		if _, body := get(t, server.URL+"/api/samples"); !strings.Contains(body, `"revived":0`) {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	for path, wanted := range map[string][]string{
		"/api/counts":                    {`"state":"running"`, `"total":10`, `"ready":6`, `"dead":4`, `"actions":true`, `"queue":"\u003cjob2\u003e"`},
		"/api/counts?queue=%3Cjob2%3E":   {`"total":10`},
		"/api/runs":                      {`"queue":"\u003cjob2\u003e"`, `"state":"running"`, `"dead":4`},
		"/api/workers":                   {`{"workers":[],"more":false,`, `"p50":2`, `"max":2`},
		"/api/failures":                  {`"failure":"exit code 3: \u003cb\u003eoh …"`, `"count":4`, `"read":4}`},
		"/api/dead":                      {`\u003cscript\u003e`, `"reason":"exit code 3"`, `"output":"\u003cb\u003eoh no`},
		"/api/dead?match=nobody":         {`{"records":[],"read":4}`},
		"/api/dead?match=OH+NO":          {`"key":"`},                 // of the output
		"/api/dead?match=outp":           {`{"records":[],"read":4}`}, // of the record's own words
		"/api/dead?failure=exit+code+3":  {`{"records":[],"read":4}`}, // a part of a group's name is not its name
		"/api/dead?limit=1":              {`"next":"`, `"read":1`},
		"/api/results":                   {`{"records":[],"read":0}`},
		"/download/dead.jsonl?match=oh":  {`"exit_code":3`},
		"/download/dead.csv?match=never": {"id,item,"},
		"/metrics": {`workqueue_items{queue="<job2>",state="dead"} 4`, "# TYPE workqueue_items gauge",
			`workqueue_items_added_total{queue="<job2>"} 10`, `workqueue_run_state{queue="<job2>",state="running"} 1`, `workqueue_run_state{queue="<job2>",state="failed"} 0`},
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
	for path, want := range map[string]int{
		"/api/dead?limit=x": 400, "/api/dead?limit=0": 400, "/api/dead?limit=1001": 400, "/api/dead?before=x": 400, "/api/failures?before=+": 400,
		"/api/dead/x": 400, "/api/dead/-": 400, "/api/results/x": 400, "/api/dead/1-1": 404, "/download/dead": 404, "/download/dead.exe": 404, "/download/state.csv": 404,
		"/api/counts?queue=job2": 404, "/api/dead?queue=%3Cjob2%3E-x": 404, "/events?queue=*": 404, "/download/dead.csv?queue=other": 404,
	} {
		if code, body := get(t, server.URL+path); code != want {
			t.Errorf("%s: status %d, want %d: %s", path, code, want, body)
		}
	}
}

// TestEvents: the page is sent how the run goes on.
func TestEvents(t *testing.T) {
	server, q := serve(t, 3, 0)
	response, err := http.Get(server.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := q.NewPusher().Push(t.Context(), "another"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for received := ""; !strings.Contains(received, `"total":4`); {
		n, err := response.Body.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, received)
		}
		received += string(buffer[:n])
	}
}
