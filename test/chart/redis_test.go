package chart

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// secretEnv is the Secret and the key that a variable of a pod comes from.
func secretEnv(spec corev1.PodSpec, name string) string {
	for _, e := range spec.Containers[0].Env {
		if e.Name == name && e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			return e.ValueFrom.SecretKeyRef.Name + "/" + e.ValueFrom.SecretKeyRef.Key
		}
	}
	return ""
}

// workerPods are the pods that speak to Redis.
func workerPods(t *testing.T, all objects) map[string]corev1.PodSpec {
	t.Helper()
	return map[string]corev1.PodSpec{
		"worker": workerJob(t, all).Spec.Template.Spec,
		"seed":   seedJob(t, all).Spec.Template.Spec,
		"test":   testPod(t, all).Spec,
	}
}

func TestThePasswordIsInTheSecretAlone(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"password: sesame":                                                   "demo-redis/password",
		"existingSecret: {name: mine}":                                       "mine/password",
		"existingSecret: {name: mine, key: redis-password}":                  "mine/redis-password",
		"password: sesame, external: {url: 'rediss://host/0', username: me}": "demo-redis/password",
	} {
		for _, hooks := range []string{"true", "false"} {
			t.Run(values+" hooks "+hooks, func(t *testing.T) {
				r := release{values: "{items: [a], test: {enabled: true}, hooks: {enabled: " + hooks + "}, redis: {" + values + "}}"}
				all := r.objects(t)
				for name, spec := range workerPods(t, all) {
					if got := secretEnv(spec, "WQ_REDIS_PASSWORD"); got != want {
						t.Errorf("%s has its password from %q, want %q", name, got, want)
					}
				}
				rendered, err := r.render(t)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(values, "sesame") {
					if got := find[*corev1.Secret](t, all, "redis").StringData["password"]; got != "sesame" {
						t.Errorf("the Secret has %q", got)
					}
					if n := strings.Count(rendered, "sesame"); n != 1 {
						t.Errorf("the password is in %d places, want the Secret alone", n)
					}
				} else if strings.Contains(rendered, "kind: Secret") {
					t.Error("there is a Secret of the chart's own beside yours")
				}
				if strings.Contains(values, "external") {
					return
				}
				spec := redis(t, all).Spec.Template.Spec
				if got := secretEnv(spec, "REDISCLI_AUTH"); got != want {
					t.Errorf("Redis has its password from %q, want %q", got, want)
				}
				args := spec.Containers[0].Args
				if i := slices.Index(args, "--requirepass"); i < 0 || args[i+1] != "$(REDISCLI_AUTH)" {
					t.Errorf("Redis is started with %v, and asks for no password", args)
				}
			})
		}
	}
}

// A template cannot keep a password that it makes up. So only the install makes the Secret; what an upgrade renders is not used.
func TestAPasswordIsMadeUpAtTheInstall(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]bool{
		"{}":                                    true,
		"{generatePassword: true}":              true,
		"{generatePassword: false}":             false,
		"{}, hooks: {enabled: false}":           false,
		"{existingSecret: {name: mine}}":        false,
		"{external: {url: 'redis://host:1/0'}}": false,
	} {
		t.Run(values, func(t *testing.T) {
			r := release{values: "{items: [a], redis: " + values + "}"}
			secrets := func() (passwords []string) {
				r.again++
				for _, o := range r.objects(t).live() {
					if secret, ok := o.(*corev1.Secret); ok {
						passwords = append(passwords, secret.StringData["password"])
						if got := secret.Annotations["helm.sh/hook"]; got != "pre-install" {
							t.Errorf("the Secret is made at %q: an upgrade would make another", got)
						}
					}
				}
				return passwords
			}
			one := secrets()
			if !want {
				if len(one) != 0 {
					t.Error("there is a Secret")
				}
				return
			}
			if len(one) != 1 || len(one[0]) != 32 {
				t.Fatalf("the passwords are %q, want one of 32 characters", one)
			}
			if two := secrets(); two[0] == one[0] {
				t.Error("two releases have the same password")
			}
			was := workerJob(t, r.objects(t))
			r.again++
			is := workerJob(t, r.objects(t))
			if was.Name != is.Name {
				t.Errorf("the Job is %s, then %s: it must not depend on the password", was.Name, is.Name)
			}
		})
	}
}

