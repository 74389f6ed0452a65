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

{{/*
The items as JSON, checked. The schema refuses most of this first; what it cannot say, and what is left when it is
switched off, is said here.
*/}}
{{- define "workqueue.items" -}}
{{- $items := .Values.items }}
{{- if not (kindIs "slice" $items) }}
{{- fail "items: expected a list, such as `items: [apple, banana]`" }}
{{- end }}
{{- if and .Values.queue.seal (not $items) (not (include "workqueue.sources" .)) }}
{{- fail "items: the list is empty, so there is nothing to do; list the items, or say in itemsFrom where they are, or set queue.seal=false to add them to the queue later" }}
{{- end }}
{{- range $i, $item := $items }}
{{- if kindIs "invalid" $item }}
{{- fail (printf "items[%d] is null; remove it, or quote it if the word itself is meant" $i) }}
{{- else if kindIs "bool" $item }}
{{- fail (printf "items[%d] is a boolean (%t); quote it if the word itself is meant: YAML takes yes, no, on and off for booleans" $i $item) }}
{{- else if kindIs "slice" $item }}
{{- fail (printf "items[%d] is a list; an item is a string, a number or an object" $i) }}
{{- else if and (kindIs "float64" $item) (or (ge $item 9007199254740992.0) (le $item -9007199254740992.0)) }}
{{- fail (printf "items[%d] is a number too large to be exact (it became %.0f); quote it" $i $item) }}
{{- end }}
{{- end }}
{{- $json := toRawJson $items }}
{{- if gt (len $json) 921600 }}
{{- fail (printf "items: %d items take %d KiB, more than the 900 KiB that a ConfigMap can carry; take them from a volume, a range or a program with itemsFrom, or install with items: [] and queue.seal=false, and push them" (len $items) (div (len $json) 1024)) }}
{{- end }}
{{- $json }}
{{- end }}

{{/* Where items come from besides the values, for people to read; empty if from nowhere. */}}
{{- define "workqueue.sources" -}}
{{- $sources := list }}
{{- with .Values.itemsFrom }}
{{- with .configMap.name }}{{ $sources = append $sources (printf "the ConfigMap %s" .) }}{{ end }}
{{- with .secret.name }}{{ $sources = append $sources (printf "the Secret %s" .) }}{{ end }}
{{- if .volume }}{{ $sources = append $sources "a volume" }}{{ end }}
{{- if .range }}{{ $sources = append $sources "a range" }}{{ end }}
{{- with .command }}{{ $sources = append $sources (printf "the program %s" (first .)) }}{{ end }}
{{- end }}
{{- join ", " $sources }}
{{- end }}

{{/* What a run is named by: the same inputs are the same run. The image of a program that lists items is not one of them. */}}
{{- define "workqueue.inputsHash" -}}
{{- $from := omit .Values.itemsFrom "image" }}
{{- printf "%s\n%v\n%s" (include "workqueue.items" .) (.Values.rerun | default "") (toRawJson $from) | sha256sum | trunc 10 }}
{{- end }}

{{/* What the names of this release's queues begin with. */}}
{{- define "workqueue.queueStem" -}}
{{- /* In a Redis that many share, releases of the same name may be in several namespaces. */}}
{{- if include "workqueue.redis.external" . }}{{ .Release.Namespace }}/{{ end }}
{{- include "workqueue.fullname" . }}
{{- end }}

{{- define "workqueue.queue" -}}
{{- $name := include "workqueue.queueStem" . }}
{{- if eq .Values.worker.kind "Job" }}{{ $name = printf "%s-%s" $name (include "workqueue.inputsHash" .) }}{{ end }}
{{- .Values.queue.name | default $name }}
{{- end }}

{{/* A regular expression that matches the names of this release's queues, of former runs too, and of no other's. */}}
{{- define "workqueue.queuePattern" -}}
{{- if .Values.queue.name }}{{ regexQuoteMeta .Values.queue.name }}
{{- else }}{{ include "workqueue.queueStem" . | regexQuoteMeta }}{{ if eq .Values.worker.kind "Job" }}-[0-9a-f]{10}{{ end }}
{{- end }}
{{- end }}

{{- define "workqueue.redis.serviceName" -}}
{{- .Values.redis.serviceName | default (printf "%s-redis" (include "workqueue.fullname" .)) }}
{{- end }}

{{/* Where a Redis is that is not the chart's own; empty if it is. */}}
{{- define "workqueue.redis.external" -}}
{{- with .Values.redis.external }}{{ .url | default (join "," .addresses) }}{{ end }}
{{- end }}

