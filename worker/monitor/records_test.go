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
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/workqueue/workqueue/worker/queue"
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
	if first := page.Records[0]; code != http.StatusOK || len(page.Records) != maxReadBytes/(4<<20) || page.Next == "" || len(body) > 20*partShown ||
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

// TestManyDead: with 300,000 dead letters each request reads a bounded part and responds soon, whatever it looks for;
// following next meets each of them once.
func TestManyDead(t *testing.T) {
	const letters = 300_000
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
				Failures []Failure
			}](t, address.String())
			slowest = max(slowest, time.Since(began))
			requests++
			read += page.Read
			if page.Read > maxRead {
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
		if read != letters || strings.Contains(path, "limit") && len(found) != letters || slowest > 2*time.Second {
			t.Errorf("%s: %d requests read %d and found %d dead letters, the slowest in %v", path, requests, read, len(found), slowest)
		}
	}
}

// TestFailuresAreGrouped: what differs from item to item does not make another group.
func TestFailuresAreGrouped(t *testing.T) {
	text := func(reason string, code int, output string) string {
		report, err := json.Marshal(map[string]any{"reason": reason, "exit_code": code, "output": output})
		if err != nil {
			t.Fatal(err)
		}
		return string(report)
	}
	for _, test := range []struct{ report, want string }{
		{text("exit code 1", 1, "Traceback (most recent call last):\n  File \"a.py\", line 3\nValueError: IMG_0037.tiff: truncated"), "exit code 1: ValueError"},
		{text("exit code 1", 1, "java.io.IOException: /a/b\n"), "exit code 1: java.io.IOException"},
		{text("exit code 2", 2, "cp: cannot stat '/data/17.csv': No such file or directory"), "exit code 2: cp: cannot stat …: No such file or directory"},
		{text("no end after 30s", 124, "item 12345678 of 9"), "no end after 30s (exit code 124): item … of 9"},
		{text("killed by signal: killed", 137, ""), "killed by signal: killed (exit code 137)"},
		{text("cannot open https://host/x?y=1", 0, ""), "cannot open …"},
		{text("exit code 1", 1, "  \r\n \n"), "exit code 1"},
		{`not JSON of item 12345 <b>`, "not JSON of item … <b>"},
		{"", "0 workers died while they had the item, the last ones while they ran it alone"},
		{`{"reason":"exit code 1","exit_code":1,"output":"//8=","output_encoding":"base64"}`, "exit code 1"},
	} {
		if got := failureOf(queue.Record{Report: test.report}); got != test.want {
			t.Errorf("%s\nis in the group %q\nwant             %q", test.report, got, test.want)
		}
	}
}

func FuzzFailureOf(f *testing.F) {
	f.Add("exit code 1\x00\xff", "ValueError: '\xff\"`\n\n", 1)
	f.Add(strings.Repeat("日", 500), strings.Repeat("'", 500), -1)
	f.Fuzz(func(t *testing.T, reason, output string, code int) {
		report, err := json.Marshal(map[string]any{"reason": reason, "exit_code": code, "output": output})
		if err != nil {
			t.Skip()
		}
		name := failureOf(queue.Record{Report: string(report)})
		if !utf8.ValidString(name) || len(name) > 3*failureLength {
			t.Errorf("the name of the group is %q", name)
		}
		if again := failureOf(queue.Record{Report: string(report)}); again != name {
			t.Errorf("%q is also called %q", name, again)
		}
	})
}

// TestManyKindsOfFailures: however many there are, the response is bounded and counts all.
func TestManyKindsOfFailures(t *testing.T) {
	s, _ := fill(t, 1, 0)
	monitor := httptest.NewServer(s.Handler())
	defer monitor.Close()
	addRecords(t, s, "dead", 1000, func(int) string { return "x" }, func(i int) string {
		return fmt.Sprintf(`{"reason":"kind %c%c"}`, 'a'+i%25, 'a'+i/25%25)
	})
	page := fetch[FailurePage](t, monitor.URL+"/api/failures")
	total := page.Others
	for _, failure := range page.Failures {
		total += failure.Count
	}
	if len(page.Failures) != failuresShown || total != 1000 || page.Failures[0].Count != 2 {
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
