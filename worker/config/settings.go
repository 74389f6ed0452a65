package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/workqueue/workqueue/worker/fields"
	"github.com/workqueue/workqueue/worker/queue"
	"github.com/workqueue/workqueue/worker/source"
)

// everyVerb returns the settings of each verb that has any.
func everyVerb() []any {
	return []any{&Common{}, &Runs{}, &Verify{}, &Work{}, &Try{}, &Seed{}, &Push{}, &List{}, &Cancel{}, &Monitor{}, &Purge{}}
}

// Common is the settings of every verb.
type Common struct {
	Queue  string `envconfig:"WQ_QUEUE" required:"true" internal:"the chart names the queue after the release and its inputs" desc:"name of the queue, which is the key of its list in Redis; with :* at its end, the run of WQ_JOB, or the latest run of a schedule if WQ_JOB is not set"`
	Job    string `envconfig:"WQ_JOB" internal:"the chart sets it in the pods of a scheduled run" desc:"name of the Job that is a run of a schedule"`
	JobUID string `envconfig:"WQ_JOB_UID" internal:"the chart sets it in the pods of a scheduled run" desc:"UID of that Job, because another one may get the same name later; its beginning is part of the queue's name"`
	Redis
	LogFormat string `envconfig:"WQ_LOG_FORMAT" default:"text" oneof:"text json" value:"worker.logFormat" desc:"text or json"`
	LogLevel  string `envconfig:"WQ_LOG_LEVEL" default:"info" oneof:"debug info warn error" value:"worker.logLevel" desc:"least level that is logged: debug, info, warn or error"`
}

// Validate implements Validator.
func (c *Common) Validate() (wrong []error) {
	if strings.ContainsAny(c.Queue, "{}") {
		wrong = append(wrong, fmt.Errorf("WQ_QUEUE: %q has a brace, which Redis Cluster gives a meaning in the names of keys; choose another name", c.Queue))
	}
	return append(wrong, c.Redis.validate()...)
}

// eachRun is the end of a WQ_QUEUE that stands for all runs of a schedule.
const eachRun = ":*"

// shortUID is how many characters of a Job's UID are part of its queue's name.
const shortUID = 5

// RunQueue returns the name of the queue. It still stands for all runs of a schedule if no Job says for which one.
func (c *Common) RunQueue() string {
	stem, each := strings.CutSuffix(c.Queue, eachRun)
	if !each || c.Job == "" {
		return c.Queue
	}
	return fmt.Sprintf("%s:%s:%.*s", stem, c.Job, shortUID, c.JobUID)
}

// EachRun returns what the names of all queues of a schedule begin with, and true, if WQ_QUEUE stands for them.
func (c *Common) EachRun() (prefix string, each bool) {
	if !strings.HasSuffix(c.Queue, eachRun) {
		return "", false
	}
	return strings.TrimSuffix(c.Queue, "*"), true
}

// validateRun returns what is wrong for a verb that cannot take the latest run.
func (c *Common) validateRun() []error {
	wrong := c.Validate()
	if _, each := c.EachRun(); each && (c.Job == "" || len(c.JobUID) < shortUID) {
		wrong = append(wrong, fmt.Errorf("WQ_QUEUE: %q stands for all runs of a schedule; name one of them, or set WQ_JOB and WQ_JOB_UID", c.Queue))
	}
	return wrong
}

// Success is when a run is a success.
type Success struct {
	MaxDead Portion `envconfig:"WQ_MAX_DEAD" default:"0" value:"worker.maxDead" desc:"dead items with which a run still counts as a success: a number, or a share of the items such as 5%"`
}

// Lists is how items are written in a list.
type Lists struct {
	Delimiter Delimiter `envconfig:"WQ_DELIMITER" default:"newline" oneof:"newline nul" value:"worker.delimiter itemsFrom.delimiter" desc:"what ends each item in a list, on standard input or in a batch: newline, or nul for items of any bytes"`
}

