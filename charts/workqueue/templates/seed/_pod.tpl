{{/*
What seeds, as {container, volumes}: a container like that of any verb, with the volumes that items come from, and in your image if your
program lists them. The seed Job has a pod for it. With a schedule it is an init container of the worker pods.
*/}}
{{- define "workqueue.seed.parts" -}}
{{- $from := .Values.itemsFrom }}
{{- /* An upgrade deletes the former items, which a run that goes on has read by then. */}}
{{- $volumes := list (dict "name" "items" "configMap" (merge (dict "name" (include "workqueue.seed.itemsName" .)) (ternary (dict "optional" true) dict (not (empty .Values.schedule))))) }}
{{- $mounts := list (dict "name" "items" "mountPath" "/etc/workqueue" "readOnly" true) }}
{{- $paths := list }}
{{- if $from.text }}{{ $paths = append $paths "/etc/workqueue/itemsFrom.text" }}{{ end }}
{{- with $from.configMap }}{{- if .name }}
{{- $volumes = append $volumes (dict "name" "configmap" "configMap" (dict "name" .name)) }}
{{- $paths = append $paths (printf "/items/configmap/%s" .key) }}
{{- end }}{{- end }}
{{- with $from.secret }}{{- if .name }}
{{- $volumes = append $volumes (dict "name" "secret" "secret" (dict "secretName" .name)) }}
{{- $paths = append $paths (printf "/items/secret/%s" .key) }}
{{- end }}{{- end }}
{{- with $from.volume }}
{{- $volumes = append $volumes (merge (dict "name" "volume") .) }}
{{- $paths = append $paths (printf "/items/volume/%s" $from.path) }}
{{- end }}
{{- range rest $volumes }}
{{- $mounts = append $mounts (dict "name" .name "mountPath" (printf "/items/%s" .name) "readOnly" true) }}
{{- end }}
{{- $env := include "workqueue.seed.env" . | fromJson }}
{{- with $paths }}{{ $_ := set $env "WQ_ITEMS_PATHS" (join "," .) }}{{ end }}
{{- $spec := include "workqueue.verbPodSpec" (dict "root" . "verb" "seed" "env" $env "resources" .Values.seed.resources) | fromYaml }}
{{- $container := first $spec.containers }}
{{- if $from.command }}
{{- $image := $from.image | default .Values.worker.image }}
{{- $_ := set $container "image" $image }}
{{- $_ := set $container "command" (list "/workqueue/worker") }}
{{- $_ := set $container "env" (concat $container.env (include "workqueue.home" . | fromYamlArray)) }}
{{- $_ := set $container "securityContext" .Values.worker.securityContext }}
{{- if or $from.image (not .Values.worker.imagePullPolicy) }}
{{- $_ := unset $container "imagePullPolicy" }}
{{- else }}
{{- $_ := set $container "imagePullPolicy" .Values.worker.imagePullPolicy }}
{{- end }}
{{- $volumes = concat $volumes (list (include "workqueue.injectedVolume" . | fromYaml) (dict "name" "tmp" "emptyDir" dict)) }}
{{- $mounts = concat $mounts (list (include "workqueue.injectedMount" . | fromYaml) (dict "name" "tmp" "mountPath" "/tmp")) }}
{{- end }}
{{- with .Values.seed }}
{{- with .extraEnv }}{{ $_ := set $container "env" (concat $container.env .) }}{{ end }}
{{- with .extraEnvFrom }}{{ $_ := set $container "envFrom" . }}{{ end }}
{{- end }}
{{- $_ := set $container "volumeMounts" (concat $mounts ($container.volumeMounts | default list)) }}
{{- dict "container" $container "volumes" (concat $volumes ($spec.volumes | default list)) | toYaml }}
{{- end }}

{{/* The pod of the seed Job. */}}
{{- define "workqueue.seed.podSpec" -}}
{{- $parts := include "workqueue.seed.parts" . | fromYaml }}
{{- $spec := mustMergeOverwrite (include "workqueue.podDefaults" . | fromYaml) (include "workqueue.podOptions" .Values.system | fromYaml) (dict
  "restartPolicy" "Never" "containers" (list $parts.container) "volumes" $parts.volumes) }}
{{- if or .Values.itemsFrom.command .Values.itemsFrom.volume }}
{{- $_ := set $spec "securityContext" .Values.worker.podSecurityContext }}
{{- end }}
{{- if and .Values.itemsFrom.command (eq .Values.worker.inject "init") }}
{{- $_ := set $spec "initContainers" (list (include "workqueue.installContainer" (list . .Values.seed.resources) | fromYaml)) }}
{{- end }}
{{- with .Values.seed.serviceAccountName }}{{ $_ := set $spec "serviceAccountName" . }}{{ end }}
{{- toYaml $spec }}
{{- end }}

{{/* The variables of what seeds, as JSON. */}}
{{- define "workqueue.seed.env" -}}
{{- $env := merge (include "workqueue.run.env" . | fromJson) (dict
  "WQ_ITEMS_FILE" "/etc/workqueue/items.json"
  "WQ_SEAL" .Values.queue.seal
  "WQ_SEED_ID" (include "workqueue.inputsHash" .)
  "WQ_LEASE" .Values.worker.lease
  "WQ_RETENTION" .Values.queue.retention) }}
{{- if .Values.queue.unique }}{{ $_ := set $env "WQ_UNIQUE" true }}{{ end }}
{{- if .Values.itemsFrom.allowEmpty }}{{ $_ := set $env "WQ_ALLOW_EMPTY" true }}{{ end }}
{{- if .Values.queue.skipDone }}{{ $_ := set $env "WQ_SKIP_DONE" true }}{{ end }}
{{- with .Values.itemsFrom }}
{{- if include "workqueue.sources" $ }}{{ $_ := set $env "WQ_DELIMITER" .delimiter }}{{ end }}
{{- with .range }}{{ $_ := set $env "WQ_ITEMS_RANGE" . }}{{ end }}
{{- with .command }}{{ $_ := set $env "WQ_ITEMS_COMMAND" . }}{{ end }}
{{- end }}
{{- toJson $env }}
{{- end }}
