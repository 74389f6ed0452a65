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
