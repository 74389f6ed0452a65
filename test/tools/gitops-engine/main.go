// Command gitops does once what Argo CD does at a sync: it applies manifests and prunes what they no longer have, with Argo CD's own
// engine. It prints what happened to each object, and then each object that would still be out of sync.
//
//	gitops NAMESPACE <manifests.yaml
//
// Like Argo CD, and unlike the engine's agent, it runs Helm's hooks at every sync, whether anything has changed or not.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/argoproj/gitops-engine/pkg/cache"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2/klogr"
)

// trackingID is the annotation by which Argo CD knows its own objects, by default since version 3.
const trackingID = "argocd.argoproj.io/tracking-id"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gitops NAMESPACE <manifests.yaml")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, namespace string) error {
	manifests, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	target, err := kube.SplitYAML(manifests)
	if err != nil {
		return err
	}
	for _, object := range target {
		track(object, namespace)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	live := cache.NewClusterCache(config, cache.SetNamespaces([]string{namespace}), cache.SetPopulateResourceInfoHandler(
		func(object *unstructured.Unstructured, _ bool) (info interface{}, keep bool) {
			id := object.GetAnnotations()[trackingID]
			return id, id != ""
		}))
	if err := live.EnsureSynced(); err != nil {
		return err
	}
	if err := synchronize(ctx, config, live, target, namespace); err != nil {
		return err
	}
	// Argo CD compares anew.
	live.Invalidate()
	if err := live.EnsureSynced(); err != nil {
		return err
	}
	return compare(live, target, namespace)
}

// track puts an object into the namespace, and marks it as one of the application of that name.
func track(object *unstructured.Unstructured, namespace string) {
	object.SetNamespace(namespace)
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	kind := object.GroupVersionKind()
	annotations[trackingID] = fmt.Sprintf("%s:%s/%s:%s/%s", namespace, kind.Group, kind.Kind, namespace, object.GetName())
	object.SetAnnotations(annotations)
}

// reconcile pairs what is wanted with what is there.
func reconcile(live cache.ClusterCache, target []*unstructured.Unstructured, namespace string) (sync.ReconciliationResult, error) {
	managed, err := live.GetManagedLiveObjs(target, func(r *cache.Resource) bool { return r.Info != "" })
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	return sync.Reconcile(target, managed, namespace, live), nil
}

func synchronize(ctx context.Context, config *rest.Config, live cache.ClusterCache, target []*unstructured.Unstructured, namespace string) error {
	pairs, err := reconcile(live, target, namespace)
	if err != nil {
		return err
	}
	syncing, cleanup, err := sync.NewSyncContext("", pairs, config, config,
		applier{&kube.KubectlCmd{Log: klogr.New(), Tracer: tracing.NopTracer{}}}, namespace, live.GetOpenAPISchema(), sync.WithPrune(true))
	if err != nil {
		return err
	}
	defer cleanup()
	for {
		syncing.Sync()
		phase, message, results := syncing.GetState()
		if phase.Completed() {
			for _, r := range results {
				fmt.Println(r.Status, r.SyncPhase, r.ResourceKey.Kind, r.ResourceKey.Name, r.Message)
			}
			if phase != common.OperationSucceeded {
				return fmt.Errorf("%s: %s", phase, message)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %s", phase, message)
		case <-time.After(time.Second):
		}
	}
}

// compare prints the objects that differ from what is wanted: Argo CD would call them OutOfSync.
func compare(live cache.ClusterCache, target []*unstructured.Unstructured, namespace string) error {
	pairs, err := reconcile(live, target, namespace)
	if err != nil {
		return err
	}
	differences, err := diff.DiffArray(pairs.Target, pairs.Live)
	if err != nil {
		return err
	}
	for i, d := range differences.Diffs {
		switch {
		case pairs.Target[i] == nil && pairs.Live[i].GetDeletionTimestamp() != nil: // pruned, and on its way out
		case pairs.Target[i] == nil:
			fmt.Println("OutOfSync", pairs.Live[i].GetKind(), pairs.Live[i].GetName(), "is there and should not be")
		case d.Modified:
			fmt.Printf("OutOfSync %s %s\nis     %s\nwanted %s\n", pairs.Target[i].GetKind(), pairs.Target[i].GetName(), d.NormalizedLive, d.PredictedLive)
		}
	}
	return nil
}
