{{- define "workqueue.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
The release's name, and the stem of every other. 46 characters, because a StatefulSet's name plus "-redis" has to fit, with
the revision that Kubernetes appends, into a label of 63; a longer one is cut and gets a hash, so that no two become one.
*/}}
{{- define "workqueue.fullname" -}}
{{- $name := .Values.fullnameOverride }}
{{- if not $name }}
{{- $name = .Release.Name }}
{{- if and .Values.nameOverride (not (contains .Values.nameOverride $name)) }}
{{- $name = printf "%s-%s" $name .Values.nameOverride }}
{{- end }}
{{- end }}
{{- $name = $name | replace "." "-" }}
{{- if gt (len $name) 46 }}
{{- $name = printf "%s-%s" (trunc 37 $name | trimSuffix "-") (sha256sum $name | trunc 8) }}
{{- end }}
{{- $name }}
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

{{/* Reference of an image: (list image default-tag). */}}
{{- define "workqueue.image" -}}
{{- with index . 0 }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default (index $ 1) }}{{ end }}
{{- end }}
{{- end }}

{{- define "workqueue.workerImage" -}}
{{- include "workqueue.image" (list .Values.image .Chart.AppVersion) }}
{{- end }}
