package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// machine stands for the cluster's nodes: it makes processes of pods, as a kubelet makes containers of them.
type machine struct {
	dir    string // temporary; everything that a run writes is in it
	worker string // the worker's binary
	plan   *plan
	kill   context.Context // done when nothing may wait any longer

	redisAddr string
	output    output
	notes     notes
}

// process is a container as a process of this machine.
type process struct {
	name  string // what its output begins with
	argv  []string
	env   []string
	grace time.Duration
}

// pod is a pod's processes, one after another; the last is its container, those before it the init containers.
type pod []process

// processes are all that a run takes.
type processes struct {
	redis, seed, test pod
	workers           []pod
}

// mostPods is how many workers are started at most: a hundred of them would show nothing more on one machine.
const mostPods = 32

func (m *machine) processes() (all processes, err error) {
	if m.redisAddr, err = freeAddr(); err != nil {
		return all, err
	}
	if all.redis, err = m.pod("redis", m.plan.redis, nil); err != nil {
		return all, err
	}
	_, port, _ := net.SplitHostPort(m.redisAddr)
	server := &all.redis[len(all.redis)-1]
	server.argv = append(server.argv, "--bind", "127.0.0.1", "--port", port, "--daemonize", "no")

	if m.plan.seed != nil {
		if all.seed, err = m.pod("seed", m.plan.seed, nil); err != nil {
			return all, err
		}
	}
	parallelism := 1
	if p := m.plan.job.Spec.Parallelism; p != nil {
		parallelism = int(*p)
	}
	if parallelism > mostPods {
		m.notes.add("pods", "%d of the %d worker pods", mostPods, parallelism)
		parallelism = mostPods
	}
	for i := range parallelism {
		name := "worker"
		if parallelism > 1 {
			name = fmt.Sprintf("worker-%d", i+1)
		}
		of := *m.plan.worker
		of.name = fmt.Sprintf("%s-%d", of.name, i+1)
		var index map[string]string
		if mode := m.plan.job.Spec.CompletionMode; mode != nil && *mode == "Indexed" {
			index = map[string]string{"JOB_COMPLETION_INDEX": strconv.Itoa(i)}
		}
		worker, err := m.pod(name, &of, index)
		if err != nil {
			return all, err
		}
		all.workers = append(all.workers, worker)
	}
	all.test, err = m.pod("test", m.plan.test, nil)
	return all, err
}

// pod makes the processes of a pod, and the files of its volumes.
func (m *machine) pod(name string, of *podOf, more map[string]string) (pod, error) {
	dir := filepath.Join(m.dir, name)
	volumes := map[string]string{}
	for _, v := range of.Spec.Volumes {
		folder, err := m.volume(of, v, filepath.Join(dir, v.Name))
		if err != nil {
			return nil, fmt.Errorf("%s: volume %s: %w", name, v.Name, err)
		}
		volumes[v.Name] = folder
	}
	for _, claim := range of.claims {
		volumes[claim] = filepath.Join(dir, claim)
		if err := os.MkdirAll(volumes[claim], 0o700); err != nil {
			return nil, err
		}
		m.notes.add("files", "the volume of %s goes when the run ends", name)
	}
	grace := 30 * time.Second
	if seconds := of.Spec.TerminationGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	var processes pod
	for _, c := range slices.Concat(of.Spec.InitContainers, of.Spec.Containers) {
		p, err := m.container(of, c, volumes, more)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p.name, p.grace = name, grace
		processes = append(processes, p)
	}
	return processes, nil
}

