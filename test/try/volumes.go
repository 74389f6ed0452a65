package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
)

// volume makes a volume's files in dir. It returns the folder that has them.
func (m *machine) volume(of *podOf, v corev1.Volume, dir string) (string, error) {
	if v.HostPath != nil {
		return v.HostPath.Path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	switch {
	case v.EmptyDir != nil:
		return dir, nil
	case v.ConfigMap != nil:
		data, err := m.configMap(v.ConfigMap.Name, v.ConfigMap.Optional)
		return dir, orWrite(err, dir, data, v.ConfigMap.Items, v.ConfigMap.DefaultMode)
	case v.Secret != nil:
		data, err := m.secret(v.Secret.SecretName, v.Secret.Optional)
		return dir, orWrite(err, dir, data, v.Secret.Items, v.Secret.DefaultMode)
	case v.DownwardAPI != nil:
		return dir, m.downwardAPI(of, dir, v.DownwardAPI.Items)
	case v.Projected != nil:
		return dir, m.projected(of, dir, *v.Projected)
	case v.Image != nil && v.Image.Reference == m.plan.workerImage():
		return dir, os.Symlink(m.worker, filepath.Join(dir, "worker"))
	}
	return "", errors.New("only ConfigMaps, Secrets, emptyDir and hostPath can be had without a cluster")
}

func (m *machine) projected(of *podOf, dir string, p corev1.ProjectedVolumeSource) error {
	for _, source := range p.Sources {
		var err error
		var data map[string]string
		switch {
		case source.ConfigMap != nil:
			data, err = m.configMap(source.ConfigMap.Name, source.ConfigMap.Optional)
			err = orWrite(err, dir, data, source.ConfigMap.Items, p.DefaultMode)
		case source.Secret != nil:
			data, err = m.secret(source.Secret.Name, source.Secret.Optional)
			err = orWrite(err, dir, data, source.Secret.Items, p.DefaultMode)
		case source.DownwardAPI != nil:
			err = m.downwardAPI(of, dir, source.DownwardAPI.Items)
		default:
			err = errors.New("a token of a service account cannot be had without a cluster")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) downwardAPI(of *podOf, dir string, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		if item.FieldRef == nil {
			return fmt.Errorf("%s: only fields of the pod can be had without a cluster", item.Path)
		}
		value, err := m.field(of, item.FieldRef.FieldPath)
		if err == nil {
			err = writeFile(filepath.Join(dir, item.Path), value, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// orWrite writes a ConfigMap's or Secret's keys into files, or those of them that items name, unless there is an error already.
func orWrite(err error, dir string, data map[string]string, items []corev1.KeyToPath, mode *int32) error {
	if err != nil {
		return err
	}
	permissions := os.FileMode(0o644)
	if mode != nil {
		permissions = os.FileMode(*mode)
	}
	if items == nil {
		for key := range data {
			items = append(items, corev1.KeyToPath{Key: key, Path: key})
		}
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			return fmt.Errorf("no key %s", item.Key)
		}
		if item.Mode != nil {
			permissions = os.FileMode(*item.Mode)
		}
		if err := writeFile(filepath.Join(dir, item.Path), value, permissions); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), mode)
}