// Items is how lists of items are written.
type Items struct {
	Lists
	Format source.Format `envconfig:"WQ_ITEMS_FORMAT" default:"lines" oneof:"lines csv tsv jsonl" value:"itemsFrom.format" desc:"how lists of items are written: lines; csv (as in RFC 4180) or tsv (without any quotes), whose header names the fields of each item, a JSON object; or jsonl, a JSON string, number or object a line"`
}

// Layout returns how lists of items are written.
func (i *Items) Layout() source.Layout {
	return source.Layout{Format: i.Format, Delimiter: i.Delimiter.Byte()}
}

func (i *Items) validate() (wrong []error) {
	if i.Format != source.Lines && i.Delimiter != "newline" {
		wrong = append(wrong, fmt.Errorf("WQ_DELIMITER: %s is for WQ_ITEMS_FORMAT=lines, and that is %s; leave it out", i.Delimiter, i.Format))
	}
	return wrong
}

// History is how much is kept of what has ended well.
type History struct {
	MaxResults   int `envconfig:"WQ_MAX_RESULTS" default:"0" min:"0" value:"worker.maxResults" desc:"results that are kept, and lines about attempts, the newest of each, 0 for as many as fit into WQ_MAX_RECORD_MIB"`
	MaxRecordMiB int `envconfig:"WQ_MAX_RECORD_MIB" default:"128" min:"0" value:"worker.maxRecordMiB" desc:"MiB of Redis' memory that results may take, and lines about attempts as much again, 0 for no limit; beyond it the oldest are dropped, and verify, status and the page say how many"`
}

// Cap returns the limits of results, and of lines about attempts.
func (h *History) Cap() queue.Cap {
	return queue.Cap{Records: h.MaxResults, Bytes: h.MaxRecordMiB << 20}
}

// EarlierRuns is what becomes of items that an earlier run has done.
type EarlierRuns struct {
	SkipDone bool `envconfig:"WQ_SKIP_DONE" default:"false" value:"queue.skipDone" desc:"true to leave out items that an earlier run of the release has done; workers then record which items are done"`
}

// Waiting is how long to wait for a queue.
type Waiting struct {
	SeedTimeout time.Duration `envconfig:"WQ_SEED_TIMEOUT" default:"0s" min:"0s" value:"hooks.enabled" desc:"how long to wait for a queue that was never seeded before exiting with code 70, 0s for no limit"`
}

// Leasing is how long leases last, and how long data is kept.
type Leasing struct {
	Lease     time.Duration `envconfig:"WQ_LEASE" default:"30s" min:"1s" value:"worker.lease" desc:"how long a worker may go without contacting Redis before its items, or the seed, are leased to another worker; live workers renew it, so it does not limit how long an item may run"`
	Retention time.Duration `envconfig:"WQ_RETENTION" default:"168h" min:"0s" value:"queue.retention" desc:"how long the queue's records stay in Redis after its end, 0s for ever"`
}

// Owner is whose queue it is.
type Owner struct {
	Release string `envconfig:"WQ_RELEASE" internal:"the chart knows its release" desc:"namespace and name of the release, such as default/fruits; seeds and workers leave it in the queue"`
}

// Running says what is run for an item.
type Running struct {
	Command Command `envconfig:"WQ_COMMAND" value:"worker.command" desc:"JSON array of the program and its arguments to run per item; in an argument {} is replaced by the item, {.name} by a field of an item that is a JSON object, {#} by the item's ID, and \\{.name} by {.name}; without any of them the item is appended, unless WQ_INPUT is stdin. Without a command the worker prints Working on <item>"`
	Mode    Mode    `envconfig:"WQ_MODE" default:"exec" oneof:"exec batch stream" value:"worker.mode" desc:"exec: one process per item; batch: one process for up to WQ_BATCH_SIZE items, which it reads from standard input; stream: a process that stays, with requests and messages as lines of JSON (docs/stream.md)"`
	Input   Input   `envconfig:"WQ_INPUT" default:"argument" oneof:"argument stdin" value:"worker.input" desc:"how an item reaches its process in the mode exec: argument (also in WQ_ITEM; standard input is at its end) or stdin (standard input, for items of any bytes or size)"`
}

