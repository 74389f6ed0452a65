package config

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/source"
)

// Common is what every verb needs to know.
type Common struct {
	Queue                   string        `envconfig:"WQ_QUEUE" required:"true" desc:"name of the queue, which is the key of its list in Redis"`
	RedisURL                URL           `envconfig:"WQ_REDIS_URL" default:"redis://localhost:6379/0" secret:"true" desc:"redis://host:port/db, or rediss:// for TLS"`
	RedisUsername           string        `envconfig:"WQ_REDIS_USERNAME" desc:"ACL user, if it is not in the URL"`
	RedisPassword           string        `envconfig:"WQ_REDIS_PASSWORD" secret:"true" desc:"password, if it is not in the URL"`
	RedisUnreachableTimeout time.Duration `envconfig:"WQ_REDIS_UNREACHABLE_TIMEOUT" default:"2m" desc:"how long Redis may be out of reach before the worker gives up with exit code 69"`

	RedisAddrs            Addrs    `envconfig:"WQ_REDIS_ADDRS" desc:"host:port,host:port,… in place of the one in the URL: the Sentinels, or some nodes of the Cluster"`
	RedisSentinelMaster   string   `envconfig:"WQ_REDIS_SENTINEL_MASTER" desc:"name under which the Sentinels know the master"`
	RedisSentinelUsername string   `envconfig:"WQ_REDIS_SENTINEL_USERNAME" desc:"ACL user of the Sentinels themselves"`
	RedisSentinelPassword string   `envconfig:"WQ_REDIS_SENTINEL_PASSWORD" secret:"true" desc:"password of the Sentinels themselves"`
	RedisCluster          bool     `envconfig:"WQ_REDIS_CLUSTER" default:"false" desc:"true if the server is a node of a Redis Cluster"`
	RedisTLS              bool     `envconfig:"WQ_REDIS_TLS" default:"false" desc:"true to speak TLS, as rediss:// in the URL does"`
	RedisTLSCA            CertPool `envconfig:"WQ_REDIS_TLS_CA" desc:"file of the certificates, in PEM, to trust in place of the public ones"`
	RedisTLSCert          string   `envconfig:"WQ_REDIS_TLS_CERT" desc:"file of the client's certificate, in PEM, if the server asks for one"`
	RedisTLSKey           string   `envconfig:"WQ_REDIS_TLS_KEY" desc:"file of the key of WQ_REDIS_TLS_CERT, in PEM"`
	RedisTLSServerName    string   `envconfig:"WQ_REDIS_TLS_SERVER_NAME" desc:"name in the server's certificate, if it is not the one it is called by"`

	LogFormat LogFormat `envconfig:"WQ_LOG_FORMAT" default:"text" desc:"text or json"`
	LogLevel  LogLevel  `envconfig:"WQ_LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
}

// Work is what the verb work needs to know.
type Work struct {
	Common
	Command         Command       `envconfig:"WQ_COMMAND" desc:"JSON array of the program and its arguments to run per item; {} in an argument is replaced by the item, without any {} the item is appended. Without a command the worker prints Working on <item>"`
	Mode            Mode          `envconfig:"WQ_MODE" default:"exec" desc:"exec: a process per item; batch: a process for up to WQ_BATCH_SIZE items, which come on its standard input; stream: a process that stays, with items and answers as lines of JSON (docs/stream.md)"`
	BatchSize       int           `envconfig:"WQ_BATCH_SIZE" default:"100" desc:"items that one process of the mode batch gets, if there are as many"`
	Delimiter       Delimiter     `envconfig:"WQ_DELIMITER" default:"newline" desc:"what ends each item of a batch: newline, or nul for items of any bytes"`
	InFlight        int           `envconfig:"WQ_IN_FLIGHT" default:"1" desc:"items that one process of the mode stream works on at the same time"`
	StartTimeout    time.Duration `envconfig:"WQ_START_TIMEOUT" default:"10m" desc:"how long a process of the mode stream may take until its first answer, if items have a timeout"`
	Concurrency     int           `envconfig:"WQ_CONCURRENCY" default:"1" desc:"processes, and in the mode exec therefore items, at the same time"`
	ItemTimeout     time.Duration `envconfig:"WQ_ITEM_TIMEOUT" default:"0s" desc:"how long one attempt may take, 0s for any time; a batch may take it once for each item, a stream may be silent for so long"`
	MaxAttempts     int           `envconfig:"WQ_MAX_ATTEMPTS" default:"3" desc:"failed attempts after which an item is dead"`
	MaxCrashes      int           `envconfig:"WQ_MAX_CRASHES" default:"3" desc:"times an item that runs alone may take its worker down before it is dead"`
	MaxDead         int           `envconfig:"WQ_MAX_DEAD" default:"0" desc:"dead items with which a run still counts as a success"`
	Capture         bool          `envconfig:"WQ_CAPTURE" default:"false" desc:"true to keep each item's standard output as its result; worker results prints them"`
	ResultBytes     int           `envconfig:"WQ_RESULT_BYTES" default:"4096" desc:"bytes of a result that are kept, from its beginning"`
	MaxResults      int           `envconfig:"WQ_MAX_RESULTS" default:"10000" desc:"results that are kept, the newest, 0 for all; Redis holds them in memory"`
	Output          Output        `envconfig:"WQ_OUTPUT" default:"raw" desc:"how the commands' output is passed on: raw, tagged (each line begins with its item) or json (each line an object)"`
	StopAfterDead   int           `envconfig:"WQ_STOP_AFTER_DEAD" default:"100" desc:"dead items above which the run stops early, 0 for never"`
	Backoff         time.Duration `envconfig:"WQ_BACKOFF_INITIAL" default:"1s" desc:"delay before the second attempt, doubled for each further one, with jitter"`
	BackoffMax      time.Duration `envconfig:"WQ_BACKOFF_MAX" default:"5m" desc:"longest delay between attempts"`
	DeadExitCodes   ExitCodes     `envconfig:"WQ_DEAD_EXIT_CODES" desc:"comma-separated exit codes after which an item is dead at once"`
	SnoozeExitCodes ExitCodes     `envconfig:"WQ_SNOOZE_EXIT_CODES" default:"75" desc:"comma-separated exit codes that are not a failed attempt: the item is tried again later"`
	Lease           time.Duration `envconfig:"WQ_LEASE" default:"30s" desc:"how long this worker may be silent before its items are given to others; not a limit on an item's time"`
	Grace           time.Duration `envconfig:"WQ_GRACE" default:"25s" desc:"how long running items may go on after SIGTERM; what is not finished then is handed back"`
	SeedTimeout     time.Duration `envconfig:"WQ_SEED_TIMEOUT" default:"0s" desc:"how long to wait for a queue that was never seeded before giving up with exit code 70, 0s for ever"`
	Retention       time.Duration `envconfig:"WQ_RETENTION" default:"168h" desc:"how long the queue's records stay in Redis after its end, 0s for ever"`
	MetricsAddr     string        `envconfig:"WQ_METRICS_ADDR" desc:"address to serve this worker's own metrics on, at /metrics, such as :9090; none if empty"`
	Host            string        `envconfig:"WQ_HOST" desc:"name of this worker in records, the host's name if empty"`
	Node            string        `envconfig:"WQ_NODE" desc:"name of the machine in records"`
}

// Validate implements Validator.
func (w *Work) Validate() (wrong []error) {
	wrong = w.Common.Validate()
	atLeast := func(name string, value, least int) {
		if value < least {
			wrong = append(wrong, fmt.Errorf("%s: %d is less than %d", name, value, least))
		}
	}
	longer := func(name string, value, least time.Duration) {
		if value < least {
			wrong = append(wrong, fmt.Errorf("%s: %v is less than %v", name, value, least))
		}
	}
	wrong = append(wrong, w.validateMode()...)
	atLeast("WQ_CONCURRENCY", w.Concurrency, 1)
	atLeast("WQ_IN_FLIGHT", w.InFlight, 1)
	atLeast("WQ_MAX_ATTEMPTS", w.MaxAttempts, 1)
	atLeast("WQ_MAX_CRASHES", w.MaxCrashes, 1)
	atLeast("WQ_MAX_DEAD", w.MaxDead, 0)
	atLeast("WQ_STOP_AFTER_DEAD", w.StopAfterDead, 0)
	atLeast("WQ_RESULT_BYTES", w.ResultBytes, 1)
	atLeast("WQ_MAX_RESULTS", w.MaxResults, 0)
	if _, _, err := net.SplitHostPort(w.MetricsAddr); w.MetricsAddr != "" && err != nil {
		wrong = append(wrong, fmt.Errorf("WQ_METRICS_ADDR: %q is not an address such as :9090", w.MetricsAddr))
	}
	longer("WQ_LEASE", w.Lease, time.Second)
	longer("WQ_BACKOFF_INITIAL", w.Backoff, 0)
	longer("WQ_BACKOFF_MAX", w.BackoffMax, w.Backoff)
	longer("WQ_ITEM_TIMEOUT", w.ItemTimeout, 0)
	longer("WQ_START_TIMEOUT", w.StartTimeout, 0)
	longer("WQ_GRACE", w.Grace, 0)
	longer("WQ_SEED_TIMEOUT", w.SeedTimeout, 0)
	longer("WQ_RETENTION", w.Retention, 0)
	return wrong
}

// maxBatchSize is no more than what a worker leases at once, see package dispatch.
const maxBatchSize = 1000

func (w *Work) validateMode() (wrong []error) {
	if w.BatchSize < 1 || w.BatchSize > maxBatchSize {
		wrong = append(wrong, fmt.Errorf("WQ_BATCH_SIZE: %d is not from 1 to %d", w.BatchSize, maxBatchSize))
	}
	if w.Mode == Exec {
		return wrong
	}
	if len(w.Command) == 0 {
		wrong = append(wrong, fmt.Errorf("WQ_COMMAND: missing, with WQ_MODE=%s: which program shall get the items?", w.Mode))
	}
	for _, arg := range w.Command {
		if strings.Contains(arg, "{}") {
			wrong = append(wrong, fmt.Errorf("WQ_COMMAND: {} stands for one item, but with WQ_MODE=%s the items come on "+
				"standard input; leave it out", w.Mode))
		}
	}
	if w.Capture {
		way := "use WQ_MODE=exec"
		if w.Mode == Stream {
			way = "leave it out: the program's answers hold its results"
		}
		wrong = append(wrong, fmt.Errorf("WQ_CAPTURE: with WQ_MODE=%s standard output is not one item's; %s", w.Mode, way))
	}
	return wrong
}

// HostName is the name of this worker in records.
func (w *Work) HostName() string {
	if w.Host != "" {
		return w.Host
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// Seed is what the verb seed needs to know.
type Seed struct {
	Common
	ItemsFile    string       `envconfig:"WQ_ITEMS_FILE" desc:"file with a JSON array of items: strings are taken as they are, numbers as text, objects as compact JSON"`
	ItemsPaths   []string     `envconfig:"WQ_ITEMS_PATHS" desc:"comma-separated files or folders that list items, one a line, or as WQ_DELIMITER says"`
	ItemsRange   source.Range `envconfig:"WQ_ITEMS_RANGE" desc:"items that are numbered: a JSON object with start, end, step (1 if left out) and format (%d)"`
	ItemsCommand Command      `envconfig:"WQ_ITEMS_COMMAND" desc:"JSON array of a program and its arguments that prints items, one a line, or as WQ_DELIMITER says; if it fails, nothing is seeded"`
	Delimiter    Delimiter    `envconfig:"WQ_DELIMITER" default:"newline" desc:"what ends each item in a list: newline, or nul for items of any bytes"`
	Unique       bool         `envconfig:"WQ_UNIQUE" default:"false" desc:"true to take equal items once"`
	SeedID       string       `envconfig:"WQ_SEED_ID" default:"items" desc:"name of this seed: what was seeded under a name once is not seeded again"`
	Seal         bool         `envconfig:"WQ_SEAL" default:"true" desc:"whether the queue is complete after this seed; if not, workers wait for more"`
}

// Verify is what the verb verify needs to know.
type Verify struct {
	Common
	MaxDead     int           `envconfig:"WQ_MAX_DEAD" default:"0" desc:"dead items with which a run still counts as a success"`
	SeedTimeout time.Duration `envconfig:"WQ_SEED_TIMEOUT" default:"0s" desc:"how long to wait for a queue that was never seeded before giving up with exit code 70, 0s for as long as for the end of the run"`
	Timeout     time.Duration `envconfig:"WQ_VERIFY_TIMEOUT" default:"4m30s" desc:"how long to wait for the end of the run"`
}

// Command is a program and its arguments.
type Command []string

// Decode implements envconfig.Decoder.
func (c *Command) Decode(value string) error {
	if value == "" {
		return nil
	}
	var words []string
	if err := json.Unmarshal([]byte(value), &words); err != nil {
		return err
	}
	if len(words) == 0 || words[0] == "" {
		return fmt.Errorf("no program")
	}
	*c = words
	return nil
}

// Expected says what Decode takes.
func (*Command) Expected() string {
	return `a JSON array of strings that begins with a program, such as ["convert", "{}", "out.png"]`
}
