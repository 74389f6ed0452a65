{{/*
Everything the schema cannot refuse. Each check prints a line: the value's name, what was found, the way out. All of
them are reported at once.
*/}}
{{- define "workqueue.validate" -}}
{{- $wrong := "" }}
{{- range list "items" "itemsFrom" "schedule" "worker" "scaling" "redis" "monitor" "global" "collisions" "cluster" }}
{{- $wrong = print $wrong "\n" (include (print "workqueue.validate." .) $) }}
{{- end }}
{{- with regexReplaceAll "\\n\\s*" $wrong "\n" | trim }}
{{- fail (print "\n" .) }}
{{- end }}
{{- end }}

{{- define "workqueue.validate.items" }}
{{- $items := .Values.items }}
{{- if not (kindIs "slice" $items) }}
items: expected a list, such as `items: [apple, banana]`, and found {{ include "workqueue.kind" $items }}
{{- else }}
{{- if and .Values.queue.seal (not $items) (not .Values.itemsFrom.allowEmpty) (not (include "workqueue.sources" .)) }}
items: the list is empty, so there is nothing to do; list the items, or say in itemsFrom where they are, or set queue.seal=false to add them to the queue later
{{- end }}
{{- range $i, $item := $items }}
{{- if kindIs "invalid" $item }}
items[{{ $i }}] is null; remove it, or quote it if the word itself is meant
{{- else if kindIs "bool" $item }}
items[{{ $i }}] is a boolean ({{ $item }}); quote it if the word itself is meant: YAML takes yes, no, on and off for booleans
{{- else if kindIs "slice" $item }}
items[{{ $i }}] is a list; an item is a string, a number or an object
{{- else if not (kindIs "string" $item) }}
{{- include "workqueue.validate.exact" (list (printf "items[%d]" $i) $item) }}
{{- end }}
{{- end }}
{{- $size := len (toRawJson $items) }}
{{- if gt $size 921600 }}
items: {{ len $items }} items take {{ div $size 1024 }} KiB, more than the 900 KiB that a ConfigMap can carry; take them from a volume, a range or a program with itemsFrom, or install with items: [] and queue.seal=false, and push them
{{- end }}
{{- end }}
{{- end }}

{{/* What YAML has changed without a warning, in a value and all within it: (list path value). */}}
{{- define "workqueue.validate.exact" }}
{{- $path := index . 0 }}
{{- $value := index . 1 }}
{{- if kindIs "map" $value }}
{{- range $key, $within := $value }}
{{- if has $key (list "true" "false") }}
{{ $path }} has the key {{ $key }}, which YAML makes of y, yes, on, n, no and off; quote the key
{{- end }}
{{- include "workqueue.validate.exact" (list (printf "%s.%s" $path $key) $within) }}
{{- end }}
{{- else if kindIs "slice" $value }}
{{- range $i, $within := $value }}
{{- include "workqueue.validate.exact" (list (printf "%s[%d]" $path $i) $within) }}
{{- end }}
{{- else if and (kindIs "float64" $value) (or (ge $value 9007199254740992.0) (le $value -9007199254740992.0)) }}
{{ $path }} is a number too large to be exact (it became {{ printf "%.0f" $value }}); quote it
{{- end }}
{{- end }}

{{- define "workqueue.kind" -}}
{{- get (dict "invalid" "nothing" "string" "text" "bool" "a boolean" "float64" "a number" "int64" "a number" "int" "a number" "map" "an object" "slice" "a list") (kindOf .) | default (kindOf .) }}
{{- end }}

{{/* A program and its arguments: (list path value). */}}
{{- define "workqueue.validate.command" }}
{{- $path := index . 0 }}
{{- $command := index . 1 }}
{{- if kindIs "slice" $command }}
{{- range $i, $argument := $command }}
{{- if not (kindIs "string" $argument) }}
{{ $path }}[{{ $i }}] is {{ include "workqueue.kind" $argument }}; an argument is text, so quote it
{{- else if contains "\r" $argument }}
{{ $path }}[{{ $i }}] has a carriage return, which a program takes for a part of a word; save the file with line feeds alone (dos2unix)
{{- end }}
{{- end }}
{{- else if kindIs "string" $command }}
{{ $path }}: expected a list of arguments, and found text; no shell splits it: write {{ splitList " " $command | compact | toRawJson }}, or {{ list "sh" "-c" $command | toRawJson }} for a shell
{{- else }}
{{ $path }}: expected a list of arguments, and found {{ include "workqueue.kind" $command }}; write it such as `[python, /app/main.py]`
{{- end }}
{{- end }}

