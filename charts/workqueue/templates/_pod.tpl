{{/*
Text in an environment variable or argument, as written: Kubernetes replaces $(VAR) and $$ there, so that $ has to be $$.
*/}}
{{- define "workqueue.literal" -}}
{{- toString . | replace "$" "$$" }}
{{- end }}

{{/*
A container's env from the JSON of a dict, variable -> value. Text and numbers arrive as written, lists and objects as JSON;
{valueFrom: …} is Kubernetes' own.
*/}}
{{- define "workqueue.toEnv" -}}
{{- $env := list }}
{{- range $name, $value := fromJson . }}
{{- if and (kindIs "map" $value) (hasKey $value "valueFrom") }}
{{- $env = append $env (dict "name" $name "valueFrom" $value.valueFrom) }}
{{- else }}
{{- if or (kindIs "map" $value) (kindIs "slice" $value) }}
{{- $value = toRawJson $value | replace "$" "\\u0024" }}
{{- else if kindIs "float64" $value }}
{{- $value = int64 $value }}
{{- end }}
{{- $variable := dict "name" $name }}
{{- /* Kubernetes drops an empty value, and Argo CD would miss it forever. */}}
{{- with include "workqueue.literal" $value }}{{ $_ := set $variable "value" . }}{{ end }}
{{- $env = append $env $variable }}
{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* Variables that every verb of the worker takes. */}}
{{- define "workqueue.env" -}}
{{- merge (dict
  "WQ_QUEUE" (include "workqueue.queue" .)
  "WQ_LOG_FORMAT" .Values.worker.logFormat
  "WQ_LOG_LEVEL" .Values.worker.logLevel
) (ternary dict (dict "WQ_ITEMS_FORMAT" .Values.itemsFrom.format) (eq .Values.itemsFrom.format "lines")) (include "workqueue.redis.env" . | fromJson) | toJson }}
{{- end }}

{{/*
What every pod has. No service links: a Service called wq-redis would put WQ_REDIS_PORT among the worker's variables.
*/}}
{{- define "workqueue.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets | uniq }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where and how a pod runs, from worker, redis or system: whatever is set. */}}
{{- define "workqueue.podOptions" -}}
{{- $options := pick . "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" }}
{{- $_ := set $options "securityContext" .podSecurityContext }}
{{- range $key, $value := $options }}
{{- if $value }}
{{ $key }}: {{ toJson $value }}
{{- end }}
{{- end }}
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

{{/* The init container that copies the worker: (list $ resources). */}}
{{- define "workqueue.installContainer" -}}
{{- $root := index . 0 -}}
name: install
image: {{ include "workqueue.workerImage" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: [install, /workqueue]
{{- /* The resources of the container that runs after it, so that it costs the pod nothing and fits any quota. */}}
{{- with index . 1 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.system.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: workqueue
    mountPath: /workqueue
{{- end }}

{{/* Annotations of a pod that reads the password of Redis when it starts: another password is other pods. (list $ more) */}}
{{- define "workqueue.clientAnnotations" -}}
{{- $annotations := index . 1 }}
{{- with include "workqueue.redis.passwordMark" (index . 0) }}{{ $annotations = merge (dict "workqueue/redis-password" .) $annotations }}{{ end }}
{{- with $annotations }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* The labels and annotations of a pod of the chart's own: (list $ component). */}}
{{- define "workqueue.systemMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "workqueue.podLabels" (list $root (index . 1) $root.Values.system.podLabels) | nindent 2 }}
{{- with $root.Values.system.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The pod of a verb other than work: (dict root verb env resources). */}}
{{- define "workqueue.verbPodSpec" -}}
{{- include "workqueue.podDefaults" .root }}
restartPolicy: Never
{{- include "workqueue.podOptions" .root.Values.system }}
containers:
  - name: {{ .verb }}
    image: {{ include "workqueue.workerImage" .root }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: [{{ .verb }}]
    env:
      {{- mustMergeOverwrite (include "workqueue.env" .root | fromJson) (.env | default dict) | toJson | include "workqueue.toEnv" | nindent 6 }}
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .root.Values.system.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with include "workqueue.redis.volumeMounts" .root }}
    volumeMounts:
      {{- trim . | nindent 6 }}
    {{- end }}
{{- with include "workqueue.redis.volumes" .root }}
volumes:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Exit codes after which a new pod would fail the same way: too many dead items, lost state, bad configuration. */}}
{{- define "workqueue.failJobRules" -}}
{{- range . }}
- action: FailJob
  onExitCodes:
    containerName: {{ . }}
    operator: In
    values: [65, 70, 78]
{{- end }}
{{- end }}

{{/* From the names of the pod's containers that are the worker. */}}
{{- define "workqueue.podFailurePolicy" -}}
rules:
  {{- include "workqueue.failJobRules" . | trim | nindent 2 }}
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
{{- end }}
