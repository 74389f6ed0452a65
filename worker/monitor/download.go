package monitor

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
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

// mediaTypes are those of the formats of downloads, by extension.
var mediaTypes = map[string]string{"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}

// unsafeInFileName is what the name of a downloaded file does not need.
var unsafeInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// downloadHandler streams all records of a kind, the oldest first, as a file. If Redis fails in between, the connection is
// aborted, so that nobody takes a part for the whole.
func (s *Server) downloadHandler() func(http.ResponseWriter, *http.Request, *run) {
	downloads := make(chan struct{}, maxDownloads)
	return func(w http.ResponseWriter, r *http.Request, run *run) {
		name, extension, _ := strings.Cut(r.PathValue("file"), ".")
		mediaType, known := mediaTypes[extension]
		kind := queue.Kind(name)
		if !known || kind != queue.KindDead && kind != queue.KindResults {
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
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`,
			unsafeInFileName.ReplaceAllString(run.queue.Name, "-"), name, extension))
		out := bufio.NewWriterSize(deadlineWriter{w, http.NewResponseController(w)}, downloadPart)
		writer := record.NewWriter(record.Format(extension), out)
		if err := download(r.Context(), run.queue.Records(kind), filterOf(r), writer); err != nil {
			s.Log.Warn("download failed", "file", r.PathValue("file"), "queue", run.queue.Name, "error", err)
			panic(http.ErrAbortHandler)
		}
		if writer.Flush() != nil || out.Flush() != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func download(ctx context.Context, records queue.Records, wanted filter, writer record.Writer) (err error) {
	failed := records.Oldest(ctx, "", func(r queue.Record) bool {
		if wanted.selects(r) {
			err = writer.Write(record.New(r))
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