{{/*
A placeholder in the text of a program, which would run whatever an item holds. As in worker/fields/code.go: programs, and the option that precedes
a text, may come after other programs; options, some with an operand, may stand before and between. Arguments are joined by NULs.
*/}}
{{- define "workqueue.validate.code" }}
{{- $kinds := list
  (list `(?:r?ba|da|a|z|k|mk|pdk|ya|fi|c|tc|elvi|)sh|pwsh|nu|xonsh|guile|i?python[0-9.]*|pypy[0-9.]*` `-[A-VYZa-z]*c[A-Za-z]*|-[A-Za-z]*(?:c[A-Za-z]*o|o[A-Za-z]*c)\x00[^\x00]*|--command|-[Cc]ommand`)
  (list `perl[0-9.]*|j?ruby[0-9.]*|node|nodejs|bun|deno|lua(?:jit)?[0-9.]*|Rscript|R|julia|elixir|groovy|scala|racket|octave` `-[A-Za-z0-9]*[eEp]|--eval|--print|eval`)
  (list `php[0-9.]*` `-[A-Za-z]*[rBRE]|--run|--process-(?:begin|code|end)`)
  (list `env` `-[A-Za-z0]*S|--split-string`)
  (list `(?:su|runuser|sg|flock|script)(?:\x00[^\x00]*)*` `-[A-Za-z]*c|--command`) }}
{{- $each := list }}
{{- range $kinds }}
{{- $programs := index . 0 }}
{{- $option := index . 1 }}
{{- $options := printf `(?:\x00[-+][^\x00]*|\x00[-+][A-Za-z]*[oOWXICrd]\x00[^\x00]*|\x00--(?:rcfile|init-file|require|import)\x00[^\x00]*|\x00(?:%s)\x00[^\x00]*)*` $option }}
{{- $each = append $each (printf `(?:%s)%s\x00(?:%s)(?:=|%s\x00)?` $programs $options $option $options) }}
{{- end }}
{{- $inCode := printf `(?s)^.*?\x00(?:[^\x00]*/)?(?:%s)(?:(?:[^\x00]*[^\x00\\${])?\{(?:#|\.(?:[^\x00}\\]|\\[^\x00])*)\}|(?:[^\x00]*[^\x00\\])?\{\})` (join "|" $each) }}
{{- $line := "" }}
{{- range . }}{{ $line = print $line "\x00" (toString .) }}{{ end }}
{{- with regexFind $inCode $line }}
{{- $found := regexFind `\{[^{]*$` . }}
worker.command[{{ sub (splitList "\x00" . | len) 2 }}]: {{ $found }} is in the text of a program, which would run whatever an item holds: leave it out of the text and add it as an argument of its own (for a shell, "$1" in the text and sh, "{{ $found }}" after it), or write \{{ $found }} for the text itself
{{- end }}
{{- end }}

{{- define "workqueue.validate.itemsFrom" }}
{{- with .Values.itemsFrom.text }}
{{- $items := sub (len (toRawJson $.Values.items)) 2 }}
{{- if gt (add (len .) $items) 921600 }}
itemsFrom.text: it has {{ len . }} bytes, and items {{ $items }} more, together above the 921600 that a ConfigMap can carry; leave it out, install with queue.seal=false, and push the file
{{- end }}
{{- /* JSON has \ufffd in place of what is not UTF-8. */}}
{{- if toRawJson . | replace "\\\\" "" | contains "\\ufffd" }}
itemsFrom.text: the text is not UTF-8; decompress the file if it is compressed, and save it as UTF-8
{{- else if regexMatch "[\\x7f\\x{85}\\x{fffe}\\x{ffff}]" . }}
itemsFrom.text: it has a character that Helm cannot carry (DEL, NEL, U+FFFE or U+FFFF); push the file instead
{{- end }}
{{- end }}
{{- if and (ne .Values.itemsFrom.format "lines") (ne .Values.itemsFrom.delimiter "newline") }}
itemsFrom.delimiter: {{ .Values.itemsFrom.delimiter }} is for the format lines, and itemsFrom.format is {{ .Values.itemsFrom.format }}; leave it out
{{- end }}
{{- include "workqueue.validate.command" (list "itemsFrom.command" .Values.itemsFrom.command) }}
{{- if and .Values.itemsFrom.command (not .Values.itemsFrom.image) (not .Values.worker.image) }}
itemsFrom.image: needed with itemsFrom.command, because the worker's own image holds no other program; name the image that the command is in
{{- end }}
{{- end }}

