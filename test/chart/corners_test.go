package chart

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// Every name that Helm accepts for a release makes names that Kubernetes accepts.
func TestNamesAreValidWhateverTheReleaseIsCalled(t *testing.T) {
	t.Parallel()
	label := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`) // what a Service needs, which is the strictest
	for _, name := range []string{"1", "9-lives", "2026.11", "1.2.3", "a.b-c", strings.Repeat("7", 53), strings.Repeat("a.", 26) + "z"} {
		t.Run(name, func(t *testing.T) {
			for _, o := range (release{name: name, values: "{items: [a]}"}).objects(t) {
				if len(o.GetName()) > 63 || !label.MatchString(o.GetName()) {
					t.Errorf("%s is no name that every kind may have", id(o))
				}
			}
		})
	}
}

// Two aliases of the chart in one parent have nothing in common; a release of the chart alone has short names.
func TestTwoAliasesOfTheChart(t *testing.T) {
	parent := t.TempDir()
	for path, text := range map[string]string{
		"Chart.yaml": `{apiVersion: v2, name: parent, version: 1.0.0, dependencies: [
			{name: workqueue, version: 0.1.0, alias: images}, {name: workqueue, version: 0.1.0, alias: demo}]}`,
		"values.yaml": "{global: {storageClass: theirs}, images: {items: [a], worker: {printItems: true}}, demo: {items: [a], worker: {printItems: true}}}",
	} {
		if err := os.WriteFile(filepath.Join(parent, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(parent, "charts", "workqueue"), os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	for _, major := range []string{"helm3", "helm4"} {
		t.Run(major, func(t *testing.T) {
			useHelm(t, major)
			out, err := exec.CommandContext(t.Context(), "helm", "template", "demo", parent, "--kube-version", kubeVersion).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			seen := map[string]bool{}
			for document := range strings.SplitSeq(string(out), "\n---\n") {
				kind := regexp.MustCompile(`(?m)^kind: (.*)$`).FindString(document)
				name := regexp.MustCompile(`(?m)^  name: (.*)$`).FindString(document)
				if kind == "" {
					continue
				}
				key := kind + name + regexp.MustCompile(`helm.sh/hook: .*`).FindString(document)
				if seen[key] {
					t.Errorf("both aliases make %q", key)
				}
				seen[key] = true
				if !strings.HasPrefix(name, "  name: demo-images") && !strings.HasPrefix(name, "  name: demo-demo") {
					t.Errorf("%q has not the alias in its name", key)
				}
			}
			if len(seen) < 20 {
				t.Errorf("found %d objects, want those of two releases", len(seen))
			}
		})
	}
}

// No pod of the chart asks for a user if the values do not: OpenShift assigns one.
func TestNoPodAsksForAUser(t *testing.T) {
	t.Parallel()
	const none = "podSecurityContext: {runAsUser: null, runAsGroup: null}"
	all := release{values: "{items: [a], itemsFrom: {command: [c]}, worker: {image: b, command: [c], " + none + "}, system: {" + none + "}, redis: {" + none +
		", password: p}}"}.objects(t)
	for _, o := range all {
		if p := pod(o); p != nil {
			if c := p.Spec.SecurityContext; c.RunAsUser != nil || c.RunAsGroup != nil {
				t.Errorf("%s asks for the user %v and the group %v", id(o), c.RunAsUser, c.RunAsGroup)
			}
		}
	}
}

// Scheduling and security are set separately for the workers, for Redis, and for the chart's other pods.
func TestOptionsOfEveryPod(t *testing.T) {
	t.Parallel()
	options := func(of string) string {
		return of + `: {nodeSelector: {for: ` + of + `}, runtimeClassName: ` + of + `, schedulerName: ` + of + `, priorityClassName: ` + of +
			`, podLabels: {for: ` + of + `}, podAnnotations: {for: ` + of + `}, tolerations: [{key: ` + of + `, operator: Exists}]}`
	}
	all := release{values: "items: [a]\n" + options("worker") + "\n" + options("redis") + "\n" + options("system")}.objects(t)
	pods := 0
	for _, o := range all.live() {
		p := pod(o)
		if p == nil {
			continue
		}
		pods++
		want := component(o)
		if want != "worker" && want != "redis" {
			want = "system"
		}
		runtime := ""
		if p.Spec.RuntimeClassName != nil {
			runtime = *p.Spec.RuntimeClassName
		}
		got := []string{p.Spec.NodeSelector["for"], runtime, p.Spec.SchedulerName, p.Spec.PriorityClassName, p.Labels["for"], p.Annotations["for"]}
		if slices.ContainsFunc(got, func(value string) bool { return value != want }) || len(p.Spec.Tolerations) != 1 || p.Spec.Tolerations[0].Key != want {
			t.Errorf("%s has %q and tolerates %v, want all of %s", id(o), got, p.Spec.Tolerations, want)
		}
	}
	if pods != 5 {
		t.Errorf("found %d pods, want those of Redis, seed, worker, monitor and test, and no more: update this test", pods)
	}
}

func TestContainersBesideTheWorker(t *testing.T) {
	t.Parallel()
	spec := workerJob(t, release{values: `
items: [a]
worker:
  image: b
  command: [c]
  hostAliases: [{ip: 10.0.0.1, hostnames: [db]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [10.0.0.2]}
  lifecycle: {preStop: {sleep: {seconds: 1}}}
  initContainers: [{name: model, image: m}]
  sidecars: [{name: proxy, image: p, restartPolicy: Always}]`}.objects(t)).Spec.Template.Spec
	var names []string
	for _, c := range spec.InitContainers {
		names = append(names, c.Name)
	}
	if want := []string{"install", "proxy", "model"}; !slices.Equal(names, want) {
		t.Errorf("the init containers are %q, want %q: a sidecar may be what an init container needs", names, want)
	}
	if restart := spec.InitContainers[1].RestartPolicy; restart == nil || *restart != corev1.ContainerRestartPolicyAlways || len(spec.Containers) != 1 {
		t.Errorf("the sidecar restarts %v, and there are %d containers: the Job would not end", restart, len(spec.Containers))
	}
	if len(spec.HostAliases) != 1 || spec.DNSPolicy != corev1.DNSNone || spec.DNSConfig == nil || spec.Containers[0].Lifecycle == nil {
		t.Errorf("the pod has %v, %v, %v, and the worker %v", spec.HostAliases, spec.DNSPolicy, spec.DNSConfig, spec.Containers[0].Lifecycle)
	}
}

func TestGlobalValues(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
global: {imageRegistry: mirror.example:5000, imagePullSecrets: [{name: mirror}, {name: own}]}
imagePullSecrets: [{name: own}]
worker: {image: docker.io/library/busybox, command: [c]}`}.objects(t)
	images := map[string]bool{}
	for _, o := range all.live() {
		p := pod(o)
		if p == nil {
			continue
		}
		if got := p.Spec.ImagePullSecrets; len(got) != 2 || got[0].Name != "mirror" || got[1].Name != "own" {
			t.Errorf("%s pulls with %v", id(o), got)
		}
		for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
			images[c.Image] = true
		}
	}
	want := []string{"docker.io/library/busybox", "mirror.example:5000/library/redis:7.2-alpine", "mirror.example:5000/workqueue/workqueue-worker:0.1.0"}
	if got := slices.Sorted(maps.Keys(images)); !slices.Equal(got, want) {
		t.Errorf("the images are %q, want %q: yours is used as it is", got, want)
	}
}

