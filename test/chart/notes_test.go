package chart

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// notes is what a person reads after an install.
func (r release) notes(t *testing.T) string {
	t.Helper()
	rendered, err := r.install(t)
	if err != nil {
		t.Fatal(err)
	}
	if rendered.Notes == "" {
		t.Fatal("no notes")
	}
	return rendered.Notes
}

// commands are the lines of the notes that a person pastes.
func commands(notes string) []string {
	var all []string
	for line := range strings.Lines(notes) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

func TestTheNotesHaveTheNextCommands(t *testing.T) {
	t.Parallel()
	const describe = "kubectl -n somewhere describe job,pod -l app.kubernetes.io/instance=demo,app.kubernetes.io/component=worker"
	for name, test := range map[string]struct {
		values, first string
		commands      []string
	}{
		"a Job": {
			"items: [apple, pear]", "2 items in the queue QUEUE, for 2 pods of the Job JOB.",
			[]string{
				"helm test demo -n somewhere --logs",
				"kubectl -n somewhere port-forward deploy/demo-monitor 8080",
				"kubectl -n somewhere exec -it deploy/demo-monitor -- worker watch",
				describe,
				"helm uninstall demo -n somewhere",
			},
		},
		"an open queue": {
			"{items: [apple], worker: {parallelism: 1}, queue: {name: job2, seal: false}}", "1 item in the queue job2, for 1 pod of the Job JOB.",
			[]string{
				"kubectl -n somewhere exec -i deploy/demo-monitor -- worker push < items.txt",
				"kubectl -n somewhere exec deploy/demo-monitor -- worker seal",
				"helm test demo -n somewhere --logs",
				"kubectl -n somewhere port-forward deploy/demo-monitor 8080",
				"kubectl -n somewhere exec -it deploy/demo-monitor -- worker watch",
				describe,
				"helm uninstall demo -n somewhere",
			},
		},
		"a Deployment": {
			"{items: [apple], queue: {seal: false}, worker: {kind: Deployment}}", "1 item in the queue demo, for 2 pods of the Deployment demo-worker.",
			[]string{
				"kubectl -n somewhere exec -i deploy/demo-monitor -- worker push < items.txt",
				"kubectl -n somewhere port-forward deploy/demo-monitor 8080",
				"kubectl -n somewhere exec -it deploy/demo-monitor -- worker watch",
				strings.Replace(describe, "job,", "replicaset,", 1),
				"helm uninstall demo -n somewhere",
			},
		},
		"a schedule": {
			"{items: [apple, pear], schedule: '0 3 * * *'}", `2 items on the schedule "0 3 * * *", for 2 pods of the CronJob demo.`,
			[]string{
				"kubectl -n somewhere create job --from=cronjob/demo demo-now",
				"helm test demo -n somewhere --logs",
				"kubectl -n somewhere port-forward deploy/demo-monitor 8080",
				"kubectl -n somewhere exec -it deploy/demo-monitor -- worker watch",
				strings.Replace(describe, "job,", "cronjob,job,", 1),
				"helm uninstall demo -n somewhere",
			},
		},
		"no monitor": {
			"{items: [apple], monitor: {enabled: false}}", "1 item in the queue QUEUE, for 1 pod of the Job JOB.",
			[]string{
				"helm test demo -n somewhere --logs",
				"kubectl -n somewhere exec -it job/JOB -- worker watch",
				describe,
				"helm uninstall demo -n somewhere",
			},
		},
		"no monitor, your image": {
			"{itemsFrom: {range: {start: 1, end: 9}, configMap: {name: list}}, worker: {image: b, command: [c]}, monitor: {enabled: false}}",
			"The items of the ConfigMap list, a range in the queue QUEUE, for 2 pods of the Job JOB.",
			[]string{
				"helm test demo -n somewhere --logs",
				"kubectl -n somewhere exec -it job/JOB -- /workqueue/worker watch",
				describe,
				"helm uninstall demo -n somewhere",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := release{values: test.values}
			all, notes := r.objects(t), r.notes(t)
			names := strings.NewReplacer()
			if !strings.Contains(test.values, "Deployment") && !strings.Contains(test.values, "schedule") {
				names = strings.NewReplacer("QUEUE", queueName(t, all), "JOB", workerJob(t, all).Name)
			}
			if first, _, _ := strings.Cut(notes, "\n"); first != names.Replace(test.first) {
				t.Errorf("the notes begin with %q, want %q", first, names.Replace(test.first))
			}
			var want []string
			for _, command := range test.commands {
				want = append(want, names.Replace(command))
			}
			if got := commands(notes); !reflect.DeepEqual(got, want) {
				t.Errorf("the notes have the commands\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestTheNotesSayThatNoVolumeHoldsTheQueue, where the chart's own Redis has none.
func TestTheNotesSayThatNoVolumeHoldsTheQueue(t *testing.T) {
	t.Parallel()
	for redis, want := range map[string]bool{"{}": true, "{persistence: {enabled: true}}": false, "{external: {url: 'redis://host'}}": false} {
		notes := release{values: "{items: [a], redis: " + redis + "}"}.notes(t)
		if got := strings.Contains(notes, "The queue is on no volume"); got != want {
			t.Errorf("with redis: %s the notes say so: %v, want %v", redis, got, want)
		}
	}
}

// TestVerbsRunInTheMonitor: its pod reaches Redis as the others do, and has each variable that a verb reads there.
func TestVerbsRunInTheMonitor(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]string{
		"own Redis":      "items: [a]",
		"own, with ACL":  "{items: [a], redis: {acl: {enabled: true}}}",
		"without hooks":  "{items: [a], hooks: {enabled: false}, test: {enabled: true}}",
		"nul in lists":   "{items: [a], itemsFrom: {delimiter: nul, range: {start: 1, end: 2}}, worker: {maxDead: 3}, test: {timeout: 1h}}",
		"shared, by TLS": "{items: [a], redis: {existingSecret: {name: mine}, external: {url: 'rediss://host:1/0', username: me, tls: {existingSecret: certs}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			all := release{values: values}.objects(t)
			monitor, test := find[*appsv1.Deployment](t, all, "monitor").Spec.Template.Spec, testPod(t, all).Spec
			has := map[string]corev1.EnvVar{}
			for _, e := range monitor.Containers[0].Env {
				has[e.Name] = e
			}
			for _, want := range test.Containers[0].Env {
				if want.Name == "WQ_SEED_TIMEOUT" { // or an upgrade to hooks.enabled=false would replace the pod
					continue
				}
				if got := has[want.Name]; !reflect.DeepEqual(got, want) {
					t.Errorf("the test has %v, the monitor %v", want, got)
				}
			}
			seed := seedJob(t, all).Spec.Template.Spec
			if want, ok := lookupEnv(seed, "WQ_DELIMITER"); ok && has["WQ_DELIMITER"].Value != want {
				t.Errorf("lists end items with %q, and what is pushed with %q", want, has["WQ_DELIMITER"].Value)
			}
			if !reflect.DeepEqual(monitor.Volumes, test.Volumes) {
				t.Errorf("the monitor has the volumes %v, the test %v", monitor.Volumes, test.Volumes)
			}
		})
	}
}

func TestTheNotesNameTheFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"lines": "Add items, one a line, and close", "csv": "Add items as csv, and close"} {
		if notes := (release{values: "{queue: {seal: false}, itemsFrom: {format: " + format + "}}"}).notes(t); !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
}