{{- define "workqueue.validate.schedule" }}
{{- with .Values.schedule }}
{{- if not (regexMatch `^(@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9a-z.]+)|[0-9A-Za-z*?,/-]+( +[0-9A-Za-z*?,/-]+){4})$` .) }}
schedule: {{ . | quote }} is not a cron schedule; write five fields, minute, hour, day of the month, month and day of the week, such as "0 3 * * *" for every night at three, or @hourly, @daily, @weekly or @monthly{{ if contains "TZ=" . }}, and the time zone in cronJob.timeZone{{ end }}
{{- end }}
{{- if ne $.Values.worker.kind "Job" }}
schedule: starts Jobs, and worker.kind is {{ $.Values.worker.kind }}; set worker.kind=Job
{{- end }}
{{- if not $.Values.queue.seal }}
queue.seal: with a schedule each run works on the lists that it has read, so its queue has to be closed after that; leave it out
{{- end }}
{{- if $.Values.queue.name }}
queue.name: with a schedule each run has a queue of its own, named after its Job; leave it out
{{- end }}
{{- if $.Values.rerun }}
rerun: with a schedule each run processes the items again anyway; leave it out
{{- end }}
{{- if $.Values.seed.serviceAccountName }}
seed.serviceAccountName: with a schedule the worker pods read the lists, under their own account; set serviceAccount.name
{{- end }}
{{- end }}
{{- end }}