func (m *machine) container(of *podOf, c corev1.Container, volumes, more map[string]string) (process, error) {
	variables, literal, err := m.environment(of, c)
	if err != nil {
		return process{}, err
	}
	maps.Copy(variables, more)
	mounts, err := m.mounts(of, c, volumes, variables)
	if err != nil {
		return process{}, err
	}
	addresses, err := m.ports(of, c)
	if err != nil {
		return process{}, err
	}
	here := func(text string) string { return rewrite(m.services(text), mounts) }

	// A container without a command runs its image's entrypoint. The chart leaves that to the worker's own image alone.
	argv := []string{m.worker}
	if len(c.Command) > 0 {
		argv = nil
	}
	for _, arg := range slices.Concat(c.Command, c.Args) {
		argv = append(argv, here(expand(arg, variables)))
	}

	// What every container has besides, from its image or the runtime.
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "HOSTNAME": of.name}
	for name, value := range variables {
		if literal[name] {
			value = cmp.Or(addresses[value], here(value))
		}
		all[name] = value
	}
	if !strings.HasPrefix(argv[0], m.dir+"/") { // where an init container will have put it
		if argv[0], err = lookPath(argv[0], all["PATH"]); err != nil {
			return process{}, err
		}
	}
	yours, err := m.programs(c, all)
	if err != nil {
		return process{}, err
	}
	if yours {
		m.notes.yours(c)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return process{argv: argv, env: env}, nil
}

// programs reports whether a container runs a command of yours. It returns an error if this machine lacks the command.
func (m *machine) programs(c corev1.Container, env map[string]string) (yours bool, err error) {
	for name, value := range map[string]string{"WQ_COMMAND": "worker.command", "WQ_ITEMS_COMMAND": "itemsFrom.command"} {
		var command []string
		if text, ok := env[name]; !ok || json.Unmarshal([]byte(text), &command) != nil || len(command) == 0 {
			continue
		}
		found, err := lookPath(command[0], env["PATH"])
		if err != nil {
			return true, fmt.Errorf("%s: %w; in a cluster it comes with the image %s, here it has to be installed", value, err, c.Image)
		}
		m.notes.add("images", "%s is %s of this machine, not of the image %s", command[0], found, c.Image)
		yours = true
	}
	return yours, nil
}

// lookPath finds a program in a PATH.
func lookPath(program, path string) (string, error) {
	if strings.Contains(program, "/") {
		_, err := exec.LookPath(program)
		if err != nil {
			return "", fmt.Errorf("%s is no program of this machine", program)
		}
		return program, nil
	}
	for _, folder := range filepath.SplitList(path) {
		if found, err := exec.LookPath(filepath.Join(folder, program)); err == nil && folder != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not in the PATH", program)
}

// mounts are the paths of a container that lead to volumes.
func (m *machine) mounts(of *podOf, c corev1.Container, volumes, variables map[string]string) ([]mount, error) {
	var all []mount
	for _, v := range c.VolumeMounts {
		source, ok := volumes[v.Name]
		if !ok {
			return nil, fmt.Errorf("no volume %s", v.Name)
		}
		source = filepath.Join(source, cmp.Or(v.SubPath, expand(v.SubPathExpr, variables)))
		all = append(all, mount{path.Clean(v.MountPath), source})
	}
	return all, nil
}

// ports gives each port that a container listens on a free one, as all pods share one network here. It returns the address for
// each value that a variable may have, such as ":9090".
func (m *machine) ports(of *podOf, c corev1.Container) (map[string]string, error) {
	addresses := map[string]string{}
	if of == m.plan.redis {
		return addresses, nil
	}
	for _, port := range c.Ports {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		addresses[fmt.Sprintf(":%d", port.ContainerPort)] = addr
		m.notes.add("network", "%s of %s listens at %s, not at port %d", port.Name, of.name, addr, port.ContainerPort)
	}
	return addresses, nil
}

// services replaces the addresses of Redis' Service by where Redis is.
func (m *machine) services(text string) string {
	for _, service := range m.plan.services {
		if service.Labels["app.kubernetes.io/component"] != "redis" {
			continue
		}
		address := regexp.MustCompile(`\b` + regexp.QuoteMeta(service.Name) + `(\.` + namespace + `(\.svc(\.[a-z.]+)?)?)?:6379\b`)
		text = address.ReplaceAllLiteralString(text, m.redisAddr)
	}
	return text
}

func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
