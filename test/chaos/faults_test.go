package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"

	"github.com/workqueue/workqueue/test/kube"
)

// fault is one way to break a run.
type fault struct {
	name   string
	sees   string                             // what somebody who watches will see
	values func(c *cluster) map[string]string // chart values that it takes; an empty one takes a value away
	before func(r *run)                       // what it takes before the chart is installed
	do     func(r *run) int                   // breaks a run that has begun, and returns how often
	loses  bool                               // the queue is lost, and the run has to say so
	dead   []int                              // items that are dead at the end, and were never counted
}

var faults = []*fault{
	{
		name: "none",
		sees: "The run that the others are compared with.",
	},
	{
		name: "worker pods deleted, one with its grace, two by force",
		sees: "New pods. A pod that gets its grace returns its items; those of a pod deleted by force wait until its lease expires.",
		do:   deleteWorkers,
	},
	{
		name: "worker processes killed with SIGKILL",
		sees: "Pods in `Error`, and new pods. The items wait until the lease expires.",
		do:   killWorkers,
	},
	{
		name: "node stopped without warning, later brought back",
		sees: "Its items run elsewhere once the lease has expired, and `helm test` passes. The Job stays `Running` until the node is back, because its pods there count as running.",
		do:   stopNode,
	},
	{
		name: "node stopped for good, its pods deleted by force",
		sees: "As above; after `kubectl delete pod --force` the Job ends without the node.",
		do:   loseNode,
	},
	{
		name: "node of Redis stopped for 20 s",
		sees: "Workers log that Redis is unreachable and wait (`redis.unreachableTimeout`). Redis comes back with its node, and has its queue.",
		do:   stopRedisNode,
	},
	{
		name: "node drained, later uncordoned",
		sees: "Its pods return their items within their grace, and new pods start elsewhere.",
		do:   drainNode,
	},
	{
		name: "Redis killed with SIGKILL",
		sees: "The container restarts, from the second time on after a back-off, and has its queue: the volume belongs to the pod. Workers wait.",
		do:   killRedis,
	},
	{
		name:  "Redis's pod deleted, without a persistent volume",
		sees:  "The volume goes with the pod, and the queue with it. Workers exit with 70, and the Job is `Failed`.",
		do:    deleteRedis,
		loses: true,
	},
	{
		name:   "Redis's pod moved to another node, with a PersistentVolumeClaim",
		sees:   "Workers wait until it is back.",
		values: withVolume,
		before: makeVolume,
		do:     moveRedis,
	},
	{
		name:  "Redis emptied (`FLUSHALL`)",
		sees:  "Workers exit with 70, and the Job is `Failed`.",
		do:    flushRedis,
		loses: true,
	},
	{
		name: "network between a node and Redis cut for half a lease",
		sees: "The node's workers log that Redis is unreachable, and go on when it is back.",
		do:   func(r *run) int { return r.cut(leaseTime / 2) },
	},
	{
		name: "network between a node and Redis cut for two leases",
		sees: "The node's items run elsewhere too. What its own workers did meanwhile is not counted a second time: they log that their lease was lost.",
		do:   func(r *run) int { return r.cut(2 * leaseTime) },
	},
	{
		name: "API server away for a minute",
		sees: "Nothing, since workers do not need it. The Job's end shows once it is back.",
		do:   stopAPIServer,
	},
	{
		name:   "memory limit hit by the user's program, once by some items, always by one",
		sees:   "The item fails with 137 and is retried; the one that always does it is dead. With cgroup v2 the whole container is `OOMKilled`, and its pod replaced.",
		values: withGreed,
		before: func(r *run) { r.values["worker.command"] = r.program(greedy) },
		do:     func(*run) int { return items/greedyEvery + maxCrashes },
		dead:   []int{alwaysGreedy},
	},
	{
		name: "parallelism patched from 6 to 9 to 1 to 6",
		sees: "Pods come and go. Those that go return their items.",
		do:   patchParallelism,
	},
	{
		name:   "`helm upgrade` to another command",
		sees:   "A new Job, which goes on with the same queue. The old Job's pods return their items.",
		before: slowly,
		do:     changeCommand,
	},
	{
		name:   "`helm upgrade`, then `helm rollback`",
		sees:   "The first Job again, which goes on with the same queue.",
		before: slowly,
		do:     rollBack,
	},
	{
		name:   "clock of a node's workers an hour ahead",
		sees:   "Their logs have the wrong time. Redis's clock times the leases.",
		values: withWrongClock,
		before: makeWrongClock,
		do:     seeWrongClock,
	},
}

// deleteWorkers deletes one pod after the other, first with its grace, then by force.
func deleteWorkers(r *run) (times int) {
	for _, how := range []string{"--wait=false", "--grace-period=0", "--grace-period=0"} {
		r.reach(15 + 20*times)
		r.Must("delete", r.running(1, "")[0], how, fmt.Sprintf("--force=%t", how != "--wait=false"))
		times++
	}
	return times
}

// killWorkers kills one worker after the other: the first process of the container, or its child, which does the work.
func killWorkers(r *run) (times int) {
	for _, which := range []string{"-o", "-n", "-o"} {
		n := r.workers[times%2]
		r.reach(15 + 20*times)
		r.running(1, n)
		n.kill(r.T, which, "^/workqueue/worker work")
		times++
	}
	return times
}

