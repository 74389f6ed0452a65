package chart

import (
	"fmt"
	"strings"
	"testing"
)

// The refusal of a wrong value names it, and says what to write instead where that is not plain.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, values string
		want         []string
	}{
		{"no values", "", []string{"items: the list is empty", "queue.seal=false"}},
		{"empty list", "items: []", []string{"items: the list is empty"}},
		{"no list", "items:", []string{"items: expected a list", "and found nothing"}},
		{"a string for the list", "items: apple", []string{"items: expected a list, such as `items: [apple, banana]`, and found text"}},
		{"a null item", "items: [apple, null]", []string{"items[1] is null; remove it"}},
		{"a boolean item", "items: [apple, yes]", []string{"items[1] is a boolean (true); quote it"}},
		{"a list as an item", "items: [apple, [pear]]", []string{"items[1] is a list"}},
		{"several at once", "items: [null, apple, yes]", []string{"items[0] is null", "items[2] is a boolean"}},
		{"a number that is not exact", "items: [1, 9007199254740993]", []string{"items[1] is a number too large", "quote it"}},
		{"a number within an object that is not exact", "items: [{a: [1, {b: 9007199254740993}]}]", []string{"items[0].a[1].b is a number too large", "quote it"}},
		{"a key that is a boolean", "items: [{no: 1, x: {y: 2}}]", []string{"items[0] has the key false", "quote the key"}},
		{"more than a ConfigMap holds", "items: [" + strings.Repeat("x", 922_000) + "]", []string{"items: 1 items take 900 KiB", "queue.seal=false"}},

		{"a last step without an image", "{items: [a], finally: {command: [echo]}}", []string{"worker.image: needed with finally.command"}},
		{"a last step of a run without an end", "{queue: {seal: false}, worker: {kind: Deployment, image: busybox, command: [echo]}, finally: {command: [echo]}}", []string{"finally.command: with worker.kind=Deployment"}},
		{"an image without a command", "{items: [a], worker: {image: busybox}}", []string{"worker.command", "cannot read an image's entrypoint", "command: ["}},
		{"a command without an image", "{items: [a], worker: {command: [ls]}}", []string{"worker.image", "holds no other program"}},
		{"neither an image nor a command", "{items: [a], worker: {printItems: false}}", []string{"worker.command: missing, and worker.image", "worker.printItems=true"}},
		{"a script with carriage returns", `{items: [a], worker: {image: b, command: [sh, -c, "a\r\nb\r\n"]}}`, []string{"worker.command[2] has a carriage return", "dos2unix"}},
		{"a shell line as a command", "{items: [a], worker: {image: b, command: ls -l}}", []string{"worker.command: expected a list of arguments, and found text", `write ["ls","-l"], or ["sh","-c","ls -l"] for a shell`}},
		{"a number as an argument", "{items: [a], worker: {image: b, command: [sleep, 5]}}", []string{"worker.command[1] is a number", "quote it"}},
		{"a shell line that lists items", "itemsFrom: {image: b, command: find / -name x}", []string{"itemsFrom.command: expected a list of arguments"}},
		{"a variable of the chart's", "{items: [a], worker: {extraEnv: [{name: WQ_LEASE, value: 1s}]}}", []string{"worker.extraEnv: WQ_LEASE"}},

		{"a mode", "{items: [a], worker: {mode: lines}}", []string{"'/worker/mode'", "'exec', 'batch', 'stream'"}},
		{"a batch without a program", "{items: [a], worker: {mode: batch}}", []string{"worker.command: needed with worker.mode=batch"}},
		{"a batch with a place for an item", "{items: [a], worker: {mode: batch, image: b, command: [c, '-{}']}}", []string{"worker.command[1]: {} stands for one item", "leave it out"}},
		{"a batch with a field of an item", "{items: [a], worker: {mode: batch, image: b, command: [c, 'x{.a b.c}']}}", []string{"worker.command[1]: {.a b.c} stands for one item, but with worker.mode=batch"}},
		{"a field that is none", "{items: [a], worker: {image: b, command: [c, 'x{.a.}']}}", []string{"worker.command[1]: {.a.} is not a field; write {.name}", `\{.a.} for the text itself`}},
		{"a field with other characters", "{items: [a], worker: {image: b, command: [c, 'x{.Size (\"MB\")}']}}", []string{`worker.command[1]: {.Size ("MB")} is not a field`, `{."Size (\"MB\")"}`}},
		{"a field in no quotes", `{items: [a], worker: {image: b, command: [c, '{."a}']}}`, []string{`worker.command[1]: {."a} is not a field`}},
		{"a stream that is captured", "{items: [a], worker: {mode: stream, record: results, image: b, command: [c]}}", []string{"worker.record: results: with worker.mode=stream", "the program's responses carry its results"}},
		{"a batch too large", "{items: [a], worker: {batchSize: 1001}}", []string{"'/worker/batchSize'", "want 1,000"}},

		{"a schedule", "{items: [a], schedule: '0 3 * *'}", []string{`schedule: "0 3 * *" is not a cron schedule`, `"0 3 * * *"`, "@daily"}},
		{"a schedule with a time zone", "{items: [a], schedule: 'TZ=Europe/Berlin 0 3 * * *'}", []string{"schedule: \"TZ=Europe/Berlin", "the time zone in cronJob.timeZone"}},
		{"a schedule of a Deployment", "{schedule: '@daily', queue: {seal: false}, worker: {kind: Deployment}}", []string{"schedule: starts Jobs", "worker.kind=Job", "queue.seal: with a schedule"}},
		{"a Deployment again", "{queue: {seal: false}, worker: {kind: Deployment, again: 2}}", []string{"worker.again: starts the worker Job again, and a Deployment's pods never end", "leave it out"}},
		{"a schedule again", "{items: [a], schedule: '@daily', worker: {again: 2}}", []string{"worker.again: starts the worker Job again, and a schedule starts Jobs by itself"}},
		{"a schedule of one queue", "{items: [a], schedule: '@daily', queue: {name: job2}, rerun: 2}", []string{"queue.name: with a schedule", "rerun: with a schedule", "leave it out"}},
		{"an account of the seeding's own on a schedule", "{items: [a], schedule: '@daily', seed: {serviceAccountName: lister}}", []string{"seed.serviceAccountName: with a schedule", "serviceAccount.name"}},
		{"how runs may overlap", "{items: [a], schedule: '@daily', cronJob: {concurrencyPolicy: Wait}}", []string{"'/cronJob/concurrencyPolicy'", "'Forbid', 'Replace', 'Allow'"}},
		{"a container called as the chart's", "{items: [a], worker: {initContainers: [{name: seed, image: b}]}}", []string{"worker.initContainers: the pod has a container seed already"}},

		{"a text longer than a ConfigMap holds", "{items: [a], itemsFrom: {text: " + strings.Repeat("x", 921_600) + "}}", []string{"itemsFrom.text: it has 921600 bytes, and items 3 more", "queue.seal=false", "push"}},
		{"a table between NULs", "itemsFrom: {text: a, format: csv, delimiter: nul}", []string{"itemsFrom.delimiter: nul is for the format lines", "leave it out"}},
		{"a format", "itemsFrom: {text: a, format: xlsx}", []string{"'/itemsFrom/format'", "'lines', 'csv', 'tsv', 'jsonl'"}},
		{"a program without an image", "itemsFrom: {command: [ls]}", []string{"itemsFrom.image", "holds no other program"}},
		{"a range without an end", "itemsFrom: {range: {start: 1}}", []string{"'/itemsFrom/range'", "'end' required"}},
		{"a range that goes nowhere", "itemsFrom: {range: {start: 1, end: 2, step: 0}}", []string{"'/itemsFrom/range/step'"}},
		{"a range without a place for the number", "itemsFrom: {range: {start: 1, end: 2, format: page}}", []string{"'/itemsFrom/range/format'"}},
		{"two paths", "itemsFrom: {volume: {emptyDir: {}}, path: 'a,b'}", []string{"'/itemsFrom/path'"}},

		{"a password in an address", "{items: [a], redis: {external: {url: 'redis://me:secret@host:6379/0'}}}", []string{"redis.external.url: it holds a password", "redis.existingSecret.name"}},
		{"a password without a user in an address", "{items: [a], redis: {external: {url: 'rediss://:sec/ret@host'}}}", []string{"redis.external.url: it holds a password"}},
		{"another address", "{items: [a], redis: {external: {url: 'http://host'}}}", []string{"redis.external.url: it is not an address such as redis://host:6379/0"}},
		{"two passwords", "{items: [a], redis: {password: b, existingSecret: {name: c}}}", []string{"redis.password: contradicts redis.existingSecret.name"}},
		{"a user without a password", "{items: [a], redis: {external: {url: 'redis://host', username: me}}}", []string{"redis.external.username: a user needs a password"}},
		{"addresses of something", "{items: [a], redis: {external: {addresses: ['a:1']}}}", []string{"redis.external.addresses: are these Sentinels or nodes of a Cluster?"}},
		{"Sentinels nowhere", "{items: [a], redis: {external: {sentinel: {master: m}}}}", []string{"redis.external.addresses: needed"}},
		{"a Cluster with Sentinels", "{items: [a], redis: {external: {cluster: true, addresses: ['a:1'], sentinel: {master: m}}}}", []string{"redis.external.cluster: contradicts"}},
		{"TLS to nowhere", "{items: [a], redis: {external: {tls: {enabled: true}}}}", []string{"redis.external.url: missing"}},
		{"a password that cannot be kept", "{items: [a], hooks: {enabled: false}, redis: {generatePassword: true}}", []string{"redis.generatePassword: without hooks", "redis.existingSecret.name"}},
		{"an ACL without a password", "{items: [a], hooks: {enabled: false}, redis: {acl: {enabled: true}}}", []string{"redis.acl: a user needs a password", "redis.existingSecret.name"}},
		{"an ACL in another's Redis", "{items: [a], redis: {acl: {enabled: true}, external: {url: 'redis://host'}}}", []string{"redis.acl: is about the chart's own Redis", "redis.external.username"}},
		{"a size", "{items: [a], redis: {persistence: {size: big}}}", []string{"'/redis/persistence/size'"}},

		{"actions without a token", "{items: [a], monitor: {actions: true}}", []string{"monitor.existingSecret.name: needed with monitor.actions"}},
		{"a page without a monitor", "{items: [a], monitor: {enabled: false, ingress: {enabled: true, host: h}}}", []string{"monitor.enabled: needed with monitor.ingress"}},
		{"a page that nobody may reach", "{items: [a], monitor: {ingress: {enabled: true, host: h}, podMonitor: {enabled: true}}}",
			[]string{"monitor.clients: needed with monitor.ingress, monitor.podMonitor", "kubernetes.io/metadata.name"}},
		{"a monitor that KEDA may not reach", "{queue: {seal: false}, worker: {kind: Deployment, keda: {enabled: true}}}", []string{"monitor.clients: needed with worker.keda"}},

		{"a Deployment with an end", "{items: [a], worker: {kind: Deployment}}", []string{"queue.seal: a Deployment works on a queue without an end", "set queue.seal=false"}},
		{"a suspended Deployment", "{queue: {seal: false}, worker: {kind: Deployment, suspend: true}}", []string{"worker.suspend: is for a Job"}},
		{"KEDA with a Job", "{items: [a], worker: {keda: {enabled: true}}}", []string{"worker.keda: scales a Deployment"}},

		{"an autoscaler with a Job", "{items: [a], worker: {autoscaling: {enabled: true}}}", []string{"worker.autoscaling: scales a Deployment"}},
		{"an autoscaler with KEDA", "{queue: {seal: false}, worker: {kind: Deployment, autoscaling: {enabled: true}, keda: {enabled: true}}}", []string{"worker.autoscaling: contradicts worker.keda"}},
		{"an autoscaler without a measure", "{queue: {seal: false}, worker: {kind: Deployment, autoscaling: {enabled: true}}}", []string{"worker.resources.requests.cpu: needed with worker.autoscaling"}},
		{"an autoscaler by nothing", "{queue: {seal: false}, worker: {kind: Deployment, autoscaling: {enabled: true, metrics: []}}}", []string{"worker.autoscaling.metrics: the list is empty"}},
		{"an autoscaler between 5 and 2", "{queue: {seal: false}, worker: {kind: Deployment, autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}}}", []string{"worker.autoscaling.minReplicas: 5 is more than"}},
		{"metrics that are not served", "{items: [a], worker: {metrics: {podMonitor: {enabled: true}}}}", []string{"worker.metrics.enabled: needed with worker.metrics.podMonitor"}},
		{"an image volume in a Kubernetes without", "{items: [a], worker: {inject: image}}", []string{"worker.inject: an image as a volume needs Kubernetes 1.35, and this is v1.34", "set it to init"}},
		{"an unknown injection", "{items: [a], worker: {inject: sidecar}}", []string{"'/worker/inject'", "'init', 'image'"}},

		{"a key of other charts", "{items: [a], replicaCount: 3}", []string{"'/replicaCount'", "'given as worker.parallelism'"}},
		{"a key of pods", "{items: [a], worker: {env: [{name: a, value: b}]}}", []string{"'/worker/env'", "'given as worker.extraEnv'"}},
		{"a misspelt key", "{items: [a], item: [b]}", []string{"'/item'", "'given as items'"}},
		{"a misspelt key of worker", "{items: [a], worker: {paralelism: 2}}", []string{"'/worker/paralelism'", "'given as worker.parallelism'"}},
		{"a misspelt key of an object", "{items: [a], Redis: {imagee: {}}}", []string{"'/Redis'", "'given as redis'"}},
		{"a letter too many", "{items: [a], itemsFrom: {ranges: {start: 1, end: 2}}}", []string{"'/itemsFrom/ranges'", "'given as itemsFrom.range'"}},
		{"nothing for an object", "{items: [a], worker: null}", []string{"missing property 'worker'"}},
		{"nothing for an object within", "{items: [a], redis: {external: null}}", []string{"'/redis'", "missing property 'external'"}},
		{"an unknown key", "{items: [a], worker: {colour: red}}", []string{"'/worker'", "'colour' not allowed"}},
		{"a misspelt key of resources", "{items: [a], worker: {resources: {limit: {}}}}", []string{"'/worker/resources'", "'limit' not allowed"}},
		{"a misspelt key of a toleration", "{items: [a], worker: {tolerations: [{keyy: spot}]}}", []string{"'/worker/tolerations/0'", "'keyy' not allowed"}},
		{"a misspelt key of a security context", "{items: [a], redis: {podSecurityContext: {fsGroups: 1}}}", []string{"'/redis/podSecurityContext'", "'fsGroups' not allowed"}},
		{"a variable that is a number", "{items: [a], worker: {extraEnv: [{name: b, value: 5}]}}", []string{"'/worker/extraEnv/0/value'", "want string"}},
		{"parallelism", "{items: [a], worker: {parallelism: -1}}", []string{"'/worker/parallelism'", "want 0"}},
		{"an indexed Deployment", "{queue: {seal: false}, worker: {kind: Deployment, indexed: true}}", []string{"worker.indexed: is for a Job"}},
		{"an indexed Job that may lose a million pods", "{items: [a], worker: {indexed: true, backoffLimit: 1000000}}", []string{"worker.backoffLimit: 1000000 is more than", "set a lower one"}},
		{"concurrency", "{items: [a], worker: {concurrency: 0}}", []string{"'/worker/concurrency'", "want 1"}},
		{"a lease without a unit", `{items: [a], worker: {lease: "30"}}`, []string{"'/worker/lease'", "does not match"}},
		{"a grace too short", "{items: [a], worker: {terminationGracePeriodSeconds: 5}}", []string{"'/worker/terminationGracePeriodSeconds'", "want 10"}},
		{"an exit code that is success", "{items: [a], worker: {deadExitCodes: [0]}}", []string{"'/worker/deadExitCodes/0'"}},
		{"a log format", "{items: [a], worker: {logFormat: xml}}", []string{"'/worker/logFormat'", "'text', 'json'"}},
		{"a queue with braces", "{items: [a], queue: {name: '{a}'}}", []string{"'/queue/name'"}},
		{"a digest without its kind", "{items: [a], image: {digest: abc}}", []string{"'/image/digest'"}},
		{"Redis without a tag", "{items: [a], redis: {image: {tag: ''}}}", []string{"'/redis/image/tag'"}},
		{"a label that is a number", "{items: [a], commonLabels: {a: 1}}", []string{"'/commonLabels/a'", "want string"}},
		{"a pull secret by its bare name", "{items: [a], imagePullSecrets: [b]}", []string{"'/imagePullSecrets/0'", "want object"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := release{values: test.values}.render(t)
			if err == nil {
				t.Fatalf("rendered:\n%s", out)
			}
			for _, password := range []string{"me:secret", "sec/ret"} {
				if strings.Contains(err.Error(), password) {
					t.Errorf("the message shows a password:\n%v", err)
				}
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

// Values that would silently do the wrong thing are refused even without the schema.
func TestWrongItemsAreRefusedWithoutTheSchema(t *testing.T) {
	t.Parallel()
	for item, want := range map[string]string{
		"null":   "items[3] is null",
		"no":     "items[3] is a boolean (false); quote it",
		"[pear]": "items[3] is a list",
	} {
		t.Run(item, func(t *testing.T) {
			values := fmt.Sprintf("items: [apple, 1, {a: b}, %s]", item)
			out, err := release{values: values, skipSchema: true}.render(t)
			if err == nil {
				t.Fatalf("rendered:\n%s", out)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the message lacks %q:\n%v", want, err)
			}
		})
	}
}
