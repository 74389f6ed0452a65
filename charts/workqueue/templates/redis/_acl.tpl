{{/*
What the user may do: this release's keys, with any command on data that is not dangerous, for KEDA and people use others than
the workers. The keys are those of every run, for Redis outlives them.
*/}}
{{- define "workqueue.redis.rules" -}}
{{- /* A character with a meaning in a pattern is any character. */}}
{{- $queue := .Values.queue.name | default (printf "%s*" (include "workqueue.queueStem" .)) }}
{{- if .Values.queue.name }}{{ $queue = regexReplaceAll "[*?\\[\\]\\\\]" $queue "?" }}{{ end }}
- {{ printf "~%s" $queue | quote }}
- {{ printf "~{%s}:*" $queue | quote }}
- resetchannels
- -@all
- +@read
- +@write
- +@connection
- +@transaction
- +eval
- +evalsha
- -@dangerous
- +info
- +sort
- +time
- +client|setname
{{- end }}
