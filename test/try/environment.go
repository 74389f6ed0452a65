package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// environment resolves a container's variables in the kubelet's order: envFrom first, then env, each of which may refer to those
// before it. It also returns the names of those whose value is written in the pod and not in a Secret.
func (m *machine) environment(of *podOf, c corev1.Container) (variables map[string]string, literal map[string]bool, err error) {
	variables, literal = map[string]string{}, map[string]bool{}
	for _, from := range c.EnvFrom {
		var data map[string]string
		switch {
		case from.ConfigMapRef != nil:
			data, err = m.configMap(from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			data, err = m.secret(from.SecretRef.Name, from.SecretRef.Optional)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("envFrom: %w", err)
		}
		for name, value := range data {
			variables[from.Prefix+name] = value
			literal[from.Prefix+name] = from.ConfigMapRef != nil
		}
	}
	for _, e := range c.Env {
		value, found := expand(e.Value, variables), true
		if e.ValueFrom != nil {
			value, found, err = m.valueFrom(of, c, *e.ValueFrom)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("variable %s: %w", e.Name, err)
		}
		if found {
			variables[e.Name] = value
			literal[e.Name] = e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil
		}
	}
	return variables, literal, nil
}

func (m *machine) valueFrom(of *podOf, c corev1.Container, from corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = m.field(of, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = resourceField(c, *from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		data, err := m.configMap(ref.Name, ref.Optional)
		return key(data, "ConfigMap", ref.Name, ref.Key, ref.Optional, err)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		data, err := m.secret(ref.Name, ref.Optional)
		return key(data, "Secret", ref.Name, ref.Key, ref.Optional, err)
	}
	return "", false, fmt.Errorf("a value from %v cannot be had without a cluster", from)
}

func key(data map[string]string, kind, name, key string, optional *bool, err error) (string, bool, error) {
	value, found := data[key]
	if err == nil && !found && !isTrue(optional) {
		err = fmt.Errorf("%s %s has no key %s", kind, name, key)
	}
	return value, found, err
}

func isTrue(b *bool) bool { return b != nil && *b }

func (m *machine) configMap(name string, optional *bool) (map[string]string, error) {
	object, ok := m.plan.configMaps[name]
	if !ok {
		return nil, missing("ConfigMap", "configmap", name, optional)
	}
	data := maps.Clone(object.Data)
	if data == nil {
		data = map[string]string{}
	}
	for key, value := range object.BinaryData {
		data[key] = string(value)
	}
	return data, nil
}

func (m *machine) secret(name string, optional *bool) (map[string]string, error) {
	object, ok := m.plan.secrets[name]
	if !ok {
		return nil, missing("Secret", "secret generic", name, optional)
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data, nil
}

func missing(kind, create, name string, optional *bool) error {
	if isTrue(optional) {
		return nil
	}
	return fmt.Errorf("%s %s is not part of the chart; write it to a file (kubectl create %s %s … --dry-run=client -o yaml > objects.yaml) and add OBJECTS=objects.yaml", kind, name, create, name)
}

var subscript = regexp.MustCompile(`^metadata\.(labels|annotations)\['(.*)'\]$`)

// field returns what a fieldRef stands for.
func (m *machine) field(of *podOf, path string) (string, error) {
	if found := subscript.FindStringSubmatch(path); found != nil {
		if found[1] == "labels" {
			return of.Labels[found[2]], nil
		}
		return of.Annotations[found[2]], nil
	}
	switch path {
	case "metadata.name":
		return of.name, nil
	case "metadata.namespace":
		return namespace, nil
	case "metadata.uid":
		return "00000000-0000-0000-0000-000000000000", nil
	case "metadata.labels":
		return lines(of.Labels), nil
	case "metadata.annotations":
		return lines(of.Annotations), nil
	case "spec.serviceAccountName":
		return of.Spec.ServiceAccountName, nil
	case "spec.nodeName":
		return os.Hostname()
	case "status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs":
		return "127.0.0.1", nil
	}
	return "", fmt.Errorf("field %s is not known here", path)
}

func lines(m map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, key+"="+strconv.Quote(m[key]))
	}
	return strings.Join(all, "\n")
}

// resourceField returns what a resourceFieldRef stands for: the container's request or limit in units of the divisor, rounded up.
// A limit that is not set is what the machine has.
func resourceField(c corev1.Container, ref corev1.ResourceFieldSelector) (string, error) {
	from, name, _ := strings.Cut(ref.Resource, ".")
	list := c.Resources.Limits
	if from == "requests" {
		list = c.Resources.Requests
	}
	quantity, ok := list[corev1.ResourceName(name)]
	if !ok && from == "limits" {
		switch name {
		case "cpu":
			quantity = *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI)
		case "memory":
			var info syscall.Sysinfo_t
			if err := syscall.Sysinfo(&info); err != nil {
				return "", err
			}
			quantity = *resource.NewQuantity(int64(info.Totalram)*int64(info.Unit), resource.BinarySI)
		default:
			return "", fmt.Errorf("resource %s is not known here", ref.Resource)
		}
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	// The millis of a large memory are beyond an int64, and only processors are counted in millis.
	value, unit := quantity.Value(), divisor.Value()
	if name == "cpu" {
		value, unit = quantity.MilliValue(), divisor.MilliValue()
	}
	return strconv.FormatInt((value+unit-1)/unit, 10), nil
}