// validate returns what is wrong with the command.
func (r *Running) validate() []error {
	if err := fields.Command(r.Command).Check(); err != nil {
		return []error{fmt.Errorf("WQ_COMMAND: %w", err)}
	}
	return nil
}

// Dry asks to show what would be done.
type Dry struct {
	DryRun bool `envconfig:"WQ_DRY_RUN" default:"false" internal:"a person sets it for one call" desc:"true to print the items, or the command of an item, and to do nothing"`
}

// Try is the settings of the verb try.
type Try struct {
	Work
	Dry
}

// Work is the settings of the verb work.
type Work struct {
	Common
	Owner
	Success
	Lists
	Waiting
	Leasing
	Running
	BatchSize    int           `envconfig:"WQ_BATCH_SIZE" default:"100" min:"1" max:"1000" value:"worker.batchSize" desc:"items that one process gets in the mode batch, if there are as many"`
	InFlight     int           `envconfig:"WQ_IN_FLIGHT" default:"1" min:"1" value:"worker.inFlight" desc:"items that one process may have in flight in the mode stream"`
	PrintItems   bool          `envconfig:"WQ_PRINT_ITEMS" default:"false" value:"worker.printItems" desc:"true to print Working on <item> for each item, in place of a command; such an item is done"`
	StartTimeout time.Duration `envconfig:"WQ_START_TIMEOUT" default:"10m" min:"0s" value:"worker.startTimeout" desc:"how long a process may take to its first message in the mode stream, if items have a timeout"`
	Concurrency  int           `envconfig:"WQ_CONCURRENCY" default:"1" min:"1" value:"worker.concurrency" desc:"processes that run at the same time"`
	Rate         Rate          `envconfig:"WQ_RATE" value:"worker.rate" desc:"items that all workers together may start, such as 10/s, 100/m, 2.5/h or 1000/d; no limit if empty"`
	ItemTimeout  Timeout       `envconfig:"WQ_ITEM_TIMEOUT" value:"worker.itemTimeout" desc:"how long one attempt may take, 0s for no limit; a batch may take that long for each of its items, and a stream program that long for its oldest item; if empty, 1h in the mode stream, no limit in others"`
	MaxAttempts  int           `envconfig:"WQ_MAX_ATTEMPTS" default:"3" min:"1" value:"worker.maxAttempts" desc:"failed attempts after which an item is dead"`
	MaxSnoozes   int           `envconfig:"WQ_MAX_SNOOZES" default:"0" min:"0" value:"worker.maxSnoozes" desc:"snoozes after which an item is dead, 0 for no limit"`
	MaxCrashes   int           `envconfig:"WQ_MAX_CRASHES" default:"3" min:"1" value:"worker.maxCrashes" desc:"workers that may die while they run an item alone before it is dead"`
	Record       Record        `envconfig:"WQ_RECORD" default:"failures" oneof:"failures results all" value:"worker.record" desc:"what is kept of attempts: failures (why items are dead), results (also each item's standard output, which worker results prints) or all (also a line for each attempt, which worker records prints)"`
	ResultBytes  int           `envconfig:"WQ_RESULT_BYTES" default:"4096" min:"1" value:"worker.resultBytes" desc:"bytes of a result that are kept, from its beginning"`
	History
	EarlierRuns
	Output          string        `envconfig:"WQ_OUTPUT" default:"raw" oneof:"raw tagged json" value:"worker.output" desc:"how the output of commands is passed on: raw, tagged (each line begins with its item) or json (each line is an object)"`
	StopAfterDead   Portion       `envconfig:"WQ_STOP_AFTER_DEAD" value:"worker.stopAfterDead" desc:"dead items at which the run stops early, 0 for never: a number, or a share of the items that have ended such as 10%, once a hundred have; a run with no more dead items than WQ_MAX_DEAD goes on; if empty, 100 or twice WQ_MAX_DEAD, whichever is more"`
	Finally         Command       `envconfig:"WQ_FINALLY" value:"finally.command" desc:"JSON array of the program and its arguments to run once when the run has drained or stopped; the results are on its standard input as lines of JSON"`
	FinallyTimeout  time.Duration `envconfig:"WQ_FINALLY_TIMEOUT" default:"0s" min:"0s" value:"finally.timeout" desc:"how long an attempt at WQ_FINALLY may take, 0s for no limit"`
	FinallyAttempts int           `envconfig:"WQ_FINALLY_MAX_ATTEMPTS" default:"3" min:"1" value:"finally.maxAttempts" desc:"failed attempts at WQ_FINALLY after which the run has failed"`
	Backoff         time.Duration `envconfig:"WQ_BACKOFF_INITIAL" default:"1s" min:"0s" value:"worker.backoff.initial" desc:"delay before the second attempt, doubled for each further one, with jitter"`
	BackoffMax      time.Duration `envconfig:"WQ_BACKOFF_MAX" default:"5m" min:"0s" value:"worker.backoff.max" desc:"longest delay between attempts"`
	DeadExitCodes   ExitCodes     `envconfig:"WQ_DEAD_EXIT_CODES" value:"worker.deadExitCodes" desc:"comma-separated exit codes after which an item is dead at once"`
	SnoozeExitCodes ExitCodes     `envconfig:"WQ_SNOOZE_EXIT_CODES" default:"75" value:"worker.snoozeExitCodes" desc:"comma-separated exit codes that snooze an item: not a failed attempt, it is run again later"`
	KillAfter       time.Duration `envconfig:"WQ_KILL_AFTER" default:"2s" min:"100ms" value:"worker.killAfter" desc:"how long a program has to end after SIGTERM, before SIGKILL"`
	Grace           time.Duration `envconfig:"WQ_GRACE" default:"25s" min:"0s" value:"worker.terminationGracePeriodSeconds" desc:"how long running items may go on after SIGTERM; items that have not ended then are returned to the queue"`
	MetricsAddr     Addr          `envconfig:"WQ_METRICS_ADDR" value:"worker.metrics.enabled worker.metrics.port" desc:"address to serve this worker's own metrics on, at /metrics, such as :9090; none if empty"`
	Host            string        `envconfig:"WQ_HOST" internal:"the chart sets it to the pod's name" desc:"name of this worker in records, the host's name if empty"`
	Node            string        `envconfig:"WQ_NODE" internal:"the chart sets it to the node's name" desc:"name of the machine in records"`
	Image           string        `envconfig:"WQ_IMAGE" value:"worker.image" desc:"image that the command comes from, for people to see"`
}

