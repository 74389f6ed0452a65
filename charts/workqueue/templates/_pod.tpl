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
{{- define "workqueue.failJobRule" -}}
- action: FailJob
  onExitCodes:
    containerName: {{ . }}
    operator: In
    values: [65, 70, 78]
{{- end }}

{{- define "workqueue.podFailurePolicy" -}}
rules:
  {{- include "workqueue.failJobRule" . | nindent 2 }}
  - action: Ignore
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
{{- end }}