{{- define "workqueue.validate.worker" }}
{{- with .Values.worker }}
{{- if and .again (or $.Values.schedule (ne .kind "Job")) }}
worker.again: starts the worker Job again, and {{ ternary "a schedule starts Jobs by itself" "a Deployment's pods never end" (not (empty $.Values.schedule)) }}; leave it out
{{- end }}
{{- include "workqueue.validate.command" (list "worker.command" .command) }}
{{- $mode := .mode }}
{{- /* As in worker/fields/command.go. */}}
{{- $name := `(?:[\pL\pM\pN_-]+(?: +[\pL\pM\pN_-]+)*|"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")` }}
{{- $field := printf `\{\.%s(?:\.%s)*\}` $name $name }}
{{- range $i, $argument := ternary .command list (kindIs "slice" .command) }}
{{- range regexFindAll (printf `(?s)(?:^|[^\\${])(?:\{#\}|%s|\{\.(?:[^}\\]|\\.)*\})|(?:^|[^\\])\{\}` $field) (toString $argument) -1 }}
{{- $found := trimPrefix (regexFind `^[^{]` .) . }}
{{- if ne $mode "exec" }}
worker.command[{{ $i }}]: {{ $found }} stands for one item, but with worker.mode={{ $mode }} the items come on standard input; leave it out
{{- else if not (regexMatch (printf `^(?:\{#?\}|%s)$` $field) $found) }}
worker.command[{{ $i }}]: {{ $found }} is not a field; write {.name} or {.name.name}, with letters, digits, _, - and single spaces, another name as a JSON string, {.{{ $found | trimPrefix "{." | trimSuffix "}" | toRawJson }}}, or \{{ $found }} for the text itself
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .mode "exec") (kindIs "slice" .command) }}
{{- include "workqueue.validate.code" .command }}
{{- end }}
{{- if and (eq .mode "exec") (not .image) (not .command) (not .printItems) }}
worker.command: missing, and worker.image; name the image and what to run in it for each item, such as `image: busybox:1.36, command: [echo, "{}"]`, or set worker.printItems=true to print the items only
{{- end }}
{{- if and .image (not .command) }}
worker.command: needed with worker.image, because a chart cannot read an image's entrypoint; write what to run for each item, such as `command: [python, /app/main.py, "{}"]`
{{- end }}
{{- if and .command (not .image) }}
worker.image: needed with worker.command, because the worker's own image holds no other program; name the image that the command is in
{{- end }}
{{- include "workqueue.validate.command" (list "finally.command" $.Values.finally.command) }}
{{- if $.Values.finally.command }}
{{- if not .image }}
worker.image: needed with finally.command, because the worker's own image holds no other program; name the image that the command is in
{{- end }}
{{- if ne .kind "Job" }}
finally.command: with worker.kind={{ .kind }} the run has no end after which it could run; leave it out
{{- end }}
{{- end }}
{{- if ne .mode "exec" }}
{{- if not .command }}
worker.command: needed with worker.mode={{ .mode }}; name the program that gets the items
{{- end }}
{{- if eq .record "results" }}
worker.record: results: with worker.mode={{ .mode }} standard output does not belong to one item; leave it out{{ if eq .mode "stream" }}: the program's responses carry its results{{ end }}
{{- end }}
{{- end }}
{{- if eq .kind "Job" }}
{{- if and .indexed (semverCompare "<1.31.0-0" $.Capabilities.KubeVersion.Version) }}
worker.indexed: needs Kubernetes 1.31, and this is {{ $.Capabilities.KubeVersion.Version }}; leave it out
{{- end }}
{{- if and .indexed (gt (int64 .backoffLimit) 100000) }}
worker.backoffLimit: {{ int64 .backoffLimit }} is more than the 100000 pods that Kubernetes lets an indexed Job lose; set a lower one
{{- end }}
{{- else }}
{{- if $.Values.queue.seal }}
queue.seal: a Deployment works on a queue without an end; set queue.seal=false, or worker.kind=Job
{{- end }}
{{- if .suspend }}
worker.suspend: is for a Job; set worker.parallelism=0 to have no pods of a Deployment
{{- end }}
{{- if .indexed }}
worker.indexed: is for a Job; a Deployment replaces its pods at once anyway, so leave it out
{{- end }}
{{- end }}
{{- if and .metrics.podMonitor.enabled (not .metrics.enabled) }}
worker.metrics.enabled: needed with worker.metrics.podMonitor, which has nothing else to read; set it to true
{{- end }}
{{- if lt (include "workqueue.worker.grace" $ | int) 0 }}
worker.terminationGracePeriodSeconds: {{ int64 .terminationGracePeriodSeconds }} leaves no time for worker.killAfter, {{ .killAfter }}, and three seconds for the last reports; raise it
{{- end }}
{{- if and (eq .kind "Job") (not (kindIs "invalid" .stopAfterDead)) }}
{{- $share := hasSuffix "%" (toString .stopAfterDead) }}
{{- $stop := trimSuffix "%" (toString .stopAfterDead) | float64 }}
{{- $most := trimSuffix "%" (toString .maxDead) | float64 }}
{{- if and (gt $stop 0.0) (eq $share (hasSuffix "%" (toString .maxDead))) (ternary (lt $stop $most) (le $stop $most) $share) }}
worker.stopAfterDead: {{ .stopAfterDead }} is not above worker.maxDead, {{ .maxDead }}: a run with so many dead items is still a success, and does not stop; raise it or leave it out
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "workqueue.validate.scaling" }}
{{- with .Values.worker }}
{{- range $key := list "keda" "autoscaling" }}
{{- if and (get $.Values.worker $key).enabled (eq $.Values.worker.kind "Job") }}
worker.{{ $key }}: scales a Deployment, not a Job; set worker.kind=Deployment, or worker.parallelism as you go
{{- end }}
{{- end }}
{{- if .autoscaling.enabled }}
{{- if .keda.enabled }}
worker.autoscaling: contradicts worker.keda, which makes a HorizontalPodAutoscaler itself; enable one of them
{{- end }}
{{- with .autoscaling }}
{{- if gt (int64 .minReplicas) (int64 .maxReplicas) }}
worker.autoscaling.minReplicas: {{ int64 .minReplicas }} is more than worker.autoscaling.maxReplicas, which is {{ int64 .maxReplicas }}
{{- end }}
{{- if not .metrics }}
worker.autoscaling.metrics: the list is empty, so there is nothing to scale by; leave it out to scale by CPU use
{{- end }}
{{- range .metrics }}
{{- if and (eq .type "Resource") (eq (dig "resource" "target" "type" "" .) "Utilization") }}
{{- if not (dig "requests" .resource.name "" $.Values.worker.resources) }}
worker.resources.requests.{{ .resource.name }}: needed with worker.autoscaling, whose metric is a share of it; request what a pod usually takes
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "workqueue.validate.redis" }}
{{- $external := include "workqueue.redis.external" . }}
{{- $password := include "workqueue.redis.passwordFrom" . }}
{{- with .Values.redis }}
{{- if and .password .existingSecret.name }}
redis.password: contradicts redis.existingSecret.name; set one of them
{{- end }}
{{- if and (eq (toString .generatePassword) "true") (not (include "workqueue.hooks" $)) }}
redis.generatePassword: without hooks, or a cluster that Helm can ask, nothing tells an install from an upgrade, so each rendering would make up another password; make a Secret yourself, and name it in redis.existingSecret.name
{{- end }}
{{- if and .acl.enabled $external }}
redis.acl: is about the chart's own Redis; make the user in yours, and name it in redis.external.username
{{- end }}
{{- if and .acl.enabled (not $password) }}
redis.acl: a user needs a password; set redis.existingSecret.name
{{- end }}
{{- with .external }}
{{- /* The schema would print the address, with the password in it. */}}
{{- if regexMatch "^[^/]*//.*:.*@" .url }}
redis.external.url: it holds a password, which the release would show; put that into a Secret, name the Secret in redis.existingSecret.name, and write only redis://host:6379/0 here
{{- else if not (regexMatch `^(rediss?://([^:@/\s]+@)?[^@\s]+)?$` .url) }}
redis.external.url: it is not an address such as redis://host:6379/0, or rediss://host:6379/0 for TLS
{{- end }}
{{- if and .sentinel.master .cluster }}
redis.external.cluster: contradicts redis.external.sentinel.master, for a Cluster has no Sentinels; set one of them
{{- end }}
{{- if and (or .sentinel.master .cluster) (not .addresses) (not (and .cluster .url)) }}
redis.external.addresses: needed with redis.external.sentinel.master and redis.external.cluster; list the Sentinels, or some nodes of the Cluster, as host:port
{{- end }}
{{- if and .addresses (not .sentinel.master) (not .cluster) }}
redis.external.addresses: are these Sentinels or nodes of a Cluster? Set redis.external.sentinel.master, or redis.external.cluster=true; for one server set redis.external.url instead
{{- end }}
{{- if and .username (not $password) }}
redis.external.username: a user needs a password; set redis.existingSecret.name
{{- end }}
{{- if and (or .username .tls.enabled .tls.existingSecret) (not $external) }}
redis.external.url: missing; the other values of redis.external are about the Redis at that address
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A parent chart may have globals of its own. */}}
{{- define "workqueue.validate.global" }}
{{- if not .Values.enabled }}
enabled: false has no effect here, since only the condition of a parent chart's dependency reads it; leave it out, or add `condition: {{ .Chart.Name }}.enabled` to that dependency
{{- end }}
{{- if .Chart.IsRoot }}
{{- range $key, $_ := omit .Values.global "imageRegistry" "imagePullSecrets" }}
global.{{ $key }}: this chart reads global.imageRegistry and global.imagePullSecrets alone; leave it out
{{- end }}
{{- end }}
{{- end }}

