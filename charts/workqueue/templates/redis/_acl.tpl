{{/*
What the user may do: any command on data that is not dangerous, with the keys of this release. People and KEDA need other
commands than the workers. The keys are those of every run, because Redis outlives them.
*/}}
{{- define "workqueue.redis.rules" -}}
{{- /* A character with a meaning in a pattern is any character. */}}
{{- $queue := .Values.queue.name | default (printf "%s*" (include "workqueue.queueStem" .)) }}
{{- if .Values.queue.name }}{{ $queue = regexReplaceAll "[*?\\[\\]\\\\]" $queue "?" }}{{ end }}
- {{ printf "~%s" $queue | include "workqueue.literal" | quote }}
- {{ printf "~{%s}:*" $queue | include "workqueue.literal" | quote }}
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