{{/* Whether the password of Redis is made up here: "true" or nothing. */}}
{{- define "workqueue.redis.generatesPassword" -}}
{{- $asked := .Values.redis.generatePassword }}
{{- if kindIs "invalid" $asked }}{{ $asked = .Values.hooks.enabled }}{{ end }}
{{- if and $asked (not .Values.redis.password) (not .Values.redis.existingSecret.name) (not (include "workqueue.redis.external" .)) }}true{{ end }}
{{- end }}

{{/* The Secret with the password of Redis: name and key as YAML; empty without a password. */}}
{{- define "workqueue.redis.passwordFrom" -}}
{{- with .Values.redis }}
{{- if .existingSecret.name }}
name: {{ .existingSecret.name }}
key: {{ .existingSecret.key }}
{{- else if or .password (include "workqueue.redis.generatesPassword" $) }}
name: {{ include "workqueue.fullname" $ }}-redis
key: password
{{- end }}
{{- end }}
{{- end }}

{{/* The user of the chart's own Redis, if it is not the one that everybody is. */}}
{{- define "workqueue.redis.user" -}}
{{- if and .Values.redis.acl.enabled (not (include "workqueue.redis.external" .)) }}workqueue{{ end }}
{{- end }}

{{/* Variables that say where Redis is, and how to be let in. */}}
{{- define "workqueue.redis.env" -}}
{{- $external := .Values.redis.external }}
{{- if not (include "workqueue.redis.external" .) }}
- name: WQ_REDIS_URL
  value: redis://{{ include "workqueue.redis.serviceName" . }}:6379/0
{{- with include "workqueue.redis.user" . }}
- name: WQ_REDIS_USERNAME
  value: {{ . }}
{{- end }}
{{- else }}
{{- with $external.url }}
- name: WQ_REDIS_URL
  value: {{ . | quote }}
{{- end }}
{{- with $external.addresses }}
- name: WQ_REDIS_ADDRS
  value: {{ join "," . | quote }}
{{- end }}
{{- with $external.username }}
- name: WQ_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if $external.cluster }}
- name: WQ_REDIS_CLUSTER
  value: "true"
{{- end }}
{{- with $external.sentinel }}
{{- with .master }}
- name: WQ_REDIS_SENTINEL_MASTER
  value: {{ . | quote }}
{{- end }}
{{- with .username }}
- name: WQ_REDIS_SENTINEL_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if .existingSecret.name }}
- name: WQ_REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef:
      {{- toYaml .existingSecret | nindent 6 }}
{{- end }}
{{- end }}
{{- with $external.tls }}
{{- if .enabled }}
- name: WQ_REDIS_TLS
  value: "true"
{{- end }}
{{- with .serverName }}
- name: WQ_REDIS_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- if .existingSecret }}
- name: WQ_REDIS_TLS_CA
  value: /etc/redis-tls/ca.crt
{{- if .clientCertificate }}
- name: WQ_REDIS_TLS_CERT
  value: /etc/redis-tls/tls.crt
- name: WQ_REDIS_TLS_KEY
  value: /etc/redis-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with include "workqueue.redis.passwordFrom" . }}
- name: WQ_REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      {{- trim . | nindent 6 }}
{{- end }}
- name: WQ_REDIS_UNREACHABLE_TIMEOUT
  value: {{ .Values.redis.unreachableTimeout | quote }}
{{- end }}

{{/* The volume with the certificates for Redis, as a list of one or none; its mount likewise. */}}
{{- define "workqueue.redis.volumes" -}}
{{- if include "workqueue.redis.external" . }}
{{- with .Values.redis.external.tls.existingSecret }}
- name: redis-tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "workqueue.redis.volumeMounts" -}}
{{- if include "workqueue.redis.volumes" . }}
- name: redis-tls
  mountPath: /etc/redis-tls
  readOnly: true
{{- end }}
{{- end }}

{{/* Variables that every verb of the worker takes. */}}
{{- define "workqueue.env" -}}
- name: WQ_QUEUE
  value: {{ include "workqueue.queue" . | quote }}
{{- include "workqueue.redis.env" . }}
- name: WQ_LOG_FORMAT
  value: {{ .Values.worker.logFormat }}
- name: WQ_LOG_LEVEL
  value: {{ .Values.worker.logLevel }}
{{- end }}