func TestWhenARunStopsEarly(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{"maxDead: 500": "", "stopAfterDead: 0": "0", "maxDead: 5, stopAfterDead: 6": "6", "maxDead: 5%, stopAfterDead: 5%": "5%"} {
		got, _ := lookupEnv(workerJob(t, release{values: "{items: [a], worker: {" + values + "}}"}.objects(t)).Spec.Template.Spec, "WQ_STOP_AFTER_DEAD")
		if got != want {
			t.Errorf("%s: WQ_STOP_AFTER_DEAD is %q, want %q", values, got, want)
		}
	}
}

// What would collide with a part of the chart is refused before anything is installed.
func TestCollisionsAreRefused(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"worker: {image: b, command: [c], extraVolumes: [{name: workqueue, emptyDir: {}}]}":                                          "worker.extraVolumes: the pod has a volume workqueue already",
		"worker: {image: b, command: [c], extraVolumes: [{name: tmp, emptyDir: {}}]}":                                                "worker.extraVolumes: the pod has a volume tmp already",
		"worker: {extraVolumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]}":                                                 "worker.extraVolumes: the pod has a volume a already",
		"worker: {extraVolumeMounts: [{name: a, mountPath: /a}]}":                                                                    "worker.extraVolumeMounts: there is no volume a",
		"worker: {image: b, command: [c], extraVolumes: [{name: a}], extraVolumeMounts: [{name: a, mountPath: /workqueue/}]}":        "something is mounted at /workqueue/ already",
		"worker: {extraEnv: [{name: WQ_LEASE, value: 1s}]}":                                                                          "worker.extraEnv: WQ_LEASE is set by another value",
		"worker: {extraEnv: [{name: A, value: a}, {name: A, value: b}]}":                                                             "worker.extraEnv: A is there twice",
		"seed: {extraEnv: [{name: WQ_SEED_ID, value: a}]}":                                                                           "seed.extraEnv: WQ_SEED_ID is set by another value",
		"seed: {extraEnv: [{name: WQ_REDIS_PASSWORD, value: a}]}":                                                                    "seed.extraEnv: WQ_REDIS_PASSWORD is set by another value",
		"worker: {podLabels: {job-name: mine}}":                                                                                      "worker.podLabels: the label job-name is set by this chart",
		"commonLabels: {app.kubernetes.io/component: mine}":                                                                          "commonLabels: the label app.kubernetes.io/component",
		"worker: {initContainers: [{name: worker, image: a}]}":                                                                       "worker.initContainers: the pod has a container worker already",
		"worker: {sidecars: [{name: a, image: b}]}":                                                                                  "worker.sidecars: a needs `restartPolicy: Always`",
		"worker: {initContainers: [{name: a, image: b}, {name: a, image: b}]}":                                                       "worker.initContainers: the pod has a container a already",
		"worker: {sidecars: [{name: a, image: b, restartPolicy: Always, volumeMounts: [{name: v, mountPath: /v}]}]}":                 "worker.sidecars: there is no volume v for a to mount",
		"worker: {metrics: {enabled: true}, sidecars: [{name: a, image: b, restartPolicy: Always, ports: [{containerPort: 9090}]}]}": "worker.sidecars: a port of a is that of worker.metrics",
		"worker: {maxDead: 500, stopAfterDead: 100}":                                                                                 "worker.stopAfterDead: 100 is not above worker.maxDead, 500",
		"worker: {maxDead: 5, stopAfterDead: 5}":                                                                                     "worker.stopAfterDead: 5 is not above worker.maxDead, 5",
		"worker: {maxDead: 5%, stopAfterDead: 4%}":                                                                                   "worker.stopAfterDead: 4% is not above worker.maxDead, 5%",
		"global: {storageClass: fast}":                                                                                               "global.storageClass: this chart reads global.imageRegistry and global.imagePullSecrets alone",
	} {
		t.Run(values, func(t *testing.T) {
			out, err := release{values: "items: [a]\n" + values}.render(t)
			if err == nil {
				t.Fatalf("rendered:\n%s", out)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the message lacks %q:\n%v", want, err)
			}
		})
	}
}

