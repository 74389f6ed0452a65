package chart

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	helmrelease "helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"

	"github.com/workqueue/workqueue/test/render"
)

func textValues(text string) map[string]any {
	return map[string]any{"itemsFrom": map[string]any{"text": text, "format": "jsonl"}, "worker": map[string]any{"printItems": true}}
}

// withText renders what an install with --set-file itemsFrom.text would send.
func withText(text string) (render.Rendered, error) {
	return render.Release{Chart: chartDir, Name: "demo", Namespace: namespace, Kube: kubeVersion}.Render(textValues(text))
}

// maxSecret is what Kubernetes takes as the data of a Secret, in bytes.
const maxSecret = 1 << 20

// stored is how much of a Secret a release takes with this text, in bytes: JSON, compressed and in base64, as package
// helm.sh/helm/v3/pkg/storage/driver encodes it.
func stored(t *testing.T, text string) int {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := withText(text)
	if err != nil {
		t.Fatal(err)
	}
	release, err := json.Marshal(helmrelease.Release{
		Name: "demo", Namespace: namespace, Info: &helmrelease.Info{Notes: rendered.Notes}, Chart: chart, Config: textValues(text), Manifest: rendered.Manifests, Version: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	var compressed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if _, err := w.Write(release); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodedLen(compressed.Len())
}

// TestTextsFitIntoARelease: what values.yaml and docs/recipes.md promise, for texts that compress well and badly.
func TestTextsFitIntoARelease(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(alphabet string, n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}
	var printable strings.Builder
	for c := byte(' '); c < 127; c++ {
		printable.WriteByte(c)
	}
	const hex = "0123456789abcdef"
	for _, test := range []struct {
		kind string
		kib  int
		line func() string
	}{
		{"URLs", 900, func() string { return "https://cdn.example.org/objects/" + pick(hex, 24) + ".jpg" }},
		{"UUIDs", 550, func() string {
			return strings.Join([]string{pick(hex, 8), pick(hex, 4), pick(hex, 4), pick(hex, 4), pick(hex, 12)}, "-")
		}},
		{"random characters", 350, func() string { return pick(printable.String(), 60) }},
	} {
		var text strings.Builder
		for text.Len() < test.kib<<10 {
			text.WriteString(test.line() + "\n")
		}
		if got := stored(t, text.String()[:test.kib<<10]); got > maxSecret {
			t.Errorf("%d KiB of %s take %d bytes of a Secret, more than the %d that it may have", test.kib, test.kind, got, maxSecret)
		}
	}
}

func TestTextsArriveAsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a\nb\n", "\ufeffa\r\nb", "\x00\x01\u2028\ufffd\U0001f600", `\ufffd "'{{ .Values }} $(HOME) $$`, "- a: [\n", "\n\n a\n"} {
		rendered, err := withText(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		decoded, err := render.Objects(rendered.Manifests)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all := objects(decoded)
		if got := find[*corev1.ConfigMap](t, all, "seed").Data["itemsFrom.text"]; got != strings.TrimPrefix(text, "\ufeff") {
			t.Errorf("%q becomes %q", text, got)
		}
		spec := seedJob(t, all).Spec.Template.Spec
		if got := env(t, spec, "WQ_ITEMS_PATHS"); got != "/etc/workqueue/itemsFrom.text" {
			t.Errorf("WQ_ITEMS_PATHS is %s", got)
		}
		for _, spec := range []corev1.PodSpec{spec, workerJob(t, all).Spec.Template.Spec} { // where items are seeded, and where they are pushed
			if got := env(t, spec, "WQ_ITEMS_FORMAT"); got != "jsonl" {
				t.Errorf("WQ_ITEMS_FORMAT is %s", got)
			}
		}
	}
}

// TestTextsThatHelmChanges: Helm takes any file.
func TestTextsThatHelmChanges(t *testing.T) {
	t.Parallel()
	const notUTF8, notYAML = "the text is not UTF-8; decompress the file if it is compressed, and save it as UTF-8", "it has a character that Helm cannot carry"
	for text, want := range map[string]string{
		"b\xfcrger": notUTF8, "\xff\xfea\x00": notUTF8, "\\\xff": notUTF8, "a\x7f": notYAML, "\u0085": notYAML, "\ufffe": notYAML, "\uffff": notYAML,
		"\ufffd": "", `\ufffd`: "", `\\ufffd`: "",
	} {
		_, err := withText(text)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), "itemsFrom.text: "+want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
