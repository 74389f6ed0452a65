package chart

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

func cronJob(t *testing.T, all objects) *batchv1.CronJob {
	return find[*batchv1.CronJob](t, all, "worker")
}

// With a schedule there is a CronJob in place of the worker Job and the seed Job. What it starts is the worker Job, which seeds by itself.
func TestASchedule(t *testing.T) {
	t.Parallel()
	const values = "items: [a, b], worker: {parallelism: 5, maxDead: 1, activeDeadlineSeconds: 60, labels: {queue: batch}, annotations: {note: x}}"
	all := release{values: "{" + values + ", schedule: '0 3 * * *', cronJob: {timeZone: Europe/Berlin, startingDeadlineSeconds: 60, failedJobsHistoryLimit: 0}}"}.objects(t)
	cron, once := cronJob(t, all), workerJob(t, release{values: "{" + values + "}"}.objects(t))
	for _, o := range all.live() {
		if _, is := o.(*batchv1.Job); is {
			t.Errorf("there is %s", id(o))
		}
		if c := component(o); c == "seed" && o.GetAnnotations()["helm.sh/hook"] != "" {
			t.Errorf("%s is a hook: it would be deleted before a run needs it", id(o))
		}
	}
	s := cron.Spec
	if s.Schedule != "0 3 * * *" || s.TimeZone == nil || *s.TimeZone != "Europe/Berlin" || s.ConcurrencyPolicy != batchv1.ForbidConcurrent ||
		s.StartingDeadlineSeconds == nil || *s.StartingDeadlineSeconds != 60 || s.Suspend == nil || *s.Suspend ||
		*s.SuccessfulJobsHistoryLimit != 3 || *s.FailedJobsHistoryLimit != 0 {
		t.Errorf("the CronJob is %+v", s)
	}
	if s := cronJob(t, release{values: "{items: [a], schedule: '@daily'}"}.objects(t)).Spec; s.TimeZone != nil || s.StartingDeadlineSeconds != nil {
		t.Errorf("time zone %v, deadline %v, though none is set", s.TimeZone, s.StartingDeadlineSeconds)
	}
	job := s.JobTemplate
	if job.Labels["queue"] != "batch" || job.Annotations["note"] != "x" {
		t.Errorf("a run's Job has the labels %v, the annotations %v", job.Labels, job.Annotations)
	}
	if job.Spec.Selector != nil || job.Spec.ManualSelector != nil {
		t.Error("all runs would have the same pods")
	}
	if *job.Spec.Parallelism != 2 || *job.Spec.BackoffLimit != *once.Spec.BackoffLimit || *job.Spec.ActiveDeadlineSeconds != 60 {
		t.Errorf("a run's Job is %+v", job.Spec)
	}
	var fails []string
	for _, rule := range job.Spec.PodFailurePolicy.Rules {
		if rule.Action == batchv1.PodFailurePolicyActionFailJob {
			fails = append(fails, *rule.OnExitCodes.ContainerName)
		}
	}
	if !slices.Equal(fails, []string{"seed", "worker"}) {
		t.Errorf("the Job fails at once by exit codes of %v; a list that is wrong would be read again and again", fails)
	}
	if got := job.Spec.Template.Annotations["workqueue/seed-timeout"]; got != "10s" {
		t.Errorf("the workers wait %s for a queue that their own pod has seeded", got)
	}
}

// The pods of a run say which run it is, and the others that it is any of them.
func TestTheQueuesOfASchedule(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [a], schedule: '@daily', " + sharedRedis + "}"}.objects(t)
	for _, o := range all.live() {
		p := pod(o)
		if p == nil || component(o) == "redis" {
			continue
		}
		for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			fields := map[string]string{}
			for _, e := range c.Env {
				fields[e.Name] = e.Value
				if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
					fields[e.Name] = e.ValueFrom.FieldRef.FieldPath
				}
			}
			if got := fields["WQ_QUEUE"]; got != "somewhere/demo:*" {
				t.Errorf("%s, container %s: the queue is %q", id(o), c.Name, got)
			}
			job, uid := "", ""
			if component(o) == "worker" {
				job, uid = "metadata.labels['batch.kubernetes.io/job-name']", "metadata.labels['batch.kubernetes.io/controller-uid']"
			}
			if fields["WQ_JOB"] != job || fields["WQ_JOB_UID"] != uid {
				t.Errorf("%s, container %s: the Job is %q, its UID %q", id(o), c.Name, fields["WQ_JOB"], fields["WQ_JOB_UID"])
			}
		}
	}
}