// A list of items that is large is more than a client-side apply, Argo CD's default, can keep in an annotation.
func TestItemsAreAppliedByTheServer(t *testing.T) {
	t.Parallel()
	for _, hooks := range []string{"true", "false"} {
		items := find[*corev1.ConfigMap](t, release{values: "{items: [a], hooks: {enabled: " + hooks + "}}"}.objects(t), "seed")
		if got := items.Annotations["argocd.argoproj.io/sync-options"]; got != "ServerSideApply=true" {
			t.Errorf("with hooks %s, the sync options are %q", hooks, got)
		}
	}
}

// Your program's user has no home in its image, unless the image chose the user.
func TestHome(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"{}":                                    "/tmp",
		"{extraEnv: [{name: HOME, value: /h}]}": "/h",
		"{podSecurityContext: {runAsUser: null, runAsGroup: null}}": "",
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "{itemsFrom: {image: b, command: [c]}, worker: " + values + "}"}.objects(t)
			if got, _ := lookupEnv(workerJob(t, all).Spec.Template.Spec, "HOME"); got != want {
				t.Errorf("the workers have HOME=%q, want %q", got, want)
			}
			if got, _ := lookupEnv(seedJob(t, all).Spec.Template.Spec, "HOME"); want != "/h" && got != want {
				t.Errorf("the program that lists items has HOME=%q, want %q", got, want)
			}
		})
	}
}

