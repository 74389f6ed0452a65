package main

import (
	"context"
	"encoding/json"

	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/openapi"
)

// applier does what this version of the engine leaves out of a server-side apply, and every Argo CD that has it does: it says who applies.
type applier struct{ kube.Kubectl }

func (a applier) ManageResources(config *rest.Config, schema openapi.Resources) (kube.ResourceOperations, func(), error) {
	operations, cleanup, err := a.Kubectl.ManageResources(config, schema)
	return serverSide{operations, config}, cleanup, err
}

type serverSide struct {
	kube.ResourceOperations
	config *rest.Config
}

// ApplyResource applies an object, on the server's side if an annotation asks for it.
func (s serverSide) ApplyResource(ctx context.Context, object *unstructured.Unstructured, dryRun cmdutil.DryRunStrategy, force, validate, onServer bool) (string, error) {
	if !onServer {
		return s.ResourceOperations.ApplyResource(ctx, object, dryRun, force, validate, false)
	}
	client, err := dynamic.NewForConfig(s.config)
	if err != nil {
		return "", err
	}
	servers, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return "", err
	}
	kind := object.GroupVersionKind()
	resource, err := kube.ServerResourceForGroupVersionKind(servers, kind, "patch")
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(object)
	if err != nil {
		return "", err
	}
	yes := true
	options := metav1.PatchOptions{FieldManager: "argocd-controller", Force: &yes}
	if dryRun != cmdutil.DryRunNone {
		options.DryRun = []string{metav1.DryRunAll}
	}
	_, err = kube.ToResourceInterface(client, resource, kube.ToGroupVersionResource(kind.GroupVersion().String(), resource), object.GetNamespace()).
		Patch(ctx, object.GetName(), types.ApplyPatchType, text, options)
	return object.GetName() + " serverside-applied", err
}
