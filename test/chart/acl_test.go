package chart

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workqueue/workqueue/test/built"
	"github.com/workqueue/workqueue/worker/redistest"
)

// A password with every character that needs quoting somewhere.
const oddPassword = `a "b' \c $d >e #f`

// aclServer is a redis-server with the arguments that the chart gives it, and an admin user who watches.
type aclServer struct {
	t    *testing.T
	port string
}

func startACLServer(t *testing.T, args []string) aclServer {
	t.Helper()
	_, port, _ := net.SplitHostPort(redistest.FreeAddr(t))
	dir := t.TempDir()
	var mine []string
	for _, arg := range args {
		mine = append(mine, strings.NewReplacer("$(REDISCLI_AUTH)", oddPassword, "/data", dir).Replace(arg))
	}
	mine = append(mine, "--port", port, "--bind", "127.0.0.1", "--user", "admin", "on", ">admin", "~*", "+@all")
	var output bytes.Buffer
	server := exec.Command("redis-server", mine...)
	server.Stdout = &output
	if err := server.Start(); err != nil {
		t.Fatalf("%v: redis-server has to be installed", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	s := aclServer{t, port}
	for range 100 {
		if out, _ := s.cli("admin", "admin", "ping"); out == "PONG" {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("redis-server does not start with %q:\n%s", mine, output.String())
	return s
}

// cli returns the output of redis-cli for a user; without a name, for a client that has only the password.
func (s aclServer) cli(user, password string, args ...string) (string, error) {
	s.t.Helper()
	args = append([]string{"-p", s.port}, args...)
	if user != "" {
		args = append([]string{"--user", user}, args...)
	}
	cli := exec.Command("redis-cli", args...)
	cli.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
	out, err := cli.Output()
	return strings.TrimSpace(string(out)), err
}

// worker runs a verb as the user that the chart makes.
func (s aclServer) worker(queue string, env []string, args ...string) *exec.Cmd {
	s.t.Helper()
	verb := exec.Command(built.Worker(s.t), args...)
	verb.Env = append(os.Environ(), append(env, "WQ_QUEUE="+queue, "WQ_REDIS_URL=redis://127.0.0.1:"+s.port,
		"WQ_REDIS_USERNAME=workqueue", "WQ_REDIS_PASSWORD="+oddPassword, "WQ_REDIS_UNREACHABLE_TIMEOUT=5s")...)
	return verb
}

func (s aclServer) run(queue string, env []string, input string, args ...string) string {
	s.t.Helper()
	verb := s.worker(queue, env, args...)
	verb.Stdin = strings.NewReader(input)
	out, err := verb.CombinedOutput()
	if err != nil {
		s.t.Fatalf("worker %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// The user may do what all verbs need, which this test runs, and nothing else.
func TestTheUserOfRedisCanDoWhatTheWorkersNeed(t *testing.T) {
	t.Parallel()
	for values, queue := range map[string]string{
		"{}":               "",
		"{name: 'j?b[^2'}": "j?b[^2",
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "{items: [a], redis: {acl: {enabled: true}}, queue: " + values + "}"}.objects(t)
			if queue == "" {
				queue = queueName(t, all)
			}
			for name, spec := range workerPods(t, all) {
				if got := env(t, spec, "WQ_REDIS_USERNAME"); got != "workqueue" {
					t.Errorf("%s comes as %q", name, got)
				}
			}
			container := redis(t, all).Spec.Template.Spec.Containers[0]
			for _, probe := range [][]string{container.ReadinessProbe.Exec.Command, container.LivenessProbe.Exec.Command} {
				if got := strings.Join(probe, " "); got != "redis-cli --user workqueue ping" {
					t.Errorf("a probe is %q", got)
				}
			}
			s := startACLServer(t, container.Args)
			s.verbs(queue)
			s.refusals(queue)
		})
	}
}

func (s aclServer) verbs(queue string) {
	t := s.t
	items := filepath.Join(t.TempDir(), "items.json")
	if err := os.WriteFile(items, []byte(`["good", "good", "bad", {"n": 1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(queue, []string{"WQ_ITEMS_FILE=" + items, "WQ_SEAL=false", "WQ_SEED_ID=1"}, "", "seed")
	s.run(queue, []string{`WQ_ITEMS_RANGE={"start": 1, "end": 500}`, "WQ_SEAL=false", "WQ_UNIQUE=true", "WQ_SKIP_DONE=true", "WQ_SEED_ID=2"}, "", "seed")
	s.run(queue, nil, strings.Repeat("pushed\nunwanted\n", 250), "push")
	s.run(queue, nil, "", "cancel", "unwanted")
	s.run(queue, nil, "", "seal")
	work := []string{"WQ_MAX_ATTEMPTS=2", "WQ_MAX_DEAD=1", "WQ_BACKOFF_INITIAL=10ms", "WQ_RECORD=all", "WQ_SKIP_DONE=true",
		`WQ_COMMAND=["sh", "-c", "echo $1; [ $1 != good ] || echo 1 push more >&3; [ $1 != bad ]", "sh"]`}
	s.run(queue, work, "", "work")
	for _, verb := range []string{"watch", "results", "dead", "records"} {
		if out := s.run(queue, nil, "", verb); out == "" {
			t.Errorf("worker %s prints nothing", verb)
		}
	}
	s.run(queue, []string{"WQ_MAX_DEAD=1"}, "", "retry")
	s.monitor(queue) // which can pause only what has an end to come
	s.run(queue, work, "", "work")
	if out := s.run(queue, []string{"WQ_MAX_DEAD=1"}, "", "verify"); !strings.Contains(out, "505 of 507") {
		t.Errorf("worker verify prints:\n%s", out)
	}
	s.run(queue, nil, "", "purge", ".*")
	if out, err := s.cli("admin", "admin", "dbsize"); err != nil || out != "0" {
		t.Errorf("after the purge there are %s keys (%v)", out, err)
	}
	if out, err := s.cli("admin", "admin", "acl", "log"); err != nil || out != "" {
		t.Errorf("Redis refused something that a verb wanted (%v):\n%s", err, out)
	}
}

// monitor follows the run in a page, and pauses and resumes it.
func (s aclServer) monitor(queue string) {
	t := s.t
	const token = "0123456789abcdef"
	address := redistest.FreeAddr(t)
	monitor := s.worker(queue, []string{"WQ_MONITOR_ADDR=" + address, "WQ_MONITOR_ACTIONS=true", "WQ_MONITOR_TOKEN=" + token}, "monitor")
	var output bytes.Buffer
	monitor.Stderr = &output
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = monitor.Process.Kill()
		_ = monitor.Wait()
	}()
	request := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text)
	}
	for range 100 {
		if code, _ := request("GET", "/readyz", ""); code == http.StatusOK {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, call := range [][3]string{
		{"GET", "/api/counts"}, {"GET", "/api/runs"}, {"GET", "/api/workers"}, {"GET", "/api/failures"}, {"GET", "/api/dead"}, {"GET", "/api/results"}, {"GET", "/metrics"},
		{"POST", "/api/pause"}, {"POST", "/api/resume"}, {"POST", "/api/retry", `{"match": "nothing"}`},
	} {
		if code, text := request(call[0], call[1], call[2]); code != http.StatusOK {
			t.Errorf("%s of the monitor returns %s: %s\n%s", call[1], strconv.Itoa(code), text, output.String())
		}
	}
}

func (s aclServer) refusals(queue string) {
	for _, command := range []string{
		"config get *", "flushall", "keys *", "acl list", "shutdown", "save", "replicaof no one", "client list", "script flush",
		"get other", "set other x", "publish a b", "eval return{redis.call('get','x')} 0",
	} {
		if out, _ := s.cli("workqueue", oddPassword, strings.Fields(command)...); !strings.Contains(out, "NOPERM") && !strings.Contains(out, "can't access") {
			s.t.Errorf("the workers may run %q: %s", command, out)
		}
	}
	if out, _ := s.cli("workqueue", oddPassword, "llen", queue); out != "0" {
		s.t.Errorf("the workers may not read their own list: %s", out)
	}
	for _, password := range []string{"", oddPassword} {
		if out, _ := s.cli("", password, "ping"); out == "PONG" {
			s.t.Errorf("who has the password %q and no name is let in", password)
		}
	}
}
