package kube

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/gruntwork-io/terratest/modules/shell"
)

// Helm runs a major version of Helm, "helm3" or "helm4", in the namespace, and returns what it printed on its standard output.
func (n *Namespace) Helm(major string, args ...string) (string, error) {
	command := helm.PrepareHelmCommand(&helm.Options{KubectlOptions: n.Kubectl, Logger: logger.Discard}, args[0], args[1:]...)
	command.Command = filepath.Join("../../bin", major, "helm")
	return shell.RunCommandContextAndGetStdOutE(n.T, n.Context(), command)
}

// Values are the arguments that give Helm values: those that the cluster needs, those of files, and single ones as JSON.
func Values(files []string, single map[string]string) []string {
	// What is run is beside the point of most tests. With a command it has no effect.
	args := []string{"--values", ValuesFile(), "--set", "worker.printItems=true"}
	for _, file := range files {
		args = append(args, "--values", file)
	}
	for _, key := range slices.Sorted(maps.Keys(single)) {
		args = append(args, "--set-json", key+"="+single[key])
	}
	return args
}
