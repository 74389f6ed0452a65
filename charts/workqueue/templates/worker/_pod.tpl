{{- define "workqueue.worker.name" -}}
{{- if .Values.schedule }}{{ include "workqueue.fullname" . }}{{ else if eq .Values.worker.kind "Job" }}{{ include "workqueue.worker.jobName" . }}{{ else }}{{ include "workqueue.fullname" . }}-worker{{ end }}
{{- end }}

{{/* Why the worker Job that is there has failed, in a word of Kubernetes; empty if it has not. */}}
{{- define "workqueue.worker.failure" -}}
{{- if and (eq .Values.worker.kind "Job") (not .Values.schedule) }}
{{- $job := lookup "batch/v1" "Job" .Release.Namespace (include "workqueue.worker.name" .) }}
{{- range (dig "status" "conditions" list $job) }}
{{- if and (eq .type "Failed") (eq .status "True") }}{{ .reason }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
How many worker pods. A pod more than there are items would have nothing to do; how many items come from elsewhere, or later, is
not known here.
*/}}
{{- define "workqueue.worker.parallelism" -}}
{{- $pods := int64 .Values.worker.parallelism }}
{{- if and (eq .Values.worker.kind "Job") .Values.queue.seal (not (include "workqueue.sources" .)) }}
{{- $pods = min $pods (len (.Values.items | default list)) }}
{{- end }}
{{- $pods }}
{{- end }}

{{- define "workqueue.worker.labels" -}}
{{- merge (include "workqueue.labels" (list . "worker") | fromYaml) .Values.worker.labels | toYaml }}
{{- end }}

{{/*
With hooks, or a schedule, a queue that was never seeded is one that Redis has lost; without, its items are still to come. It is an
annotation, and not part of what the Job is named by, so that the Job has the same name with hooks and without.
*/}}
{{- define "workqueue.worker.seedTimeout" -}}
{{- ternary "10s" "0s" (or (eq "true" (include "workqueue.hooks" .)) (not (empty .Values.schedule))) }}
{{- end }}

{{/* The template of the worker pods, as a Deployment or a Job has it. The Job adds its own labels. */}}
{{- define "workqueue.worker.template" -}}
metadata:
  labels:
    {{- include "workqueue.podLabels" (list . "worker" .Values.worker.podLabels) | nindent 4 }}
  annotations:
    {{- include "workqueue.clientAnnotations" (list . (merge (dict "kubectl.kubernetes.io/default-container" "worker") .Values.worker.podAnnotations)) | nindent 4 }}
spec:
  {{- include "workqueue.worker.podSpec" . | nindent 2 }}
{{- end }}

{{- define "workqueue.worker.podSpec" -}}
{{- $own := not .Values.worker.image }}
{{- $volumes := include "workqueue.worker.volumes" . | fromYaml }}
{{- with .Values.worker -}}
{{- mustMergeOverwrite (include "workqueue.podDefaults" $ | fromYaml) (dict "automountServiceAccountToken" $.Values.serviceAccount.automount) | toYaml }}
restartPolicy: {{ ternary "Never" "Always" (eq .kind "Job") }}
serviceAccountName: {{ include "workqueue.serviceAccountName" $ }}
terminationGracePeriodSeconds: {{ int64 .terminationGracePeriodSeconds }}
{{- include "workqueue.podOptions" . }}
{{- $env := concat (include "workqueue.worker.env" $ | include "workqueue.toEnv" | fromYamlArray) (include "workqueue.home" $ | fromYamlArray) .extraEnv }}
{{- $init := concat .sidecars .initContainers }}
{{- if $.Values.schedule }}
{{- $init = append $init (include "workqueue.seed.parts" $ | fromYaml).container }}
{{- end }}
{{- if and (eq .inject "init") (or (not $own) (include "workqueue.worker.lists" $)) }}
{{- $init = prepend $init (include "workqueue.installContainer" (list $ .resources) | fromYaml) }}
{{- end }}
{{- with $init }}
initContainers:
  {{- toYaml . | nindent 2 }}
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
      {{- toYaml $env | nindent 6 }}
    {{- with .extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if .metrics.enabled }}
    ports:
      - name: metrics
        containerPort: {{ int64 .metrics.port }}
    {{- end }}
    {{- range $key, $value := pick . "resources" "securityContext" "lifecycle" }}
    {{- with $value }}
    {{ $key }}:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with concat $volumes.mounts .extraVolumeMounts }}
    volumeMounts:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- with concat $volumes.volumes .extraVolumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/*
HOME for your image's programs, as a list of one or none. The user that the values choose has no home in your image, and many
programs write to it. If the values leave the user to the image, so is the home.
*/}}
{{- define "workqueue.home" -}}
{{- $set := false }}
{{- range concat .Values.worker.extraEnv .Values.seed.extraEnv }}{{ if eq .name "HOME" }}{{ $set = true }}{{ end }}{{ end }}
{{- if and .Values.worker.podSecurityContext.runAsUser (not $set) }}
- name: HOME
  value: /tmp
{{- end }}
{{- end }}

{{/* Whether the worker pods run your program that lists items: "true" or nothing. */}}
{{- define "workqueue.worker.lists" -}}
{{- if and .Values.schedule .Values.itemsFrom.command }}true{{ end }}
{{- end }}

