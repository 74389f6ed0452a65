package main

import (
	"fmt"
	"maps"
	"os/user"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// notes are what differs from a cluster, by topic, each said once.
type notes []note

type note struct{ topic, text string }

func (n *notes) add(topic, format string, args ...any) {
	one := note{topic, fmt.Sprintf(format, args...)}
	if !slices.Contains(*n, one) {
		*n = append(*n, one)
	}
}

// yours notes what a container that runs a command of yours would get from a cluster.
func (n *notes) yours(c corev1.Container) {
	for _, v := range c.VolumeMounts {
		if v.Name != "workqueue" && v.Name != "items" {
			n.add("files", "%s is a temporary folder: variables and arguments that name it are changed, items and your program's own files are not", path.Clean(v.MountPath))
		}
	}
	var wanted []string
	for _, kind := range []struct {
		name string
		list corev1.ResourceList
	}{{"requests", c.Resources.Requests}, {"limits", c.Resources.Limits}} {
		for _, name := range slices.Sorted(maps.Keys(kind.list)) {
			quantity := kind.list[name]
			wanted = append(wanted, fmt.Sprintf("%s %s of %s", kind.name, quantity.String(), name))
		}
	}
	if len(wanted) > 0 {
		n.add("resources", "%s %s: not applied", c.Name, strings.Join(wanted, ", "))
	}
}

// differences returns the notes as lines to print, the general ones first.
func (m *machine) differences(worker string) string {
	var all notes
	all.add("images", "the worker is %s, not the image %s", worker, m.plan.workerImage())
	all.add("images", "redis-server is that of this machine, not of the image %s", m.plan.redis.Spec.Containers[0].Image)
	who := "you"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	all.add("isolation", "every process runs as %s, with all of this machine's files and network: no security context, no NetworkPolicy", who)
	all.add("failures", "a pod that fails is not replaced")
	if s := m.plan.job.Spec.Suspend; isTrue(s) {
		all.add("scheduling", "the worker Job is suspended, and starts all the same")
	}
	if s := m.plan.schedule; s != "" {
		all.add("scheduling", "one run, now, and not by the schedule %s", s)
	}
	if left := m.plan.untried(); left != "" {
		all.add("not tried", "%s", left)
	}
	all = append(all, m.notes...)
	slices.SortStableFunc(all, func(a, b note) int { return topic(a) - topic(b) })
	var lines strings.Builder
	last := ""
	for _, n := range all {
		shown := n.topic
		if shown == last {
			shown = ""
		}
		last = n.topic
		fmt.Fprintf(&lines, "  %-11s %s\n", shown, n.text)
	}
	return lines.String()
}

var topics = []string{"images", "isolation", "resources", "files", "network", "failures", "scheduling", "pods", "not tried"}

func topic(n note) int { return slices.Index(topics, n.topic) }

// untried lists the kinds of the objects that no process stands for.
func (p *plan) untried() string {
	counts := map[string]int{}
	for _, o := range p.rest {
		counts[o.GetObjectKind().GroupVersionKind().Kind]++
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if counts[kind] > 1 {
			kind = fmt.Sprintf("%s (%d)", kind, counts[kind])
		}
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, ", ")
}

// workerImage is the worker's own image: the test runs nothing else.
func (p *plan) workerImage() string { return p.test.Spec.Containers[0].Image }
