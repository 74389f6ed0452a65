package chart

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// expand is what Kubernetes makes of a value of a variable or of an argument: $(NAME) becomes the variable NAME if there is one,
// $$ becomes $, and anything else stays. See third_party/forked/golang/expansion in k8s.io/kubernetes.
func expand(text string, variables map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		end := strings.IndexByte(rest, ')')
		switch {
		case strings.HasPrefix(rest, "$$"):
			out.WriteByte('$')
			i++
		case strings.HasPrefix(rest, "$(") && end > 0:
			if value, ok := variables[rest[2:end]]; ok {
				out.WriteString(value)
			} else {
				out.WriteString(rest[:end+1])
			}
			i += end
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]string{
		"$$": "$", "$(A)": "a", "$$(A)": "$(A)", "$(B)": "$(B)", "$A": "$A", "$": "$", "$(A": "$(A", "$$$(A)$$$": "$a$$",
	} {
		if got := expand(text, map[string]string{"A": "a"}); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

// secrets are variables that the containers have; none of them may get into what a user wrote.
var secrets = map[string]string{"HOME": "/root", "WQ_REDIS_PASSWORD": "secret", "WQ_QUEUE": "queue", "REDISCLI_AUTH": "secret"}

func TestWhatYouWriteArrivesAsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"out.$$.png", "$(HOME)", "$(WQ_REDIS_PASSWORD)", "$$(HOME)", "$$$(HOME)$$$", "$", "`id`", `"quoted" 'twice'`, "two\nlines\n", `back\slash`, "<&>",
		"{{ .Values }}", "ünï", "%s", "0123", "yes", "", "\u0001",
	} {
		t.Run(text, func(t *testing.T) {
			argument, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			list := `["tool", ` + string(argument) + `, "{}"]`
			all := release{values: `
items: [a]
itemsFrom: {command: ` + list + `}
worker: {image: b, command: ` + list + `}
redis: {extraArgs: ` + list + `}`}.objects(t)
			seed, worker := seedJob(t, all).Spec.Template.Spec, workerJob(t, all).Spec.Template.Spec
			for variable, spec := range map[string]corev1.PodSpec{"WQ_COMMAND": worker, "WQ_ITEMS_COMMAND": seed} {
				var got []string
				value := expand(env(t, spec, variable), secrets)
				if err := json.Unmarshal([]byte(value), &got); err != nil || !slices.Equal(got, []string{"tool", text, "{}"}) {
					t.Errorf("%s becomes %q (%v)", variable, got, err)
				}
			}
			args := redis(t, all).Spec.Template.Spec.Containers[0].Args
			if got := expand(args[len(args)-2], secrets); got != text {
				t.Errorf("redis.extraArgs becomes %q", got)
			}
		})
	}
}

func TestNamesArriveAsWritten(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"job$$2", "$(HOME)", "$(WQ_REDIS_PASSWORD)", "$$(HOME)", "`id`", `"a"'b'`, `a\b`, "a.b*"} {
		t.Run(name, func(t *testing.T) {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			format, err := json.Marshal(name + "-%d")
			if err != nil {
				t.Fatal(err)
			}
			all := release{values: `
queue: {name: ` + string(quoted) + `}
itemsFrom: {volume: {emptyDir: {}}, path: ` + string(quoted) + `, range: {start: 1, end: 2, format: ` + string(format) + `}}
redis: {password: p, external: {url: 'redis://host:1/0', username: ` + string(quoted) + `}}`}.objects(t)
			seed := seedJob(t, all).Spec.Template.Spec
			for variable, want := range map[string]string{
				"WQ_QUEUE": name, "WQ_REDIS_USERNAME": name, "WQ_ITEMS_PATHS": "/items/volume/" + name,
			} {
				if got := expand(env(t, seed, variable), secrets); got != want {
					t.Errorf("%s becomes %q, want %q", variable, got, want)
				}
			}
			var numbers struct{ Format string }
			if err := json.Unmarshal([]byte(expand(env(t, seed, "WQ_ITEMS_RANGE"), secrets)), &numbers); err != nil || numbers.Format != name+"-%d" {
				t.Errorf("the range's format becomes %q (%v)", numbers.Format, err)
			}
			purge := find[*batchv1.Job](t, all, "purge").Spec.Template.Spec.Containers[0].Args
			if got := expand(purge[1], secrets); !strings.Contains(got, strings.NewReplacer("$", `\$`, "(", `\(`, ")", `\)`, ".", `\.`, "*", `\*`, `\`, `\\`).Replace(name)) {
				t.Errorf("the purge's pattern becomes %q", got)
			}
		})
	}
}
