package monitor

import (
	"context"
	"net/http"

	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/record"
)

const failuresInterval = sampleInterval

func (s *Server) serveFailures(w http.ResponseWriter, r *http.Request, run *run) {
	before, ok := beforeOf(w, r)
	if !ok {
		return
	}
	read := func(ctx context.Context) (record.Failures, error) {
		return record.CountFailures(ctx, run.queue.Records(queue.KindDead), before)
	}
	var page record.Failures
	var err error
	if before == "" { // every open page asks for it
		page, err = run.failures.get(r.Context(), run.sampler.deadVersion(), failuresInterval, read)
	} else {
		page, err = read(r.Context())
	}
	if err != nil {
		unavailable(w, err)
		return
	}
	respond(w, page)
}
