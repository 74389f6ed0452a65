package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The cases are those by which Kubernetes tests its own expansion.
func TestExpand(t *testing.T) {
	variables := map[string]string{"A": "1", "B": "2", "REF": "$(A)", "EMPTY": ""}
	for text, want := range map[string]string{
		"":                   "",
		"$(A)-$(A)":          "1-1",
		"___$(B)":            "___2",
		"$$(B)_$(A)":         "$(B)_1",
		"f000-$$A":           "f000-$A",
		`foo\$(A)bar`:        `foo\1bar`,
		"$(A$(B))":           "$(A$(B))",
		"$(A$(B)":            "$(A$(B)",
		"%%$(REF)--$(REF)%%": "%%$(A)--$(A)%%",
		"foo$(EMPTY)bar":     "foobar",
		"foo$(Awhoops!":      "foo$(Awhoops!",
		"f00__(A)__":         "f00__(A)__",
		"$?_boo_$!":          "$?_boo_$!",
		"$A":                 "$A",
		"$(NONE)":            "$(NONE)",
		"$$$$$$(NONE)":       "$$$(NONE)",
		"$$$$$$(A)":          "$$$(A)",
		"$$$$$$$(A)":         "$$$1",
		"$A)":                "$A)",
		"${A}":               "${A}",
		"$(B)_______$(":      "2_______$(",
		"$(A)foobarzab$":     "1foobarzab$",
		"--$($($($($--":      "--$($($($($--",
		"$$$$":               "$$",
	} {
		if got := expand(text, variables); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestRewrite(t *testing.T) {
	mounts := []mount{{"/items", "/tmp/x/items"}, {"/items/secret", "/tmp/x/secret"}, {"/tmp", "/tmp/x/tmp"}}
	for text, want := range map[string]string{
		"/items":                 "/tmp/x/items",
		"/items/a,/items/secret": "/tmp/x/items/a,/tmp/x/secret",
		`["cat","/items/a b"]`:   `["cat","/tmp/x/items/a b"]`,
		"file:///tmp/a":          "file:///tmp/x/tmp/a",
		"sh -c 'ls /tmp/*'":      "sh -c 'ls /tmp/x/tmp/*'",
		"--dir=/items/":          "--dir=/tmp/x/items/",
		"/items2":                "/items2",
		"/my/items":              "/my/items",
		"redis://host/tmp":       "redis://host/tmp",
		"s3://bucket/items/a":    "s3://bucket/items/a",
		"items":                  "items",
	} {
		if got := rewrite(text, mounts); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	optional := true
	reference := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	m := &machine{plan: &plan{
		configMaps: map[string]*corev1.ConfigMap{"settings": {Data: map[string]string{"A": "settings", "B": "$(A)"}}},
		secrets:    map[string]*corev1.Secret{"keys": {Data: map[string][]byte{"TOKEN": []byte("a $(A) $$")}}},
	}}
	of := &podOf{name: "pod-1", PodTemplateSpec: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
		Labels: map[string]string{"app": "x"}, Annotations: map[string]string{"a/b": "y"},
	}}}
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	c := corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("settings")}},
			{Prefix: "P_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: reference("keys")}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: reference("none"), Optional: &optional}},
		},
		Env: []corev1.EnvVar{
			{Name: "LATER", Value: "$(C) stays"},
			{Name: "C", Value: "$(A)"},
			{Name: "A", Value: "own $(A) $$(A)"},
			{Name: "D", Value: "$(A)"},
			{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: reference("keys"), Key: "TOKEN"}}},
			{Name: "NONE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: reference("keys"), Key: "NONE", Optional: &optional}}},
			{Name: "FROM_SECRET", Value: "<$(SECRET)>"},
			{Name: "NAME", ValueFrom: field("metadata.name")},
			{Name: "LABEL", ValueFrom: field("metadata.labels['app']")},
			{Name: "ANNOTATION", ValueFrom: field("metadata.annotations['a/b']")},
			{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}},
			{Name: "MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "requests.memory", Divisor: resource.MustParse("1Mi")}}},
		},
		Resources: corev1.ResourceRequirements{
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("1500m")},
			Requests: corev1.ResourceList{"memory": resource.MustParse("2Gi")},
		},
	}
	got, _, err := m.environment(of, c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"A": "own settings $(A)", "B": "$(A)", "C": "settings", "D": "own settings $(A)", "LATER": "$(C) stays",
		"P_TOKEN": "a $(A) $$", "SECRET": "a $(A) $$", "FROM_SECRET": "<a $(A) $$>",
		"NAME": "pod-1", "LABEL": "x", "ANNOTATION": "y", "CPU": "2", "MEMORY": "2048",
	}
	if !maps.Equal(got, want) {
		t.Errorf("the variables are\n%q\nwant\n%q", got, want)
	}
}

// Values for Argo CD can be tried too.
func TestValuesWithoutHooksAreTried(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("{items: [a], hooks: {enabled: false}, worker: {printItems: true}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newPlan("../../charts/workqueue", "", nil, []string{file}); err != nil {
		t.Error(err)
	}
}
