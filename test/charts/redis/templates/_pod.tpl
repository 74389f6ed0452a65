{{/* What is the same in each container: env, mounts, security. */}}
{{- define "container" -}}
image: {{ .Values.image }}
env:
  - {name: NAME, value: {{ .Release.Name }}}
  - {name: DOMAIN, value: {{ include "domain" . }}}
  - {name: KIND, value: {{ .Values.kind }}}
  - {name: PORT, value: {{ .Values.port | quote }}}
  - {name: TLS, value: {{ .Values.tls | quote }}}
  {{- with .Values.password }}
  - {name: REDISCLI_AUTH, value: {{ . | quote }}}
  {{- end }}
  - {name: SENTINEL_PASSWORD, value: {{ .Values.sentinelPassword | quote }}}
volumeMounts:
  - {name: config, mountPath: /etc/redis}
  - {name: scripts, mountPath: /scripts}
  - {name: credentials, mountPath: /tls}
  - {name: data, mountPath: /data}
# Sentinels that have to wait for the processor take no decisions (TILT).
resources: {requests: {cpu: 50m, memory: 32Mi}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "pod" -}}
securityContext: {runAsNonRoot: true, runAsUser: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
automountServiceAccountToken: false
volumes:
  - {name: config, secret: {secretName: {{ .Release.Name }}-server}}
  - {name: scripts, configMap: {name: {{ .Release.Name }}-scripts, defaultMode: 0755}}
  - {name: credentials, secret: {secretName: {{ .Release.Name }}}}
  - {name: data, emptyDir: {}}
{{- end }}

{{- define "domain" -}}
{{ .Release.Name }}.{{ .Release.Namespace }}.svc
{{- end }}