// stopNode stops a node until all items are done, and checks that the Job has not ended by then.
func stopNode(r *run) int {
	r.reach(30)
	r.running(1, r.workers[1])
	r.workers[1].stop(r.T)
	r.reach(100)
	r.seesAway(r.workers[1])
	if report, err := r.verify(); err != nil {
		r.Errorf("helm test, while a node is away: %v\n%s", err, report)
	}
	if end := r.ended(); end != nil {
		r.Errorf("the Job is %s with pods on a node that is away: the docs say that it is not", end.Type)
	}
	r.start(r.T, r.workers[1])
	return 1
}

// loseNode stops a node and then deletes its pods by force, as its owner would who knows that it will not come back.
func loseNode(r *run) int {
	r.reach(30)
	lost := r.running(1, r.workers[1])
	r.workers[1].stop(r.T)
	r.reach(100)
	r.seesAway(r.workers[1])
	r.Must(append([]string{"delete", "--grace-period=0", "--force"}, lost...)...)
	kube.Eventually(r.T, time.Minute, "the Job ends without the node", func() bool { return r.ended() != nil }, func() string { return r.Must("get", "pods") })
	return 1
}

// seesAway waits until Kubernetes sends no more pods to a node that was stopped.
func (r *run) seesAway(n node) {
	r.Helper()
	r.Must("wait", "--for=condition=Ready=Unknown", "--timeout=2m", "node/"+string(n))
}

func stopRedisNode(r *run) int {
	r.reach(30)
	r.workers[0].stop(r.T)
	time.Sleep(20 * time.Second)
	r.start(r.T, r.workers[0])
	return 1
}

func drainNode(r *run) int {
	r.reach(30)
	r.running(1, r.workers[1])
	r.Must("drain", string(r.workers[1]), "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=1m")
	r.reach(60)
	r.Must("uncordon", string(r.workers[1]))
	return 1
}

func killRedis(r *run) (times int) {
	for _, percent := range []int{20, 50} {
		r.reach(percent)
		r.workers[0].kill(r.T, "-o", "^redis-server ")
		times++
	}
	return times
}

func deleteRedis(r *run) int {
	r.reach(30)
	r.Must("delete", "pod", redisPod)
	return 1
}

func flushRedis(r *run) int {
	r.reach(30)
	r.Must("exec", redisPod, "--", "redis-cli", "flushall")
	return 1
}

// cut drops all packets between the pods of a node and Redis for a time.
func (r *run) cut(during time.Duration) int {
	r.reach(30)
	r.running(1, r.workers[1])
	r.workers[1].disconnect(r.T, r.Must("get", "pod", redisPod, "-o", "jsonpath={.status.podIP}"))
	time.Sleep(during)
	r.workers[1].connect(r.T)
	return 1
}

func stopAPIServer(r *run) int {
	r.reach(30)
	r.control.run(r.T, "mv "+manifest+" "+manifestAway)
	time.Sleep(time.Minute)
	if _, err := r.Try("get", "pods", "--request-timeout=3s"); err == nil {
		r.Error("the API server answers: it was never away")
	}
	r.control.run(r.T, "mv "+manifestAway+" "+manifest)
	return 1
}

func patchParallelism(r *run) (times int) {
	for i, parallelism := range []int{9, 1, 6} {
		r.reach(20 + 20*i)
		r.Must("patch", r.Must("get", "job", "-l", workers, "-o", "name"), "-p", fmt.Sprintf(`{"spec": {"parallelism": %d}}`, parallelism))
		times++
	}
	return times
}

// slowly makes the run long enough for an upgrade in its middle.
func slowly(r *run) { r.values["worker.command"] = r.program("sleep 1; " + each) }

func changeCommand(r *run) int {
	before, after := r.changeCommand()
	r.reach(100)
	for _, job := range []string{before, after} {
		if !r.countedBy(job) {
			r.Errorf("nothing was counted by the Job %s", job)
		}
	}
	return 1
}

func rollBack(r *run) int {
	before, after := r.changeCommand()
	r.reach(40)
	if err := helm.RollbackContextE(r, r.Context(), r.options(), kube.Release, "1"); err != nil {
		r.Fatalf("helm rollback: %v", err)
	}
	if job := r.newest(); job != before {
		r.Errorf("the Job is %s; before %s it was %s", job, after, before)
	}
	return 2
}

// changeCommand upgrades the release to the usual command, and returns the names of the Jobs before and after.
func (r *run) changeCommand() (before, after string) {
	r.Helper()
	r.reach(10)
	before = r.newest()
	r.values["worker.command"] = r.program(each)
	r.upgrade()
	if after = r.newest(); before == after {
		r.Errorf("the Job is still %s", before)
	}
	return before, after
}

// newest returns the name of the newest worker Job.
func (r *run) newest() string {
	r.Helper()
	job, err := r.job()
	if err != nil {
		r.Fatal(err)
	}
	return job.Name
}

// countedBy reports whether a pod of a Job has counted anything.
func (c *counter) countedBy(job string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for pod := range c.by {
		if strings.HasPrefix(pod, job+"-") {
			return true
		}
	}
	return false
}