// Validate implements Validator.
func (w *Work) Validate() (wrong []error) {
	wrong = w.validateRun()
	if stop := w.StopAfterDead; stop.Set && stop.Portion != (queue.Portion{}) && stop.Within(w.MaxDead.Portion) {
		wrong = append(wrong, fmt.Errorf("WQ_STOP_AFTER_DEAD: %v is not above WQ_MAX_DEAD, %v: a run with so many dead items is still a success, and does not stop; "+
			"raise it, leave it out, or set it to 0 to never stop early", stop, w.MaxDead))
	}
	if w.BackoffMax < w.Backoff {
		wrong = append(wrong, fmt.Errorf("WQ_BACKOFF_MAX: %v is less than WQ_BACKOFF_INITIAL, %v", w.BackoffMax, w.Backoff))
	}
	wrong = append(wrong, w.Running.validate()...)
	switch {
	case w.PrintItems && len(w.Command) > 0:
		wrong = append(wrong, errors.New("WQ_PRINT_ITEMS: contradicts WQ_COMMAND; leave one of them out"))
	case !w.PrintItems && len(w.Command) == 0 && w.Mode == Exec:
		wrong = append(wrong, errors.New("WQ_COMMAND: missing: the program to run for each item; to print the items instead, set WQ_PRINT_ITEMS=true"))
	}
	if w.Mode == Exec {
		if found := fields.Command(w.Command).Placeholder(); found == "{}" && w.Input == Stdin {
			wrong = append(wrong, errors.New("WQ_COMMAND: {} stands for the item, but with WQ_INPUT=stdin the item is on standard input; leave out one of them"))
		}
		return wrong
	}
	if w.Input != Argument {
		wrong = append(wrong, fmt.Errorf("WQ_INPUT: %s is for WQ_MODE=exec; with WQ_MODE=%s items always come on standard input; leave it out", w.Input, w.Mode))
	}
	if len(w.Command) == 0 {
		wrong = append(wrong, fmt.Errorf("WQ_COMMAND: missing: WQ_MODE=%s needs a program that reads the items", w.Mode))
	}
	if found := fields.Command(w.Command).Placeholder(); found != "" {
		wrong = append(wrong, fmt.Errorf("WQ_COMMAND: %s stands for one item, but with WQ_MODE=%s the items come on standard input; leave it out", found, w.Mode))
	}
	if w.Record == RecordResults {
		way := "use WQ_MODE=exec"
		if w.Mode == Stream {
			way = "leave it out: the program's messages contain its results"
		}
		wrong = append(wrong, fmt.Errorf("WQ_RECORD: with WQ_MODE=%s standard output is not one item's result; %s", w.Mode, way))
	}
	return wrong
}