{{- define "workqueue.validate.monitor" }}
{{- with .Values.monitor }}
{{- if and (include "workqueue.monitor.enabled" $) .actions (not .existingSecret.name) }}
monitor.existingSecret.name: needed with monitor.actions; name a Secret whose key `token` has 16 characters or more
{{- end }}
{{- if and .ingress.enabled (not .ingress.host) }}
monitor.ingress.host: needed with monitor.ingress; write the name under which people open the page
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
monitor.httpRoute.parentRefs: needed with monitor.httpRoute; name the Gateway, such as [{name: web, namespace: gateways}]
{{- end }}
{{- $visitors := list }}
{{- range $key := list "ingress" "httpRoute" "podMonitor" }}
{{- if (get $.Values.monitor $key).enabled }}{{ $visitors = append $visitors (print "monitor." $key) }}{{ end }}
{{- end }}
{{- if ne .service.type "ClusterIP" }}{{ $visitors = append $visitors "monitor.service.type" }}{{ end }}
{{- if and $visitors (not (include "workqueue.monitor.enabled" $)) }}
monitor.enabled: needed with {{ join ", " $visitors }}; set it to true
{{- end }}
{{- if $.Values.worker.keda.enabled }}{{ $visitors = append $visitors "worker.keda" }}{{ end }}
{{- if and $visitors $.Values.networkPolicy.enabled (not .clients) }}
monitor.clients: needed with {{ join ", " $visitors }}, because the NetworkPolicy lets nobody reach the monitor otherwise; name who comes, such as `[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]`, or anybody: `[{ipBlock: {cidr: 0.0.0.0/0}}]`
{{- end }}
{{- end }}
{{- end }}

