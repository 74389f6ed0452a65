// Package render renders the chart in this process with Helm's SDK, as helm template does, and reads what comes out of it.
package render

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// Release is what is rendered: a chart for a release of a name, in a namespace, on a version of Kubernetes.
type Release struct {
	Chart     string // folder or archive
	Name      string
	Namespace string
	Kube      string
	// Plain is without a cluster that Helm can ask, as helm template renders: there are no hooks.
	Plain bool
	// SkipSchema leaves out the check of the values against the chart's schema.
	SkipSchema bool
}

// Rendered is what an install would send to the cluster and print.
type Rendered struct {
	Manifests string // YAML documents, each with its template in a comment on top
	Notes     string
}

// Values reads values files. Later ones win over earlier ones, key by key, as with helm's --values.
func Values(files ...string) (map[string]any, error) {
	merged := map[string]any{}
	for _, file := range files {
		values, err := chartutil.ReadValuesFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		merged = chartutil.MergeTables(values, merged)
	}
	return merged, nil
}

// loaded is a chart with its schema, compiled: that takes Helm longer than anything else about a rendering.
type loaded struct {
	*chart.Chart
	schema *jsonschema.Schema
}

// charts are the loaded ones by their paths: a test renders the same one hundreds of times.
var charts sync.Map

func load(path string) (loaded, error) {
	if known, ok := charts.Load(path); ok {
		return known.(loaded), nil
	}
	chart, err := loader.Load(path)
	if err != nil {
		return loaded{}, err
	}
	if len(chart.Metadata.Dependencies) > 0 {
		return loaded{}, fmt.Errorf("%s: has dependencies, which are not rendered here", path)
	}
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(chart.Schema))
	if err != nil {
		return loaded{}, fmt.Errorf("%s: values.schema.json: %w", path, err)
	}
	const url = "file:///values.schema.json"
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(url, text); err != nil {
		return loaded{}, err
	}
	schema, err := compiler.Compile(url)
	if err != nil {
		return loaded{}, err
	}
	charts.Store(path, loaded{chart, schema})
	return loaded{chart, schema}, nil
}

// Render renders the release's first install.
func (r Release) Render(values map[string]any) (Rendered, error) {
	chart, err := load(r.Chart)
	if err != nil {
		return Rendered{}, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	version, err := chartutil.ParseKubeVersion(r.Kube)
	if err != nil {
		return Rendered{}, fmt.Errorf("version of Kubernetes: %w", err)
	}
	capabilities.KubeVersion = *version
	if !r.Plain {
		capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), "v1/Pod")
	}
	if wanted := chart.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, version.Version) {
		return Rendered{}, fmt.Errorf("the chart needs Kubernetes %s, and this is %s", wanted, version.Version)
	}
	options := chartutil.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValuesWithSchemaValidation(chart.Chart, values, options, capabilities, true)
	if err != nil {
		return Rendered{}, err
	}
	if !r.SkipSchema && chart.schema.Validate(all["Values"].(chartutil.Values).AsMap()) != nil {
		// Once more, for Helm's own words.
		if _, err := chartutil.ToRenderValuesWithSchemaValidation(chart.Chart, values, options, capabilities, false); err != nil {
			return Rendered{}, err
		}
	}
	files, err := engine.Render(chart.Chart, all)
	if err != nil {
		return Rendered{}, err
	}
	return collect(files), nil
}

// collect puts what the templates rendered together.
func collect(files map[string]string) Rendered {
	var rendered Rendered
	var manifests strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case path.Base(name) == "NOTES.txt":
			rendered.Notes = files[name]
		case strings.HasPrefix(path.Base(name), "_"):
		default:
			documents := releaseutil.SplitManifests(files[name])
			keys := slices.Collect(maps.Keys(documents))
			slices.SortFunc(keys, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
			for _, key := range keys {
				fmt.Fprintf(&manifests, "---\n# Source: %s\n%s\n", name, documents[key])
			}
		}
	}
	rendered.Manifests = manifests.String()
	return rendered
}

// Object is any Kubernetes object, typed underneath.
type Object interface {
	runtime.Object
	metav1.Object
}

// Strict, so that a misspelt field is an error and not nothing.
var decoder = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// Objects decodes YAML documents. A kind that is not Kubernetes' own becomes an *unstructured.Unstructured.
func Objects(manifests string) ([]Object, error) {
	var all []Object
	for document := range strings.SplitSeq("\n"+manifests, "\n---\n") {
		if !strings.Contains(document, "kind:") {
			continue
		}
		text, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		o, _, err := decoder.Decode(text, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			others := &unstructured.Unstructured{}
			o, err = others, yaml.Unmarshal(text, &others.Object)
		}
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		object, ok := o.(Object)
		if !ok {
			return nil, fmt.Errorf("a %T is not one object:\n%s", o, document)
		}
		all = append(all, object)
	}
	return all, nil
}

// Printing returns values that print the items, unless they say so or not themselves: most tests are not about what is run.
func Printing(values map[string]any) map[string]any {
	worker, ok := values["worker"].(map[string]any)
	if ok && worker["printItems"] != nil || !ok && values["worker"] != nil {
		return values
	}
	return chartutil.MergeTables(maps.Clone(values), map[string]any{"worker": map[string]any{"printItems": true}})
}
