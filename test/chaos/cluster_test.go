package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/test/kube"
)

// cluster is a kind cluster of three nodes that only these tests use.
type cluster struct {
	name    string
	control node
	workers [2]node // Redis is on the first, unless a test says otherwise; the second is the one to break
	gateway string  // this machine, as the nodes see it
}

// The manifest from which kubelet starts the API server, and its path while the server is away.
const (
	manifest     = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	manifestAway = "/kind/kube-apiserver.yaml"
)

// node is the container that is a node of the cluster.
type node string

func findCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{name: os.Getenv("KIND_CLUSTER")}
	names := strings.Fields(command(t, "docker", "ps", "--filter", "label=io.x-k8s.kind.cluster="+c.name, "--format", "{{.Names}}"))
	slices.Sort(names)
	if c.name == "" || len(names) != 3 {
		t.Fatalf("a kind cluster of three nodes is needed, and %q has %d: run these tests with make test-chaos", c.name, len(names))
	}
	c.control, c.workers = node(names[0]), [2]node{node(names[1]), node(names[2])}
	// default via 172.18.0.1 dev eth0
	c.gateway = strings.Fields(c.control.run(t, "ip -4 route show default"))[2]
	return c
}

// run runs a script on the node.
func (n node) run(t *testing.T, script string) string {
	t.Helper()
	return command(t, "docker", "exec", string(n), "sh", "-euc", script)
}

// kill kills a process on the node, the oldest or the newest (-o, -n) whose command line matches.
func (n node) kill(t *testing.T, which, pattern string) {
	t.Helper()
	n.run(t, fmt.Sprintf("kill -9 $(pgrep %s -f '%s')", which, pattern))
}

// stop kills everything on a node at once, as a power failure does.
func (n node) stop(t *testing.T) {
	t.Helper()
	command(t, "docker", "kill", "-s", "KILL", string(n))
}

// start starts a stopped node again. The node may have lost its routes: test/kind/up restores them and waits for the cluster.
func (c *cluster) start(t *testing.T, n node) {
	t.Helper()
	command(t, "docker", "start", string(n))
	image := strings.TrimSpace(command(t, "docker", "inspect", "-f", "{{.Config.Image}}", string(n)))
	command(t, "env", "WQ_KIND_CLUSTER="+c.name, "WQ_KIND_NODES=3", "WQ_KIND_IMAGE="+image, root+"/test/kind/up")
}

// disconnect drops all packets between the pods of a node and an address.
func (n node) disconnect(t *testing.T, address string) {
	t.Helper()
	n.run(t, "iptables -N CHAOS 2>/dev/null && iptables -I FORWARD -j CHAOS; iptables -A CHAOS -s "+address+" -j DROP; iptables -A CHAOS -d "+address+" -j DROP")
}

// connect undoes that.
func (n node) connect(t *testing.T) {
	t.Helper()
	n.run(t, "iptables -F CHAOS 2>/dev/null || true")
}

// heal undoes what an interrupted fault has left.
func (c *cluster) heal(t *testing.T) {
	t.Helper()
	for _, n := range []node{c.control, c.workers[0], c.workers[1]} {
		if strings.TrimSpace(command(t, "docker", "inspect", "-f", "{{.State.Running}}", string(n))) != "true" {
			c.start(t, n)
		}
	}
	c.control.run(t, "test ! -e "+manifestAway+" || mv "+manifestAway+" "+manifest)
	for _, n := range c.workers {
		n.connect(t)
		kube.Eventually(t, time.Minute, "the API server takes "+string(n)+" back", func() bool {
			return exec.Command("kubectl", "uncordon", string(n)).Run() == nil
		}, func() string { return "it does not answer" })
	}
}

// command runs a program on this machine and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