{{/*
The volumes of a worker pod and the mounts of its worker that are the chart's own. Your image gets a writable /tmp, unless you mount one.
*/}}
{{- define "workqueue.worker.volumes" -}}
{{- $mounts := include "workqueue.redis.volumeMounts" . | fromYamlArray }}
{{- $volumes := include "workqueue.redis.volumes" . | fromYamlArray }}
{{- if .Values.worker.image }}
{{- $mounts = prepend $mounts (include "workqueue.injectedMount" . | fromYaml) }}
{{- $volumes = prepend $volumes (include "workqueue.injectedVolume" . | fromYaml) }}
{{- $tmp := false }}
{{- range .Values.worker.extraVolumeMounts }}{{ if eq (clean .mountPath) "/tmp" }}{{ $tmp = true }}{{ end }}{{ end }}
{{- if not $tmp }}
{{- $mounts = append $mounts (dict "name" "tmp" "mountPath" "/tmp") }}
{{- $volumes = append $volumes (dict "name" "tmp" "emptyDir" dict) }}
{{- end }}
{{- end }}
{{- if .Values.schedule }}
{{- $volumes = concat $volumes (include "workqueue.seed.parts" . | fromYaml).volumes | uniq }}
{{- end }}
{{- dict "mounts" $mounts "volumes" $volumes | toYaml }}
{{- end }}

{{/* The variables of the workers, as JSON. */}}
{{/* How many seconds running items may go on after SIGTERM. Three more are for the last reports. */}}
{{- define "workqueue.worker.grace" -}}
{{- sub .Values.worker.terminationGracePeriodSeconds (trimSuffix "s" .Values.worker.killAfter | int | add 3) }}
{{- end }}

{{- define "workqueue.worker.env" -}}
{{- $env := merge (include "workqueue.run.env" . | fromJson) (include "workqueue.env" . | fromJson) }}
{{- with .Values.worker }}
{{- $env = merge $env (dict
  "WQ_MODE" .mode
  "WQ_INPUT" .input
  "WQ_DELIMITER" .delimiter
  "WQ_RECORD" .record
  "WQ_RESULT_BYTES" .resultBytes
  "WQ_MAX_RESULTS" .maxResults
  "WQ_MAX_RECORD_MIB" .maxRecordMiB
  "WQ_OUTPUT" .output
  "WQ_CONCURRENCY" .concurrency
  "WQ_LEASE" .lease
  "WQ_RETENTION" $.Values.queue.retention
  "WQ_MAX_ATTEMPTS" .maxAttempts
  "WQ_MAX_CRASHES" .maxCrashes
  "WQ_MAX_SNOOZES" .maxSnoozes
  "WQ_MAX_DEAD" .maxDead
  "WQ_BACKOFF_INITIAL" .backoff.initial
  "WQ_BACKOFF_MAX" .backoff.max
  "WQ_KILL_AFTER" .killAfter
  "WQ_GRACE" (printf "%ds" (include "workqueue.worker.grace" $ | int))
  "WQ_DEAD_EXIT_CODES" (join "," .deadExitCodes)
  "WQ_SNOOZE_EXIT_CODES" (join "," .snoozeExitCodes)
  "WQ_HOST" (include "workqueue.fieldRef" "metadata.name" | fromYaml)
  "WQ_NODE" (include "workqueue.fieldRef" "spec.nodeName" | fromYaml)
  "WQ_SEED_TIMEOUT" (include "workqueue.fieldRef" "metadata.annotations['workqueue/seed-timeout']" | fromYaml)
) }}
{{- with .command }}{{ $_ := set $env "WQ_COMMAND" . }}{{ end }}
{{- if and .printItems (not .command) }}{{ $_ := set $env "WQ_PRINT_ITEMS" true }}{{ end }}
{{- with .rate }}{{ $_ := set $env "WQ_RATE" . }}{{ end }}
{{- with .image }}{{ $_ := set $env "WQ_IMAGE" . }}{{ end }}
{{- if $.Values.queue.skipDone }}{{ $_ := set $env "WQ_SKIP_DONE" true }}{{ end }}
{{- if eq .mode "batch" }}{{ $_ := set $env "WQ_BATCH_SIZE" .batchSize }}
{{- else if eq .mode "stream" }}{{ $env = merge $env (dict "WQ_IN_FLIGHT" .inFlight "WQ_START_TIMEOUT" .startTimeout) }}
{{- end }}
{{- if not (kindIs "invalid" .itemTimeout) }}{{ $_ := set $env "WQ_ITEM_TIMEOUT" .itemTimeout }}{{ end }}
{{- if ne .kind "Job" }}{{ $_ := set $env "WQ_STOP_AFTER_DEAD" 0 }}
{{- else if not (kindIs "invalid" .stopAfterDead) }}{{ $_ := set $env "WQ_STOP_AFTER_DEAD" .stopAfterDead }}
{{- end }}
{{- with $.Values.finally }}{{ if .command }}
{{- $env = merge $env (dict "WQ_FINALLY" .command "WQ_FINALLY_TIMEOUT" .timeout "WQ_FINALLY_MAX_ATTEMPTS" .maxAttempts) }}
{{- end }}{{ end }}
{{- if .metrics.enabled }}{{ $_ := set $env "WQ_METRICS_ADDR" (printf ":%d" (int64 .metrics.port)) }}{{ end }}
{{- end }}
{{- toJson $env }}
{{- end }}

{{/* The variables that say whose run a pod is part of, and which one of a schedule, as JSON. */}}
{{- define "workqueue.run.env" -}}
{{- $env := dict "WQ_RELEASE" (include "workqueue.release" .) }}
{{- if .Values.schedule }}
{{- $_ := set $env "WQ_JOB" (include "workqueue.fieldRef" "metadata.labels['batch.kubernetes.io/job-name']" | fromYaml) }}
{{- $_ := set $env "WQ_JOB_UID" (include "workqueue.fieldRef" "metadata.labels['batch.kubernetes.io/controller-uid']" | fromYaml) }}
{{- end }}
{{- toJson $env }}
{{- end }}

{{- define "workqueue.fieldRef" -}}
valueFrom:
  fieldRef:
    fieldPath: {{ . }}
{{- end }}
