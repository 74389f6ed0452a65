{{/*
Whether Helm runs the hooks: "true" or nothing. It does not where it renders without a cluster, as `helm template` and Kustomize do: others apply
the objects then, in no order and placeholders included. Helm lists kinds among the API versions only if it has asked a cluster for them.
*/}}
{{- define "workqueue.hooks" -}}
{{- if and .Values.hooks.enabled (.Capabilities.APIVersions.Has "v1/Pod") }}true{{ end }}
{{- end }}

{{/* Whether a value that is null by default is true: (list $ value). Null is as the hooks are. "true" or nothing. */}}
{{- define "workqueue.asHooks" -}}
{{- $value := index . 1 }}
{{- if kindIs "invalid" $value }}{{ $value = include "workqueue.hooks" (index . 0) }}{{ end }}
{{- if $value }}true{{ end }}
{{- end }}

{{/* Whether there is a pod for `helm test`: "true" or nothing. */}}
{{- define "workqueue.test.enabled" -}}
{{- if eq .Values.worker.kind "Job" }}{{ include "workqueue.asHooks" (list . .Values.test.enabled) }}{{ end }}
{{- end }}

{{/* Whether the uninstall purges: "true" or nothing. */}}
{{- define "workqueue.purge.enabled" -}}
{{- $purge := .Values.redis.external.keep }}
{{- if not (kindIs "invalid" $purge) }}{{ $purge = not $purge }}{{ end }}
{{- if include "workqueue.redis.external" . }}{{ include "workqueue.asHooks" (list . $purge) }}{{ end }}
{{- end }}

{{/*
An object that has to be there before the release's own: (dict root template events weight deletePolicy).

Helm does not own what its hooks create, and `helm uninstall` leaves it behind. So each hook comes with a placeholder: an
object of the same kind and name with nothing in it, which is a post-delete hook. Before Helm creates the placeholder it
deletes the object of that name, and as a placeholder succeeds at once, Helm deletes it too. Placeholders go in the opposite
order. Without hooks, the object is an ordinary one.
*/}}
{{- define "workqueue.hook" -}}
{{- $object := include .template .root | fromYaml }}
{{- if include "workqueue.hooks" .root }}
{{- $placeholder := deepCopy $object }}
{{- $_ := unset $placeholder.metadata "annotations" }}
{{- if eq $object.kind "StatefulSet" }}
{{- $_ := set $placeholder.spec "replicas" 0 }}
{{- else if eq $object.kind "Job" }}
{{- $_ := set $placeholder.spec "parallelism" 0 }}
{{- $_ := set $placeholder.spec "completions" 0 }}
{{- else if has $object.kind (list "ConfigMap" "Secret") }}
{{- $_ := unset $placeholder "data" }}
{{- $_ := unset $placeholder "stringData" }}
{{- end }}
{{- $_ := set $object.metadata "annotations" (merge (dict
  "helm.sh/hook" .events
  "helm.sh/hook-weight" (toString .weight)
  "helm.sh/hook-delete-policy" .deletePolicy) ($object.metadata.annotations | default dict)) }}
{{- if eq $object.kind "Job" }}
{{- $_ := set $object.metadata.annotations "helm.sh/hook-output-log-policy" "hook-failed" }}
{{- end }}
{{- $_ := set $placeholder.metadata "annotations" (include "workqueue.placeholderAnnotations" . | fromYaml) }}
{{- toYaml $object }}
---
{{ toYaml $placeholder }}
{{- else }}
{{- toYaml $object }}
{{- end }}
{{- end }}

{{/* A NetworkPolicy that is made twice, once for the time of the hooks: (list $ part spec), the part of the release and the name of the template of its spec. */}}
{{- define "workqueue.networkPolicy" -}}
{{- $root := index . 0 }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "workqueue.fullname" $root }}-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "workqueue.labels" (list $root (index . 1)) | nindent 4 }}
spec:
  {{- include (index . 2) $root | nindent 2 }}
{{- end }}

{{- define "workqueue.placeholderAnnotations" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ mul -1 .weight | toString | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* The object stays until an event of Redis, or the uninstall. */}}
{{- define "workqueue.redis.hook" -}}
{{- include "workqueue.hook" (merge . (dict "events" (include "workqueue.redis.events" .root) "deletePolicy" "before-hook-creation")) }}
{{- end }}

{{/*
Seeding runs on every event that may bring new items; seeding the same inputs again does nothing. The names change with
their content, so the objects are deleted right away: after an upgrade no placeholder would have their name.
*/}}
{{- define "workqueue.seed.hook" -}}
{{- include "workqueue.hook" (merge . (dict "events" "pre-install,pre-upgrade,pre-rollback" "deletePolicy" "before-hook-creation,hook-succeeded,hook-failed")) }}
{{- end }}