{{/* Names that the chart uses itself. Kubernetes would refuse them only after Redis and the seed Job ran. */}}
{{- define "workqueue.validate.collisions" }}
{{- $chartEnv := dict "worker" (include "workqueue.worker.env" . | fromJson) "seed" (mustMerge (include "workqueue.seed.env" . | fromJson) (include "workqueue.env" . | fromJson)) }}
{{- range $key, $env := $chartEnv }}
{{- $seen := list }}
{{- range (get $.Values $key).extraEnv }}
{{- if hasKey $env .name }}
{{ $key }}.extraEnv: {{ .name }} is set by another value of this chart; use that
{{- else if has .name $seen }}
{{ $key }}.extraEnv: {{ .name }} is there twice; leave one of them out
{{- end }}
{{- $seen = append $seen .name }}
{{- end }}
{{- end }}
{{- $own := include "workqueue.worker.volumes" . | fromYaml }}
{{- $volumes := list }}
{{- range $own.volumes }}{{ $volumes = append $volumes .name }}{{ end }}
{{- range .Values.worker.extraVolumes }}
{{- if has .name $volumes }}
worker.extraVolumes: the pod has a volume {{ .name }} already; give yours another name
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- $paths := list }}
{{- range $own.mounts }}{{ $paths = append $paths .mountPath }}{{ end }}
{{- range .Values.worker.extraVolumeMounts }}
{{- if has (clean .mountPath) $paths }}
worker.extraVolumeMounts: something is mounted at {{ .mountPath }} already; choose another mountPath
{{- end }}
{{- if not (has .name $volumes) }}
worker.extraVolumeMounts: there is no volume {{ .name }}; add it to worker.extraVolumes
{{- end }}
{{- $paths = append $paths (clean .mountPath) }}
{{- end }}
{{- $names := list "worker" "install" "seed" }}
{{- range $key := list "initContainers" "sidecars" }}
{{- range get $.Values.worker $key }}
{{- if has .name $names }}
worker.{{ $key }}: the pod has a container {{ .name }} already; give yours another name
{{- end }}
{{- $names = append $names .name }}
{{- if and (eq $key "sidecars") (ne (toString .restartPolicy) "Always") }}
worker.sidecars: {{ .name }} needs `restartPolicy: Always`, or the pod would wait for its end before it starts the worker; for a container that ends, use worker.initContainers
{{- end }}
{{- range .volumeMounts }}
{{- if not (has .name $volumes) }}
worker.{{ $key }}: there is no volume {{ .name }} for {{ $names | last }} to mount; add it to worker.extraVolumes
{{- end }}
{{- end }}
{{- range .ports }}
{{- if and $.Values.worker.metrics.enabled (or (eq (int64 .containerPort) (int64 $.Values.worker.metrics.port)) (eq (toString .name) "metrics")) }}
worker.{{ $key }}: a port of {{ $names | last }} is that of worker.metrics; choose another
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $reserved := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/managed-by" "app.kubernetes.io/version" "helm.sh/chart" "job-name" "batch.kubernetes.io/job-name" }}
{{- $labels := dict "commonLabels" .Values.commonLabels "worker.labels" .Values.worker.labels "worker.podLabels" .Values.worker.podLabels "redis.podLabels" .Values.redis.podLabels "monitor.podLabels" .Values.monitor.podLabels "system.podLabels" .Values.system.podLabels }}
{{- range $key, $map := $labels }}
{{- range $label, $_ := $map }}
{{- if has $label $reserved }}
{{ $key }}: the label {{ $label }} is set by this chart; leave it out
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What depends on the cluster: its version, and what is in the namespace. */}}
{{- define "workqueue.validate.cluster" }}
{{- $own := not (include "workqueue.redis.external" .) }}
{{- $redis := print (include "workqueue.fullname" .) "-redis" }}
{{- if and (eq .Values.worker.inject "image") (semverCompare "<1.35.0-0" .Capabilities.KubeVersion.Version) }}
{{- /* An older one drops the volume silently, and no pod would find the worker. */}}
worker.inject: an image as a volume needs Kubernetes 1.35, and this is {{ .Capabilities.KubeVersion.Version }}; set it to init
{{- end }}
{{- /* Helm checks the owner of an ordinary object before it takes it over, but not of a hook. */}}
{{- if include "workqueue.hooks" . }}
{{- $hooks := list (list "v1" "Secret" $redis) (list "v1" "ConfigMap" (include "workqueue.installed.name" .)) (list "v1" "ConfigMap" (include "workqueue.seed.itemsName" .)) }}
{{- if $own }}
{{- $hooks = concat $hooks (list (list "apps/v1" "StatefulSet" $redis) (list "v1" "Service" (include "workqueue.redis.serviceName" .))) }}
{{- end }}
{{- range $hooks }}
{{- $kind := index . 1 }}
{{- $name := index . 2 }}
{{- with lookup (index . 0) $kind $.Release.Namespace $name }}
{{- if ne (dig "app.kubernetes.io/instance" "" (.metadata.labels | default dict)) $.Release.Name }}
{{ ternary "redis.serviceName" "fullnameOverride" (eq $kind "Service") }}: the namespace has a {{ $kind }} {{ $name }} that is not this release's, and would be replaced by it; set another name
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Release.IsUpgrade }}
{{- include "workqueue.validate.upgrade" . }}
{{- end }}
{{- end }}