// stopAfterDead is the least number of dead items at which a run stops early, unless the user sets another.
const stopAfterDead = 100

// streamTimeout is the limit for a stream program if none is set. Other programs end by themselves; this one may just stop to answer.
const streamTimeout = time.Hour

// AttemptTimeout returns how long one attempt may take, 0 for no limit.
func (w *Work) AttemptTimeout() time.Duration {
	if !w.ItemTimeout.Set && w.Mode == Stream {
		return streamTimeout
	}
	return w.ItemTimeout.Duration
}

// StopAfter returns how many dead items stop the run early, 0 for never. Unless the user sets it, it is above MaxDead.
func (w *Work) StopAfter() queue.Portion {
	if w.StopAfterDead.Set {
		return w.StopAfterDead.Portion
	}
	twice := w.MaxDead.Twice()
	if twice.Percent == 0 {
		twice.Items = max(stopAfterDead, twice.Items)
	}
	return twice
}

// HostName returns the name of this worker in records.
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

// Seed is the settings of the verb seed.
type Seed struct {
	Common
	Owner
	Items
	Leasing
	EarlierRuns
	Running
	Dry
	ItemsFile    string       `envconfig:"WQ_ITEMS_FILE" value:"items" desc:"file with a JSON array of items: strings are taken as they are, numbers as they are written, objects as compact JSON"`
	ItemsPaths   []string     `envconfig:"WQ_ITEMS_PATHS" value:"itemsFrom.configMap itemsFrom.secret itemsFrom.volume" desc:"comma-separated files or folders that list items"`
	ItemsRange   source.Range `envconfig:"WQ_ITEMS_RANGE" value:"itemsFrom.range" desc:"numbered items: a JSON object with start, end, step (default 1) and format (default %d)"`
	ItemsCommand Command      `envconfig:"WQ_ITEMS_COMMAND" value:"itemsFrom.command" desc:"JSON array of a program and its arguments that prints a list of items; if it fails, nothing is seeded"`
	AllowEmpty   bool         `envconfig:"WQ_ALLOW_EMPTY" default:"false" value:"itemsFrom.allowEmpty" desc:"true if lists may be empty; if not, a seed that completes the queue refuses a list without items"`
	Unique       bool         `envconfig:"WQ_UNIQUE" default:"false" value:"queue.unique" desc:"true to take equal items once in a run, whether they are seeded or pushed"`
	SeedID       string       `envconfig:"WQ_SEED_ID" default:"items" internal:"the chart makes it from the inputs" desc:"name of this seed: what was seeded under a name is not seeded again under it"`
	Seal         bool         `envconfig:"WQ_SEAL" default:"true" value:"queue.seal" desc:"whether the queue is complete after this seed; if not, workers wait for more items"`
}

