// Command try runs what the chart would install as processes of this machine: Redis, the seed Job, the worker Job's pods and
// the helm test pod, with the variables and files that the pods would get. It exits with the test's exit code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"helm.sh/helm/v3/pkg/strvals"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/render"
)

const (
	releaseName = "try"
	namespace   = "default"
	kubeVersion = "1.35.0" // the first on which all that the chart offers works
)

func main() { os.Exit(run()) }

// stopped is the end by a signal.
type stopped struct{ os.Signal }

func (s stopped) Error() string { return "stopped by " + s.String() }

// files is a flag that may be given several times.
type files []string

func (f *files) String() string     { return strings.Join(*f, " ") }
func (f *files) Set(v string) error { *f = append(*f, v); return nil }

// run returns the exit code: the test's, that of the pod that failed before it, 1 if the values cannot be tried, 130 or 143
// after a signal.
func run() int {
	chart := flag.String("chart", "charts/workqueue", "the chart's `folder`")
	worker := flag.String("worker", "", "the worker's `binary`")
	var objects files
	flag.Var(&objects, "objects", "a `file` with ConfigMaps and Secrets that the values name, in YAML; may be given several times")
	text := flag.String("text", "", "a `file` with an item on each line, as helm install --set-file itemsFrom.text takes it")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "try [flags] VALUES-FILE…")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	kill, killNow := context.WithCancel(context.Background())
	defer killNow()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		first := <-signals
		fmt.Fprintln(os.Stderr, "\ntry: stopping; the running items get the time that their pod would give them. Press Ctrl-C again to kill them.")
		cancel(stopped{first})
		<-signals
		killNow()
	}()

	code, err := try(ctx, kill, *chart, *worker, *text, objects, flag.Args())
	var by stopped
	switch {
	case errors.As(err, &by):
		return 128 + int(by.Signal.(syscall.Signal))
	case err != nil:
		fmt.Fprintf(os.Stderr, "try: %v\n", err)
		return 1
	}
	return code
}

func try(ctx, kill context.Context, chart, worker, text string, objects, values []string) (int, error) {
	if len(values) == 0 {
		return 0, errors.New("no values file given, such as values-examples/fruits.yaml")
	}
	p, err := newPlan(chart, text, objects, values)
	if err != nil {
		return 0, err
	}
	absolute, err := filepath.Abs(worker)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "workqueue-try-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	defer killDescendants()
	if err := adoptDescendants(); err != nil {
		return 0, err
	}
	m := &machine{dir: dir, worker: absolute, plan: p, kill: kill}
	all, err := m.processes()
	if err != nil {
		return 0, err
	}
	fmt.Printf("Trying %s on this machine, without a cluster. A cluster differs:\n%s\n", strings.Join(values, " "), m.differences(worker))

	stopRedis, err := m.startRedis(ctx, all.redis)
	if err != nil {
		return 0, err
	}
	defer stopRedis()
	return m.runAll(ctx, all)
}

// runAll does what Helm and the Job controller do: seed, work, test.
func (m *machine) runAll(ctx context.Context, all processes) (int, error) {
	if code, err := m.runPod(ctx, all.seed); err != nil || code != 0 {
		return code, explain(err, "the seed Job failed, so nothing is in the queue")
	}
	code, err := m.runWorkers(ctx, all.workers)
	if err != nil {
		return 0, err
	}
	if code != 0 && code != exitDead {
		fmt.Printf("try: the worker Job failed with exit code %d; helm test would wait for the end of the run in vain\n", code)
		return code, nil
	}
	return m.runPod(ctx, all.test)
}

// exitDead is the worker's exit code for a run that ended with too many dead items, on which the test reports.
const exitDead = 65

func explain(err error, text string) error {
	if err == nil {
		fmt.Println("try: " + text)
	}
	return err
}

// plan is what the chart renders: the objects that are tried, and those that the pods refer to.
type plan struct {
	redis      *podOf
	seed, test *podOf
	worker     *podOf
	job        *batchv1.Job // the worker's
	schedule   string       // of runs that are such Jobs, "" for none

	configMaps map[string]*corev1.ConfigMap
	secrets    map[string]*corev1.Secret
	services   []*corev1.Service
	rest       []render.Object // not tried
}

func newPlan(chart, textFile string, objectFiles, valuesFiles []string) (*plan, error) {
	values, err := render.Values(valuesFiles...)
	if err != nil {
		return nil, err
	}
	if textFile != "" {
		text, err := os.ReadFile(textFile)
		if err != nil {
			return nil, err
		}
		if err := strvals.ParseIntoFile("itemsFrom.text="+textFile, values, func([]rune) (any, error) { return string(text), nil }); err != nil {
			return nil, err
		}
	}
	// The report is that of the test's pod, which values without hooks leave out.
	if err := strvals.ParseInto("test.enabled=true", values); err != nil {
		return nil, err
	}
	rendered, err := render.Release{Chart: chart, Name: releaseName, Namespace: namespace, Kube: kubeVersion}.Render(values)
	if err != nil {
		return nil, err
	}
	manifests := rendered.Manifests
	for _, file := range objectFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		manifests += "\n---\n" + string(text)
	}
	objects, err := render.Objects(manifests)
	if err != nil {
		return nil, err
	}
	p := &plan{configMaps: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{}}
	for _, o := range objects {
		p.add(o)
	}
	return p, p.refusal()
}

// refusal returns why the values cannot be tried, nil if they can.
func (p *plan) refusal() error {
	switch {
	case p.redis == nil:
		return errors.New("redis.external: these values are for a Redis that is there already, and this tries the chart with one of its own; set redis.external.url to \"\" and redis.external.addresses to [] in a second values file")
	case p.worker == nil:
		return errors.New("worker.kind: these values make no worker Job; a Deployment works on a queue that never ends, which only a cluster can try")
	case p.seed == nil && p.schedule == "", p.test == nil:
		return errors.New("the chart renders no seed Job or no test, so there is nothing that ends")
	case p.seed != nil && env(p.seed, "WQ_SEAL") == "false":
		return errors.New("queue.seal: these values leave the queue open for more items, so the run has no end; set it to true in a second values file")
	case p.job.Spec.Parallelism != nil && *p.job.Spec.Parallelism == 0:
		return errors.New("worker.parallelism: 0 pods never end the run; set it to 1 or more in a second values file")
	}
	return nil
}

func env(pod *podOf, name string) string {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}