{{/* Changes that an upgrade would accept and not carry out. */}}
{{- define "workqueue.validate.upgrade" }}
{{- $installed := dig "data" "values" "{}" (lookup "v1" "ConfigMap" .Release.Namespace (include "workqueue.installed.name" .)) | fromJson }}
{{- $refused := false }}
{{- range $key, $is := include "workqueue.installed.values" . | fromJson }}
{{- $was := get $installed $key }}
{{- if and $was $is (ne $was $is) }}
{{- $refused = true }}
{{ $key }}: this release was installed with {{ $was }}, and these values say {{ $is }}; an upgrade cannot change that: set it as it was, or let the run end, uninstall, and install again
{{- end }}
{{- end }}
{{- if not (or $refused (include "workqueue.redis.external" .) .Values.redis.persistence.enabled) }}
{{- $found := include "workqueue.redis.found" . | fromJson }}
{{- $name := printf "%s-redis" (include "workqueue.fullname" .) }}
{{- $way := printf "let the run end and uninstall, or lose the queue: kubectl -n %s delete statefulset %s; the next upgrade makes another" .Release.Namespace $name }}
{{- if not $found.empty }}
{{- range without $found.changed "spec" }}
{{ . }}: it has changed, and Redis, whose queue is on no volume, would lose the queue with its pod; set it as it was, or {{ $way }}
{{- end }}
{{- if not $found.password }}
redis.password: the Secret {{ $name }} is gone, and Redis goes on with the password of it; make it again with the key password from `kubectl -n {{ .Release.Namespace }} exec {{ $name }}-0 -- printenv REDISCLI_AUTH`, or {{ $way }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