func TestUnusualItemsArrive(t *testing.T) {
	t.Parallel()
	items := find[*corev1.ConfigMap](t, release{values: `items: ["", "a\0b\x7f\N\ufffe", "$(HOME)", 0x10]`}.objects(t), "seed")
	if got, want := items.Data["items.json"], `["","a\u0000b\u007f\u0085\ufffe","$(HOME)",16]`; got != want {
		t.Errorf("items.json is %s, want %s", got, want)
	}
}

func TestNoMorePodsThanItems(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]int32{
		"{items: [a, b], worker: {parallelism: 7}}":                                      2,
		"{items: [a, b, c], worker: {parallelism: 2}}":                                   2,
		"{items: [a], worker: {parallelism: 0}}":                                         0,
		"{items: [a], worker: {parallelism: 7}, queue: {seal: false}}":                   7,
		"{items: [a], worker: {parallelism: 7}, itemsFrom: {range: {start: 1, end: 9}}}": 7,
		"{items: [a, b], worker: {parallelism: 7, indexed: true}}":                       2,
	} {
		if got := workerJob(t, release{values: values}.objects(t)).Spec.Parallelism; got == nil || *got != want {
			t.Errorf("%s: parallelism is %v, want %d", values, *got, want)
		}
	}
}

func TestTheMonitorIsOpenedToBrowsers(t *testing.T) {
	t.Parallel()
	all := release{values: `
items: [a]
monitor:
  clients: [{namespaceSelector: {}}]
  service: {port: 8888}
  ingress: {enabled: true, className: nginx, host: queue.example.org, tlsSecret: certificate, annotations: {a: b}}
  httpRoute: {enabled: true, parentRefs: [{name: web, namespace: gateways}], hostnames: [queue.example.org]}`}.objects(t)
	service := find[*corev1.Service](t, all, "monitor")
	ingress := find[*networkingv1.Ingress](t, all, "monitor")
	backend := ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	if ingress.Spec.Rules[0].Host != "queue.example.org" || *ingress.Spec.IngressClassName != "nginx" || backend.Name != service.Name || backend.Port.Name != service.Spec.Ports[0].Name {
		t.Errorf("the Ingress is %v", ingress.Spec)
	}
	if tls := ingress.Spec.TLS; len(tls) != 1 || tls[0].SecretName != "certificate" || tls[0].Hosts[0] != "queue.example.org" {
		t.Errorf("the Ingress has the certificates %v", tls)
	}
	route, err := json.Marshal(all[slices.IndexFunc(all, func(o object) bool { return kind(o) == "HTTPRoute" })])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"parentRefs":[{"name":"web","namespace":"gateways"}]`, `"hostnames":["queue.example.org"]`, `"backendRefs":[{"name":"demo-monitor","port":8888}]`} {
		if !strings.Contains(string(route), want) {
			t.Errorf("the HTTPRoute lacks %s: %s", want, route)
		}
	}
}

func TestTheBudgetOfRedis(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [a], redis: {podDisruptionBudget: {enabled: true}}}"}.objects(t)
	budget := find[*policyv1.PodDisruptionBudget](t, all, "redis").Spec
	if budget.MaxUnavailable.IntValue() != 0 || !selects(t, budget.Selector, redis(t, all)) {
		t.Errorf("the budget is %v", budget)
	}
}

func TestObjectsOfYourOwn(t *testing.T) {
	t.Parallel()
	all := release{values: "{items: [a], extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}, data: {a: '{{ b }}'}}]}"}.objects(t)
	i := slices.IndexFunc(all, func(o object) bool { return o.GetName() == "mine" })
	if i < 0 || all[i].(*corev1.ConfigMap).Data["a"] != "{{ b }}" {
		t.Errorf("your object is not there as written, but at %d", i)
	}
}
