package monitor

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const (
	maxDownloads    = 4                // at the same time
	downloadTimeout = 30 * time.Second // within which a client must have taken a part
	downloadPart    = 64 << 10
)

// writer writes one record of a download.
type writer func(queue.Record) error

// formats make the writers of downloads, by extension.
var formats = map[string]struct {
	mediaType string
	start     func(io.Writer) (write writer, end func() error)
}{
	"jsonl": {"application/jsonl", jsonLines},
	"csv":   {"text/csv; charset=utf-8", csvRows},
}

// unsafeInFileName is what the name of a downloaded file does not need.
var unsafeInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// downloadHandler streams all records of a kind, the oldest first, as a file. If Redis fails in between, the connection is
// aborted, so that nobody takes a part for the whole.
func (s *Server) downloadHandler() func(http.ResponseWriter, *http.Request, *run) {
	downloads := make(chan struct{}, maxDownloads)
	return func(w http.ResponseWriter, r *http.Request, run *run) {
		name, extension, _ := strings.Cut(r.PathValue("file"), ".")
		format, known := formats[extension]
		kinds := map[string]kind{dead.name: dead, results.name: results}
		k, exists := kinds[name]
		if !known || !exists {
			http.Error(w, "file: it must be dead or results, with .jsonl or .csv", http.StatusNotFound)
			return
		}
		select {
		case downloads <- struct{}{}:
			defer func() { <-downloads }()
		default:
			http.Error(w, "too many downloads are under way: try again later", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", format.mediaType)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`,
			unsafeInFileName.ReplaceAllString(run.queue.Name, "-"), name, extension))
		out := bufio.NewWriterSize(deadlineWriter{w, http.NewResponseController(w)}, downloadPart)
		write, end := format.start(out)
		if err := download(r.Context(), k, run.queue, filterOf(r), write); err != nil {
			s.Log.Warn("download failed", "file", r.PathValue("file"), "queue", run.queue.Name, "error", err)
			panic(http.ErrAbortHandler)
		}
		if end() != nil || out.Flush() != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func download(ctx context.Context, k kind, q *queue.Queue, wanted filter, write writer) (err error) {
	failed := k.oldest(q, ctx, func(r queue.Record) bool {
		if wanted.selects(r) {
			err = write(r)
		}
		return err == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// deadlineWriter gives the client downloadTimeout for each part.
type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w deadlineWriter) Write(part []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(downloadTimeout))
	return w.ResponseWriter.Write(part)
}

// jsonLines writes the lines that the verbs dead and results print.
func jsonLines(out io.Writer) (write writer, end func() error) {
	return func(r queue.Record) error { return record.New(r).Write(out) }, func() error { return nil }
}

func csvRows(out io.Writer) (write writer, end func() error) {
	rows := csv.NewWriter(out)
	_ = rows.Write([]string{"id", "item", "item_encoding", "recorded", "reason", "exit_code", "attempt", "crashes", "host", "node", "started", "seconds",
		"output", "output_encoding", "truncated"}) // Error reports it
	write = func(kept queue.Record) error {
		r := record.New(kept)
		started := ""
		if !r.Started.IsZero() {
			started = r.Started.Format(time.RFC3339Nano)
		}
		return rows.Write([]string{r.ID, cell(r.Item), r.ItemEncoding, r.Recorded.Format(time.RFC3339Nano), cell(r.Reason), strconv.Itoa(r.ExitCode),
			strconv.Itoa(r.Number), strconv.Itoa(r.Crashes), cell(r.Host), cell(r.Node), started, strconv.FormatFloat(r.Seconds, 'f', -1, 64),
			cell(r.Output), r.OutputEncoding, strconv.FormatBool(r.Truncated)})
	}
	return write, func() error { rows.Flush(); return rows.Error() }
}

// cell keeps a text from being run as a formula by the spreadsheet that opens it.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