{{/*
What every pod has. No service links: a Service called wq-redis would put WQ_REDIS_PORT among the worker's variables.
*/}}
{{- define "workqueue.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the worker's own image needs to run under Pod Security "restricted". */}}
{{- define "workqueue.restrictedContainer" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end }}

{{/* Where a container of your image finds the worker, and how it gets there. In its own image it is at the root. */}}
{{- define "workqueue.injectedVolume" -}}
name: workqueue
{{- if eq .Values.worker.inject "image" }}
image:
  reference: {{ include "workqueue.workerImage" . }}
  pullPolicy: {{ .Values.image.pullPolicy }}
{{- else }}
emptyDir: {}
{{- end }}
{{- end }}

{{- define "workqueue.injectedMount" -}}
name: workqueue
mountPath: /workqueue
readOnly: true
{{- end }}

{{/* What copies it: (list $ resources). */}}
{{- define "workqueue.installContainer" -}}
{{- $root := index . 0 -}}
name: install
image: {{ include "workqueue.workerImage" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: [install, /workqueue]
{{- /* Those of the container that it makes way for, so that they cost the pod nothing and fit any quota. */}}
{{- with index . 1 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "workqueue.restrictedContainer" . | nindent 2 }}
volumeMounts:
  - name: workqueue
    mountPath: /workqueue
{{- end }}

{{/* The pod of a verb other than work: (dict root verb env resources). */}}
{{- define "workqueue.verbPodSpec" -}}
{{- include "workqueue.podDefaults" .root }}
restartPolicy: Never
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.redis.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.redis.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .verb }}
    image: {{ include "workqueue.workerImage" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: [{{ .verb }}]
    env:
      {{- include "workqueue.env" .root | nindent 6 }}
      {{- range $name, $value := .env }}
      - name: {{ $name }}
        value: {{ $value | quote }}
      {{- end }}
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "workqueue.restrictedContainer" . | nindent 6 }}
    {{- with include "workqueue.redis.volumeMounts" .root }}
    volumeMounts:
      {{- trim . | nindent 6 }}
    {{- end }}
{{- with include "workqueue.redis.volumes" .root }}
volumes:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Exit codes after which a new pod would fare no better: too many dead items, lost state, bad configuration. */}}
{{- define "workqueue.podFailurePolicy" -}}
rules:
  - action: FailJob
    onExitCodes:
      containerName: {{ . }}
      operator: In
      values: [65, 70, 78]
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
{{- end }}

{{/*
An object that has to be there before the release's own: (dict root template events weight deletePolicy).

Helm does not own what its hooks create, and `helm uninstall` leaves it behind. So each comes with a husk: an object of the
same kind and name with nothing in it, that runs after the rest is deleted. To create it Helm deletes the original, and as it
has succeeded at once, Helm deletes it too. Husks go in the opposite order. Without hooks, the object is an ordinary one.
*/}}
{{- define "workqueue.hook" -}}
{{- $object := include .template .root | fromYaml }}
{{- if .root.Values.hooks.enabled }}
{{- /* Helm looks whose an ordinary object is before it takes it over, but not at hooks. */}}
{{- $name := $object.metadata.name }}
{{- with lookup $object.apiVersion $object.kind .root.Release.Namespace $name }}
{{- if ne (dig "app.kubernetes.io/instance" "" (.metadata.labels | default dict)) $.root.Release.Name }}
{{- $key := ternary "redis.serviceName" "fullnameOverride" (eq $object.kind "Service") }}
{{- fail (printf "%s: the namespace has a %s %s that is not this release's, and would be replaced by it; set another name" $key $object.kind $name) }}
{{- end }}
{{- end }}
{{- $husk := deepCopy $object }}
{{- if eq $object.kind "StatefulSet" }}
{{- $_ := set $husk.spec "replicas" 0 }}
{{- else if eq $object.kind "Job" }}
{{- $_ := set $husk.spec "parallelism" 0 }}
{{- $_ := set $husk.spec "completions" 0 }}
{{- else if has $object.kind (list "ConfigMap" "Secret") }}
{{- $_ := unset $husk "data" }}
{{- $_ := unset $husk "stringData" }}
{{- end }}
{{- $_ := set $object.metadata "annotations" (dict
  "helm.sh/hook" .events
  "helm.sh/hook-weight" (toString .weight)
  "helm.sh/hook-delete-policy" .deletePolicy) }}
{{- if eq $object.kind "Job" }}
{{- $_ := set $object.metadata.annotations "helm.sh/hook-output-log-policy" "hook-failed" }}
{{- end }}
{{- $_ := set $husk.metadata "annotations" (include "workqueue.huskAnnotations" . | fromYaml) }}
{{- toYaml $object }}
---
{{ toYaml $husk }}
{{- else }}
{{- toYaml $object }}
{{- end }}
{{- end }}

{{- define "workqueue.huskAnnotations" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ mul -1 .weight | toString | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