func TestARedisThatIsThereAlready(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]map[string]string{
		"external: {url: 'redis://host:1/2'}": {"WQ_REDIS_URL": "redis://host:1/2"},
		"password: p, external: {url: 'redis://host', username: me, tls: {enabled: true, serverName: name, existingSecret: certs, clientCertificate: true}}": {
			"WQ_REDIS_USERNAME": "me", "WQ_REDIS_TLS": "true", "WQ_REDIS_TLS_SERVER_NAME": "name",
			"WQ_REDIS_TLS_CA": "/etc/redis-tls/ca.crt", "WQ_REDIS_TLS_CERT": "/etc/redis-tls/tls.crt", "WQ_REDIS_TLS_KEY": "/etc/redis-tls/tls.key",
		},
		"external: {addresses: ['a:1', 'b:2'], sentinel: {master: m}}": {"WQ_REDIS_ADDRS": "a:1,b:2", "WQ_REDIS_SENTINEL_MASTER": "m"},
		"external: {addresses: ['a:1'], cluster: true}":                {"WQ_REDIS_ADDRS": "a:1", "WQ_REDIS_CLUSTER": "true"},
	} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "{items: [a], redis: {" + values + "}}"}.objects(t)
			for name, spec := range workerPods(t, all) {
				for variable, value := range want {
					if got := env(t, spec, variable); got != value {
						t.Errorf("%s has %s=%q, want %q", name, variable, got, value)
					}
				}
				mounted := mountAt(spec.Containers[0], "/etc/redis-tls")
				if tls := strings.Contains(values, "certs"); tls != (mounted != "") || tls != slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
					return v.Secret != nil && v.Secret.SecretName == "certs"
				}) {
					t.Errorf("%s mounts %q of %v", name, mounted, spec.Volumes)
				}
			}
			for _, o := range all {
				if component(o) == "redis" && kind(o) != "Secret" {
					t.Errorf("%s is there, but not needed", id(o))
				}
			}
			if got := queueName(t, all); !strings.HasPrefix(got, namespace+"/demo-") {
				t.Errorf("the queue is %q: a release of this name in another namespace may have the same", got)
			}
		})
	}
}

func TestRedisOnAVolume(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{"keep: false": "Retain", "keep: true": "Retain", "keep: false}}, hooks: {enabled: false": "Delete"} {
		t.Run(values, func(t *testing.T) {
			all := release{values: "{items: [a], redis: {persistence: {enabled: true, size: 5Gi, storageClass: fast, " + values + "}}}"}.objects(t)
			placeholders := 0 // by which Helm deletes the volume, so that it can make the StatefulSet anew without
			for _, o := range all {
				if kind(o) == "PersistentVolumeClaim" {
					placeholders++
				}
			}
			if wanted := values == "keep: false"; (placeholders == 1) != wanted {
				t.Errorf("there are %d placeholders of the claim", placeholders)
			}
			set := redis(t, all)
			if len(set.Spec.VolumeClaimTemplates) != 1 {
				t.Fatalf("the claims are %v, want one", set.Spec.VolumeClaimTemplates)
			}
			claim := set.Spec.VolumeClaimTemplates[0]
			if size := claim.Spec.Resources.Requests.Storage().String(); size != "5Gi" || *claim.Spec.StorageClassName != "fast" {
				t.Errorf("the claim is %s of %s", size, *claim.Spec.StorageClassName)
			}
			if got := mountAt(set.Spec.Template.Spec.Containers[0], "/data"); got != claim.Name || len(set.Spec.Template.Spec.Volumes) != 0 {
				t.Errorf("/data is %q, beside the volumes %v", got, set.Spec.Template.Spec.Volumes)
			}
			if got := set.Spec.PersistentVolumeClaimRetentionPolicy; got == nil || string(got.WhenDeleted) != want {
				t.Errorf("the claim's retention policy is %v, want %s", got, want)
			}
		})
	}
}
