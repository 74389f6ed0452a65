package handler

import (
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestBatchReports(t *testing.T) {
	got := failures(strings.NewReader("1\n2 failed\n3 snoozed because\n4 dead\n 5 some reason \n9\n0\nx\n6 failed\n6 dead late"), 6)
	want := map[int]failure{
		1: {queue.OutcomeFailed, "reported by the command"},
		2: {queue.OutcomeFailed, "reported by the command"},
		3: {queue.OutcomeSnoozed, "because"},
		4: {queue.OutcomeDead, "reported by the command"},
		5: {queue.OutcomeFailed, "some reason"},
		6: {queue.OutcomeDead, "late"},
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for n, f := range want {
		if got[n] != f {
			t.Errorf("item %d: got %v, want %v", n, got[n], f)
		}
	}
}

func TestBatchChildren(t *testing.T) {
	for _, test := range []struct {
		name    string
		script  string
		timeout time.Duration // per item
		want    string        // a verdict of each item: done, failed
	}{
		{name: "reads all", script: "cat", want: "done done done"},
		{name: "does not read", script: ":", want: "done done done"},
		{name: "closes its input early", script: "exec <&-; sleep 0.2", want: "done done done"},
		{name: "closes its report", script: "exec 3>&-; cat", want: "done done done"},
		{name: "reports and leaves a grandchild with all pipes", script: "cat; echo 2 >&3; sleep 30 &", want: "done failed done"},
		{name: "reports before it fails", script: "echo 1 >&3; exit 1", want: "failed failed failed"},
		{name: "is killed by one", script: "if grep 3; then kill -KILL $$; fi", want: "done done failed"},
		{name: "stops itself at one", script: "if grep 2; then kill -STOP $$; fi", timeout: 50 * time.Millisecond, want: "done failed done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &Batch{Command: newExec("sh", "-c", test.script).Command, Size: 10, Delimiter: '\n'}
			b.Timeout = test.timeout
			started := time.Now()
			var got []string
			var runs time.Duration
			for _, o := range handle(t.Context(), b, []queue.Item{{ID: "1", Payload: "1"}, {ID: "2", Payload: "2"}, {ID: "3", Payload: "3"}}) {
				got = append(got, map[queue.Outcome]string{queue.OutcomeDone: "done", queue.OutcomeFailed: "failed"}[o.Outcome])
				runs += o.Duration
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
			took := time.Since(started)
			if took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			if runs > took {
				t.Errorf("the items took %v in sum, of %v in all: each has a share of its run", runs, took)
			}
		})
	}
}
