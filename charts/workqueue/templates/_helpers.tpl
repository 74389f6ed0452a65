{{- define "workqueue.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The stem of every name. By itself it is the release's name; as a sub-chart, the chart's name or alias is part of it, so that a
parent may have several. It begins with a letter, as a Service has to. It is cut to 46 characters, because a StatefulSet's
name plus "-redis" has to fit, with the revision that Kubernetes appends, into a label of 63; one that is cut gets a hash.
*/}}
{{- define "workqueue.fullname" -}}
{{- $name := .Values.fullnameOverride }}
{{- if not $name }}
{{- $name = .Release.Name }}
{{- if not .Chart.IsRoot }}
{{- $name = printf "%s-%s" $name (.Values.nameOverride | default .Chart.Name) }}
{{- else if and .Values.nameOverride (not (contains .Values.nameOverride $name)) }}
{{- $name = printf "%s-%s" $name .Values.nameOverride }}
{{- end }}
{{- end }}
{{- include "workqueue.objectName" $name }}
{{- end }}

{{/* What the names of objects of any kind may begin with, however the release is called: (name). */}}
{{- define "workqueue.objectName" -}}
{{- $name := . | replace "." "-" }}
{{- if regexMatch "^[0-9]" $name }}{{ $name = print "wq-" $name }}{{ end }}
{{- if gt (len $name) 46 }}
{{- $name = printf "%s-%s" (trunc 37 $name | trimSuffix "-") (sha256sum $name | trunc 8) }}
{{- end }}
{{- $name }}
{{- end }}

{{/* The release by a name that no other one of the cluster has. */}}
{{- define "workqueue.release" -}}
{{ .Release.Namespace }}/{{ include "workqueue.fullname" . }}
{{- end }}

{{- define "workqueue.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "workqueue.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "workqueue.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* Labels that find the pods of a component: (list $ component). */}}
{{- define "workqueue.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "workqueue.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of a pod: (list $ component more). None that changes with the chart's version: a Job's pods cannot change. */}}
{{- define "workqueue.podLabels" -}}
{{- $root := index . 0 }}
{{- $selector := include "workqueue.selectorLabels" . | fromYaml }}
{{- mustMergeOverwrite (dict) $root.Values.commonLabels (index . 2) $selector | toYaml }}
{{- end }}

{{/* Labels of an object: (list $ component). */}}
{{- define "workqueue.labels" -}}
{{- $root := index . 0 }}
{{- $labels := include "workqueue.selectorLabels" . | fromYaml }}
{{- $_ := set $labels "helm.sh/chart" (include "workqueue.chart" $root) }}
{{- $_ := set $labels "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- mustMergeOverwrite (dict) $root.Values.commonLabels $labels | toYaml }}
{{- end }}

{{/* Reference of an image of the chart's own: (list $ image default-tag). */}}
{{- define "workqueue.image" -}}
{{- $root := index . 0 }}
{{- with index . 1 }}
{{- $repository := .repository }}
{{- with $root.Values.global.imageRegistry }}
{{- /* In place of the registry in the repository's name, if there is one. */}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") }}
{{- end }}
{{- if .digest }}{{ $repository }}@{{ .digest }}{{ else }}{{ $repository }}:{{ .tag | default (index $ 2) }}{{ end }}
{{- end }}
{{- end }}

{{- define "workqueue.workerImage" -}}
{{- include "workqueue.image" (list . .Values.image .Chart.AppVersion) }}
{{- end }}

{{/* Whether there is a monitor: "true" or nothing. KEDA asks it, too. */}}
{{- define "workqueue.monitor.enabled" -}}
{{- if or .Values.monitor.enabled .Values.worker.keda.enabled }}true{{ end }}
{{- end }}
