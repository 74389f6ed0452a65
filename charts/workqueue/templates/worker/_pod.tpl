{{- define "workqueue.worker.name" -}}
{{- if eq .Values.worker.kind "Job" }}{{ include "workqueue.worker.jobName" . }}{{ else }}{{ include "workqueue.fullname" . }}-worker{{ end }}
{{- end }}

{{- define "workqueue.worker.labels" -}}
{{- merge (include "workqueue.labels" (list . "worker") | fromYaml) .Values.worker.labels | toYaml }}
{{- end }}

{{/*
With hooks, a queue that was never seeded is one that Redis has lost; without hooks, its items are still to come. It is an
annotation, and not part of what the Job is named by, so that the Job has the same name with hooks and without.
*/}}
{{- define "workqueue.worker.seedTimeout" -}}
{{- ternary "10s" "0s" .Values.hooks.enabled }}
{{- end }}

{{/* The template of the worker pods, as a Deployment or a Job has it. The Job adds its own labels. */}}
{{- define "workqueue.worker.template" -}}
metadata:
  labels:
    {{- include "workqueue.podLabels" (list . "worker" .Values.worker.podLabels) | nindent 4 }}
  annotations:
    {{- merge (dict "kubectl.kubernetes.io/default-container" "worker") .Values.worker.podAnnotations | toYaml | nindent 4 }}
spec:
  {{- include "workqueue.worker.podSpec" . | nindent 2 }}
{{- end }}

{{- define "workqueue.worker.podSpec" -}}
{{- $own := not .Values.worker.image }}
{{- $env := include "workqueue.worker.env" . | fromYamlArray }}
{{- $mounts := .Values.worker.extraVolumeMounts }}
{{- $volumes := .Values.worker.extraVolumes }}
{{- $mounts = concat (include "workqueue.redis.volumeMounts" . | fromYamlArray) $mounts }}
{{- $volumes = concat (include "workqueue.redis.volumes" . | fromYamlArray) $volumes }}
{{- if not $own }}
{{- $mounts = prepend $mounts (include "workqueue.injectedMount" . | fromYaml) }}
{{- $volumes = prepend $volumes (include "workqueue.injectedVolume" . | fromYaml) }}
{{- $tmp := false }}
{{- range $mounts }}{{ if eq (clean .mountPath) "/tmp" }}{{ $tmp = true }}{{ end }}{{ end }}
{{- if not $tmp }}
{{- $mounts = append $mounts (dict "name" "tmp" "mountPath" "/tmp") }}
{{- $volumes = append $volumes (dict "name" "tmp" "emptyDir" dict) }}
{{- end }}
{{- end }}
{{- with .Values.worker -}}
{{- mustMergeOverwrite (include "workqueue.podDefaults" $ | fromYaml) (dict "automountServiceAccountToken" $.Values.serviceAccount.automount) | toYaml }}
restartPolicy: {{ ternary "Never" "Always" (eq .kind "Job") }}
serviceAccountName: {{ include "workqueue.serviceAccountName" $ }}
terminationGracePeriodSeconds: {{ int64 .terminationGracePeriodSeconds }}
{{- with .podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if and (not $own) (eq .inject "init") }}
initContainers:
  - {{- include "workqueue.installContainer" (list $ .resources) | nindent 4 }}
{{- end }}
containers:
  - name: worker
    {{- if $own }}
    image: {{ include "workqueue.workerImage" $ }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    {{- else }}
    image: {{ .image }}
    {{- with .imagePullPolicy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    command: [/workqueue/worker]
    {{- end }}
    args: [work]
    env:
      {{- concat $env .extraEnv | toYaml | nindent 6 }}
    {{- with .extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if .metrics.enabled }}
    ports:
      - name: metrics
        containerPort: {{ int64 .metrics.port }}
    {{- end }}
    {{- with .resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $mounts }}
    volumeMounts:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- with $volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "workqueue.worker.env" -}}
{{- include "workqueue.env" . }}
{{- with .Values.worker }}
{{- with .command }}
- name: WQ_COMMAND
  value: {{ toRawJson . | quote }}
{{- end }}
- name: WQ_MODE
  value: {{ .mode }}
- name: WQ_DELIMITER
  value: {{ .delimiter }}
{{- if eq .mode "batch" }}
- name: WQ_BATCH_SIZE
  value: {{ int64 .batchSize | quote }}
{{- else if eq .mode "stream" }}
- name: WQ_IN_FLIGHT
  value: {{ int64 .inFlight | quote }}
- name: WQ_START_TIMEOUT
  value: {{ .startTimeout | quote }}
{{- else }}
- name: WQ_CAPTURE
  value: {{ .capture | quote }}
{{- end }}
- name: WQ_RESULT_BYTES
  value: {{ int64 .resultBytes | quote }}
- name: WQ_MAX_RESULTS
  value: {{ int64 .maxResults | quote }}
- name: WQ_OUTPUT
  value: {{ .output }}
- name: WQ_CONCURRENCY
  value: {{ int64 .concurrency | quote }}
- name: WQ_LEASE
  value: {{ .lease | quote }}
- name: WQ_RETENTION
  value: {{ $.Values.queue.retention | quote }}
- name: WQ_MAX_ATTEMPTS
  value: {{ int64 .maxAttempts | quote }}
- name: WQ_MAX_CRASHES
  value: {{ int64 .maxCrashes | quote }}
- name: WQ_MAX_DEAD
  value: {{ int64 .maxDead | quote }}
- name: WQ_STOP_AFTER_DEAD
  value: {{ ternary (int64 .stopAfterDead) 0 (eq .kind "Job") | quote }}
- name: WQ_BACKOFF_INITIAL
  value: {{ .backoff.initial | quote }}
- name: WQ_BACKOFF_MAX
  value: {{ .backoff.max | quote }}
- name: WQ_ITEM_TIMEOUT
  value: {{ .itemTimeout | quote }}
- name: WQ_GRACE
  value: {{ sub .terminationGracePeriodSeconds 5 }}s
- name: WQ_DEAD_EXIT_CODES
  value: {{ join "," .deadExitCodes | quote }}
- name: WQ_SNOOZE_EXIT_CODES
  value: {{ join "," .snoozeExitCodes | quote }}
{{- if .metrics.enabled }}
- name: WQ_METRICS_ADDR
  value: {{ printf ":%d" (int64 .metrics.port) | quote }}
{{- end }}
{{- end }}
# An annotation, so that the pods are the same, and the Job's name with them, with hooks and without.
- name: WQ_SEED_TIMEOUT
  valueFrom:
    fieldRef:
      fieldPath: metadata.annotations['workqueue/seed-timeout']
- name: WQ_HOST
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: WQ_NODE
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- end }}