// The worker pods of a schedule have what the pod of the seed Job has: volumes, variables, your image, and the worker in it.
func TestTheWorkersOfAScheduleSeed(t *testing.T) {
	t.Parallel()
	const yours = "worker: {image: mine, command: [work], initContainers: [{name: model, image: b}]}"
	for name, test := range map[string]struct {
		values string
		init   []string // containers before the worker
		volume []string // of the pod
	}{
		"a list":             {"items: [a]", []string{"seed"}, []string{"items"}},
		"a list, your image": {"items: [a], " + yours, []string{"install", "model", "seed"}, []string{"workqueue", "tmp", "items"}},
		"volumes": {
			"itemsFrom: {configMap: {name: c}, secret: {name: s}, volume: {persistentVolumeClaim: {claimName: lists}}}",
			[]string{"seed"}, []string{"items", "configmap", "secret", "volume"},
		},
		"a program": {"itemsFrom: {image: tools, command: [list]}", []string{"install", "seed"}, []string{"items", "workqueue", "tmp"}},
		"a program and your image": {
			"itemsFrom: {command: [list]}, seed: {extraEnv: [{name: BUCKET, value: b}], extraEnvFrom: [{secretRef: {name: keys}}]}, " + yours,
			[]string{"install", "model", "seed"}, []string{"workqueue", "tmp", "items"},
		},
		"a program, injected as a volume": {
			"itemsFrom: {image: tools, command: [list]}, worker: {inject: image}", []string{"seed"}, []string{"items", "workqueue", "tmp"},
		},
		"TLS": {
			"items: [a], redis: {external: {url: 'rediss://host:1/0', tls: {existingSecret: certs}}}", []string{"seed"}, []string{"redis-tls", "items"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := release{values: "{" + test.values + "}", kube: "1.35.0"}
			seedPod := seedJob(t, r.objects(t)).Spec.Template.Spec
			r.values = "{" + test.values + ", schedule: '@daily'}"
			spec := cronJob(t, r.objects(t)).Spec.JobTemplate.Spec.Template.Spec
			var init, volumes []string
			for _, c := range spec.InitContainers {
				init = append(init, c.Name)
			}
			for _, v := range spec.Volumes {
				volumes = append(volumes, v.Name)
			}
			if !slices.Equal(init, test.init) || !slices.Equal(volumes, test.volume) {
				t.Fatalf("before the worker run %v, with the volumes %v", init, volumes)
			}
			is, want := spec.InitContainers[len(init)-1], seedPod.Containers[0]
			is.Env = slices.DeleteFunc(is.Env, func(e corev1.EnvVar) bool { return strings.HasPrefix(e.Name, "WQ_JOB") })
			for _, env := range [][]corev1.EnvVar{is.Env, want.Env} {
				for i := range env {
					if env[i].Name == "WQ_QUEUE" {
						env[i].Value = ""
					}
				}
			}
			if !reflect.DeepEqual(is, want) {
				t.Errorf("the container that seeds is\n%+v\nand the seed Job's\n%+v", is, want)
			}
			for _, v := range want.VolumeMounts {
				if !slices.Contains(volumes, v.Name) {
					t.Errorf("%s is mounted, and no volume of the pod", v.Name)
				}
			}
			for _, v := range spec.Containers[0].VolumeMounts {
				if strings.HasPrefix(v.MountPath, "/items") || v.MountPath == "/etc/workqueue" {
					t.Errorf("the worker sees the list, at %s", v.MountPath)
				}
			}
		})
	}
}

// An upgrade takes the items of a run that goes on away with the ConfigMap. Its later pods have to start without.
func TestARunOutlivesItsItems(t *testing.T) {
	t.Parallel()
	spec := cronJob(t, release{values: "{items: [a], schedule: '@daily'}"}.objects(t)).Spec.JobTemplate.Spec.Template.Spec
	for _, v := range spec.Volumes {
		if v.Name == "items" && (v.ConfigMap.Optional == nil || !*v.ConfigMap.Optional) {
			t.Error("the ConfigMap is not optional")
		}
	}
}

// helm test waits for the first run as long as for its end.
func TestTheTestOfASchedule(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{"items: [a]": "10s", "{items: [a], schedule: '@daily'}": "0s"} {
		if got := env(t, testPod(t, release{values: values}.objects(t)).Spec, "WQ_SEED_TIMEOUT"); got != want {
			t.Errorf("%s: it waits %s for the queue, want %s", values, got, want)
		}
	}
}
