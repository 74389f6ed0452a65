package monitor

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/record"
)

// addRecords writes dead letters or results straight into Redis.
func addRecords(t *testing.T, s *Server, stream string, n int, item, report func(i int) string) {
	t.Helper()
	for i := 0; i < n; {
		_, err := s.Redis.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for end := min(n, i+5000); i < end; i++ {
				pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: "{" + s.Queue + "}:" + stream,
					Values: []any{"id", i, "item", item(i), "attempts", 1, "crashes", 0, "report", report(i)}})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeadLetter: one dead letter is served whole, however large; in a list it is cut.
func TestDeadLetter(t *testing.T) {
	s, _ := fill(t, 3, 3)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	large := strings.Repeat("ü", 1<<20)
	addRecords(t, s, "dead", 5, func(int) string { return large }, func(int) string { return large })
	code, body := get(t, monitor.URL+"/api/dead")
	var page RecordPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	// Large records end a page early: it continues with the next.
	if first := page.Records[0]; code != http.StatusOK || len(page.Records) != 16<<20/(4<<20) || page.Next == "" || len(body) > 20*partShown ||
		first.ItemBytes != len(large) || len(first.Item) > partShown || len(first.Item) < partShown-3 || !strings.HasPrefix(large, first.Item) {
		t.Errorf("status %d, %d records in %d bytes; of %d bytes %d, which start with %.20q", code, len(page.Records), len(body), first.ItemBytes, len(first.Item), first.Item)
	}
	whole := fetch[Record](t, monitor.URL+"/api/dead/"+page.Records[0].Key)
	if whole.Item != large || whole.ItemBytes != 0 || whole.Reason != large {
		t.Errorf("%d bytes of the item, %d of the reason, want %d", len(whole.Item), len(whole.Reason), len(large))
	}
	if code, _ := get(t, monitor.URL+"/api/dead/1-1"); code != http.StatusNotFound {
		t.Errorf("a dead letter that does not exist: status %d", code)
	}
}

// TestManyDead: with 100,000 dead letters each request reads a bounded part, whatever it looks for; following next meets each of them
// once.
func TestManyDead(t *testing.T) {
	const letters = 100_000
	s, _ := fill(t, 1, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	addRecords(t, s, "dead", letters, func(i int) string { return fmt.Sprintf("item %06d", i) },
		func(i int) string {
			return fmt.Sprintf(`{"reason":"exit code %d","exit_code":%d,"output":"ValueError: item %06d"}`, i%3, i%3, i)
		})
	for _, path := range []string{"/api/dead?match=nowhere", "/api/dead?failure=nowhere", "/api/dead?limit=1000", "/api/failures"} {
		var slowest time.Duration
		requests, read, found, before := 0, 0, map[string]bool{}, ""
		for {
			address, _ := url.Parse(monitor.URL + path)
			query := address.Query()
			query.Set("before", before)
			address.RawQuery = query.Encode()
			began := time.Now()
			page := fetch[struct {
				RecordPage
				Failures []record.Failure
			}](t, address.String())
			slowest = max(slowest, time.Since(began))
			requests++
			read += page.Read
			if page.Read > record.WindowRecords {
				t.Fatalf("%s: a request read %d dead letters", path, page.Read)
			}
			for _, r := range page.Records {
				found[r.ID] = true
			}
			if before = page.Next; before == "" {
				break
			}
		}
		t.Logf("%s: %d requests, the slowest took %v", path, requests, slowest.Round(time.Millisecond))
		if read != letters || strings.Contains(path, "limit") && len(found) != letters {
			t.Errorf("%s: %d requests read %d and found %d dead letters", path, requests, read, len(found))
		}
	}
}

// TestManyKindsOfFailures: however many there are, the response is bounded and counts all.
func TestManyKindsOfFailures(t *testing.T) {
	s, _ := fill(t, 1, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	addRecords(t, s, "dead", 1000, func(int) string { return "x" }, func(i int) string {
		return fmt.Sprintf(`{"reason":"kind %c%c"}`, 'a'+i%25, 'a'+i/25%25)
	})
	page := fetch[record.Failures](t, monitor.URL+"/api/failures")
	total := page.Others
	for _, failure := range page.Failures {
		total += failure.Count
	}
	if len(page.Failures) != 100 || total != 1000 || page.Failures[0].Count != 2 {
		t.Errorf("%d groups, %d dead items, the largest group has %d", len(page.Failures), total, page.Failures[0].Count)
	}
}

// TestDownload: all records arrive, whole, oldest first, whatever bytes they hold; a spreadsheet runs none of them.
func TestDownload(t *testing.T) {
	s, _ := fill(t, 1, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	items := []string{"=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "a,\"b\"\r\nc", "\xff\xfe", "", hostile, strings.Repeat("x", 100_000)}
	addRecords(t, s, "dead", len(items), func(i int) string { return items[i] }, func(i int) string {
		if i == 3 {
			return "not JSON"
		}
		return `{"reason":"=cmd|' /C calc'!A0","exit_code":3,"output":"@x","host":"here","started":"2026-01-02T03:04:05Z","seconds":0.25}`
	})
	addRecords(t, s, "results", 3, func(i int) string { return items[i] }, func(int) string { return `{"output":"42"}` })

	response, err := http.Get(monitor.URL + "/download/dead.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if disposition := response.Header.Get("Content-Disposition"); disposition != `attachment; filename="-job2--dead.csv"` {
		t.Errorf("Content-Disposition: %s", disposition)
	}
	rows, err := csv.NewReader(response.Body).ReadAll()
	if err != nil || len(rows) != len(items)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, item := range items {
		row := rows[i+1]
		for _, field := range row {
			if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
				t.Errorf("a spreadsheet would run %q", field)
			}
		}
		if got := strings.TrimPrefix(row[1], "'"); row[2] == "" && got != strings.ReplaceAll(item, "\r\n", "\n") {
			t.Errorf("item %d is %.50q, want %.50q", i, got, item)
		}
	}
	code, body := get(t, monitor.URL+"/download/dead.jsonl")
	decoder, n := json.NewDecoder(strings.NewReader(body)), 0
	for ; ; n++ {
		var line struct {
			Item         string
			ItemEncoding string `json:"item_encoding"`
			Reason       string
		}
		if err := decoder.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if line.ItemEncoding == "" && line.Item != items[n] || line.Reason == "" {
			t.Errorf("line %d is %.100v", n, line)
		}
	}
	if code != http.StatusOK || n != len(items) {
		t.Errorf("status %d, %d lines, want %d", code, n, len(items))
	}
	if _, body := get(t, monitor.URL+"/download/results.jsonl"); strings.Count(body, `"output":"42"`) != 3 {
		t.Errorf("the results are %s", body)
	}
	if _, body := get(t, monitor.URL+"/download/dead.csv?match=hyperlink"); strings.Count(body, "\n") != 2 {
		t.Errorf("those that match are %s", body)
	}
}

// TestABrokenDownloadIsNotTakenForTheWhole: if Redis goes away in between, the client gets an error.
func TestABrokenDownloadIsNotTakenForTheWhole(t *testing.T) {
	s, redis := fill(t, 1, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	large := strings.Repeat("x", 1<<20)
	addRecords(t, s, "dead", 100, func(int) string { return large }, func(int) string { return "{}" })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, monitor.URL+"/download/dead.jsonl", nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	redis.Kill()
	var rest bytes.Buffer
	if n, err := io.Copy(&rest, response.Body); err == nil {
		t.Errorf("the download ended well after another %d bytes of 99 MiB", n)
	}
}
