{{- define "workqueue.redis.serviceName" -}}
{{- .Values.redis.serviceName | default (printf "%s-redis" (include "workqueue.fullname" .)) }}
{{- end }}

{{/* Where a Redis is that is not the chart's own; empty if it is. */}}
{{- define "workqueue.redis.external" -}}
{{- with .Values.redis.external }}{{ .url | default (join "," .addresses) }}{{ end }}
{{- end }}

{{/* Whether the password of Redis is made up here: "true" or nothing. */}}
{{- define "workqueue.redis.generatesPassword" -}}
{{- if and (include "workqueue.asHooks" (list . .Values.redis.generatePassword)) (not .Values.redis.password) (not .Values.redis.existingSecret.name) (not (include "workqueue.redis.external" .)) }}true{{ end }}
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

{{/* Variables that say where Redis is, and with which credentials to connect, as JSON. */}}
{{- define "workqueue.redis.env" -}}
{{- $env := dict "WQ_REDIS_UNREACHABLE_TIMEOUT" .Values.redis.unreachableTimeout }}
{{- $optional := dict }}
{{- if not (include "workqueue.redis.external" .) }}
{{- $_ := set $env "WQ_REDIS_URL" (printf "redis://%s:6379/0" (include "workqueue.redis.serviceName" .)) }}
{{- $_ := set $optional "WQ_REDIS_USERNAME" (include "workqueue.redis.user" .) }}
{{- else }}
{{- with .Values.redis.external }}
{{- $optional = dict
  "WQ_REDIS_URL" .url
  "WQ_REDIS_ADDRS" (join "," .addresses)
  "WQ_REDIS_USERNAME" .username
  "WQ_REDIS_CLUSTER" .cluster
  "WQ_REDIS_SENTINEL_MASTER" .sentinel.master
  "WQ_REDIS_SENTINEL_USERNAME" .sentinel.username
  "WQ_REDIS_TLS" .tls.enabled
  "WQ_REDIS_TLS_SERVER_NAME" .tls.serverName }}
{{- if and .sentinel.master .sentinel.existingSecret.name }}
{{- $_ := set $env "WQ_REDIS_SENTINEL_PASSWORD" (dict "valueFrom" (dict "secretKeyRef" .sentinel.existingSecret)) }}
{{- end }}
{{- if .tls.existingSecret }}
{{- $_ := set $env "WQ_REDIS_TLS_CA" "/etc/redis-tls/ca.crt" }}
{{- if .tls.clientCertificate }}
{{- $_ := set $env "WQ_REDIS_TLS_CERT" "/etc/redis-tls/tls.crt" }}
{{- $_ := set $env "WQ_REDIS_TLS_KEY" "/etc/redis-tls/tls.key" }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := $optional }}{{ if $value }}{{ $_ := set $env $name $value }}{{ end }}{{ end }}
{{- with include "workqueue.redis.passwordFrom" . }}
{{- $_ := set $env "WQ_REDIS_PASSWORD" (dict "valueFrom" (dict "secretKeyRef" (fromYaml .))) }}
{{- end }}
{{- toJson $env }}
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
