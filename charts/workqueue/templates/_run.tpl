{{/* What a run is named by, and what its queue is called. */}}

{{- define "workqueue.items" -}}
{{- /* Helm writes these into its YAML as they are, and then reads others, or nothing. */}}
{{- toRawJson .Values.items | replace "\x7f" "\\u007f" | replace "\u0085" "\\u0085" | replace "\ufffe" "\\ufffe" | replace "\uffff" "\\uffff" }}
{{- end }}

{{/* Where items come from besides the values, for people to read; empty if from nowhere. */}}
{{- define "workqueue.sources" -}}
{{- $sources := list }}
{{- with .Values.itemsFrom }}
{{- if .text }}{{ $sources = append $sources "a text" }}{{ end }}
{{- with .configMap.name }}{{ $sources = append $sources (printf "the ConfigMap %s" .) }}{{ end }}
{{- with .secret.name }}{{ $sources = append $sources (printf "the Secret %s" .) }}{{ end }}
{{- if .volume }}{{ $sources = append $sources "a volume" }}{{ end }}
{{- if .range }}{{ $sources = append $sources "a range" }}{{ end }}
{{- with .command }}{{ $sources = append $sources (printf "the program %s" (splitList "\n" (join "\n" .) | first)) }}{{ end }}
{{- end }}
{{- join ", " $sources }}
{{- end }}

{{/* What a run is named by: the same inputs are the same run. The image of a program that lists items is not one of them, nor is whether lists may be empty. */}}
{{- define "workqueue.inputsHash" -}}
{{- $from := omit .Values.itemsFrom "image" "allowEmpty" }}
{{- if .Values.queue.unique }}{{ $_ := set $from "unique" true }}{{ end }}
{{- printf "%s\n%v\n%s" (include "workqueue.items" .) (.Values.rerun | default "") (toRawJson $from) | sha256sum | trunc 10 }}
{{- end }}

{{/* What the names of this release's queues begin with. */}}
{{- define "workqueue.queueStem" -}}
{{- /* In a Redis that many share, releases of the same name may be in several namespaces. */}}
{{- if include "workqueue.redis.external" . }}{{ .Release.Namespace }}/{{ end }}
{{- include "workqueue.fullname" . }}
{{- end }}

{{- define "workqueue.queue" -}}
{{- .Values.queue.name | default (include "workqueue.defaultQueue" .) }}
{{- end }}

{{/* The queue of the release. With a schedule each run has one, and this is the name of all of them, see WQ_QUEUE. */}}
{{- define "workqueue.defaultQueue" -}}
{{- if .Values.schedule }}
{{- include "workqueue.queueStem" . }}:*
{{- else if eq .Values.worker.kind "Job" }}
{{- printf "%s-%s" (include "workqueue.queueStem" .) (include "workqueue.inputsHash" .) }}
{{- else }}
{{- include "workqueue.lastingQueue" . }}
{{- end }}
{{- end }}

{{/* The queue of a Deployment. */}}
{{- define "workqueue.lastingQueue" -}}
{{- $name := include "workqueue.queueStem" . }}
{{- if regexMatch "-[0-9a-f]{10}$" $name }}
{{- /* Or it would look like a run of the release that is called like this one without the end. */}}
{{- $name = print $name ":queue" }}
{{- end }}
{{- $name }}
{{- end }}

{{/* What follows queueStem in the name of the queue of a scheduled run, as a regular expression: the Job, and the beginning of its UID. */}}
{{- define "workqueue.scheduledRun" -}}
:[^:]+:[0-9a-f]{5}
{{- end }}

{{/* A regular expression that matches the names of this release's queues, of former runs too, and of no other's. */}}
{{- define "workqueue.queuePattern" -}}
{{- with .Values.queue.name }}{{ regexQuoteMeta . }}|{{ end }}
{{- include "workqueue.queueStem" . | regexQuoteMeta }}(-[0-9a-f]{10}|{{ include "workqueue.scheduledRun" . }})|
{{- include "workqueue.lastingQueue" . | regexQuoteMeta }}
{{- end }}