// Validate implements Validator.
func (s *Seed) Validate() []error {
	return slices.Concat(s.validateRun(), s.Items.validate(), s.Running.validate())
}

// Verify is the settings of the verb verify.
type Verify struct {
	Common
	Success
	Waiting
	Timeout time.Duration `envconfig:"WQ_VERIFY_TIMEOUT" default:"4m30s" min:"0s" value:"test.timeout" desc:"how long to wait for the end of the run"`
}

// Runs is the settings of the verbs runs and watch.
type Runs struct {
	Common
	Success
}

// Push is the settings of the verb push.
type Push struct {
	Common
	Items
}

// Validate implements Validator.
func (p *Push) Validate() []error { return append(p.Common.Validate(), p.Items.validate()...) }

// Records is the settings of the verbs results, dead, records and retry.
type Records struct {
	Common
	Match Pattern `envconfig:"WQ_MATCH" internal:"a person gives it as an argument" desc:"regular expression, instead of the argument: only items in which it is found"`
}

// List is the settings of the verbs results, dead and records.
type List struct {
	Records
	Format string `envconfig:"WQ_FORMAT" default:"auto" oneof:"auto jsonl csv raw" internal:"a person sets it for one call" desc:"how records are printed: auto (a table on a terminal, jsonl elsewhere), jsonl (a line of JSON each), csv, or raw (only the outputs, one after another; a text without a newline at its end gets one)"`
	Order  string `envconfig:"WQ_ORDER" default:"id" oneof:"id recorded" internal:"a person sets it for one call" desc:"id: by the items' IDs, which is the order of the list; recorded: as they were recorded, which prints the first one at once"`
}

// Cancel is the settings of the verb cancel.
type Cancel struct {
	Records
	History
}

// Monitor is the settings of the verb monitor.
type Monitor struct {
	Common
	Success
	Listen  Addr   `envconfig:"WQ_MONITOR_ADDR" default:":8080" internal:"the chart's Service knows the port" desc:"address that the monitor's page is served on"`
	Actions bool   `envconfig:"WQ_MONITOR_ACTIONS" default:"false" value:"monitor.actions" desc:"whether the page may retry, pause and resume; needs WQ_MONITOR_TOKEN"`
	Pods    int    `envconfig:"WQ_PARALLELISM" default:"0" min:"0" value:"worker.parallelism" desc:"worker pods that the release asks for, to be shown on the page; 0 if an autoscaler decides"`
	Token   string `envconfig:"WQ_MONITOR_TOKEN" secret:"true" value:"monitor.existingSecret" desc:"token that a person needs for actions, 16 characters or more"`
}

// Purge is the settings of the verb purge.
type Purge struct {
	Common
	Owner
	FormerQueues Names `envconfig:"WQ_FORMER_QUEUES" internal:"the chart remembers them" desc:"JSON array of more queues to delete, each only if WQ_RELEASE was the last to seed it or to take items from it"`
}

// minToken is the length of the shortest token, in bytes.
const minToken = 16

// Validate implements Validator.
func (m *Monitor) Validate() (wrong []error) {
	wrong = m.Common.Validate()
	if m.Actions && len(m.Token) < minToken {
		wrong = append(wrong, fmt.Errorf("WQ_MONITOR_TOKEN: actions need a token of %d characters or more", minToken))
	}
	return wrong
}
