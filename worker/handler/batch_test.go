package handler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/worker/queue"
)

func TestBatchReports(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	var done []int
	got, err := readReports(strings.NewReader("1\n2 failed\n3 snoozed because\n4 dead\n 5 some reason \n9\n0\nx\n6 failed\n6 dead late\n8 done\n8 failed\n"+
		long+"\n7 dead "+long), 8, func(n int) { done = append(done, n) })
	if err != nil || !slices.Equal(done, []int{8}) {
		t.Errorf("%v, and done are %v, want item 8, once", err, done)
	}
	if reason := got[7].reason; got[7].outcome != queue.OutcomeDead || len(reason) > longestReport || !strings.HasSuffix(reason, "x…") {
		t.Errorf("the long report is %s with %d bytes, want dead and a text that is cut", got[7].outcome, len(reason))
	}
	delete(got, 7)
	want := map[int]itemReport{
		1: {queue.OutcomeFailed, "reported by the command"},
		2: {queue.OutcomeFailed, "reported by the command"},
		3: {queue.OutcomeSnoozed, "because"},
		4: {queue.OutcomeDead, "reported by the command"},
		5: {queue.OutcomeFailed, "some reason"},
		6: {queue.OutcomeDead, "late"},
		8: {queue.OutcomeDone, "reported by the command"},
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
		want    string        // outcomes of the items
	}{
		{name: "reads all", script: "cat", want: "done done done"},
		{name: "does not read", script: ":", want: "done done done"},
		{name: "closes its input early", script: "exec <&-; sleep 0.2", want: "done done done"},
		{name: "closes its report", script: "exec 3>&-; cat", want: "done done done"},
		{name: "reports and leaves a grandchild with all pipes", script: "cat; echo 2 >&3; sleep 30 &", want: "done failed done"},
		{name: "reports before it fails", script: "echo 1 >&3; exit 1", want: "failed failed failed"},
		{name: "reports more than 64 KiB", script: "printf '1 dead %0100000d\\n3\\n' 0 >&3; cat", want: "dead done failed"},
		{name: "reports what is done, and dies", script: "cat; echo 1 done >&3; echo 2 done >&3; echo 3 done >&3; exit 1", want: "done done done"},
		{name: "exits with 0 when the time is up", script: "trap 'exit 0' TERM; cat >/dev/null; echo 2 done >&3; sleep 30 & wait", timeout: 50 * time.Millisecond, want: "failed done failed"},
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
				got = append(got, string(o.Outcome))
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
