{{/*
What the Redis of this release is made of, as JSON: the name of each value -> a hash of it. It is an annotation of the StatefulSet, so that an
upgrade sees what has changed since Redis was made, by name. The spec as a whole also changes with the chart.
*/}}
{{- define "workqueue.redis.made" -}}
{{- $made := dict "spec" (include "workqueue.redis.statefulSetSpec" . | fromYaml | toJson | sha256sum | trunc 10) }}
{{- $values := omit .Values.redis "external" "unreachableTimeout" "serviceName" "persistence" "podDisruptionBudget" "password" "generatePassword" "existingSecret" }}
{{- range $key, $value := $values }}{{ $_ := set $made (print "redis." $key) (toJson $value | sha256sum | trunc 10) }}{{ end }}
{{- $_ := set $made "redis.password" (list (include "workqueue.redis.passwordFrom" .) (include "workqueue.redis.passwordMark" .) | toJson | sha256sum | trunc 10) }}
{{- if .Values.redis.acl.enabled }}{{ $_ := set $made "queue.name" (sha256sum .Values.queue.name | trunc 10) }}{{ end }}
{{- toJson $made }}
{{- end }}

{{/*
A mark that changes with redis.password, for the pods that read it when they start; empty without one. It is made by scrypt, so that no reader
can guess the password from it, which takes 0.1 s: hence once a rendering.
*/}}
{{- define "workqueue.redis.passwordMark" -}}
{{- if .Values.redis.password }}
{{- if not (hasKey $ "redisPasswordMark") }}
{{- $_ := set $ "redisPasswordMark" (derivePassword 1 "long" .Values.redis.password "workqueue" (include "workqueue.release" .) | sha256sum | trunc 10) }}
{{- end }}
{{- get $ "redisPasswordMark" }}
{{- end }}
{{- end }}

{{/*
What an upgrade finds of the chart's own Redis, as JSON {found, empty, password, changed}. empty: it never was ready, so that it holds nothing;
password: its Secret is there, if it needs one; changed: the names of the values that are no longer those that it was made with.
*/}}
{{- define "workqueue.redis.found" -}}
{{- $found := dict "found" false "empty" true "password" true "changed" list }}
{{- $name := printf "%s-redis" (include "workqueue.fullname" .) }}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace $name }}
{{- $_ := set $found "found" true }}
{{- $_ := set $found "empty" (eq "true" (include "workqueue.redis.neverReady" (list $ $name))) }}
{{- if or $.Values.redis.password (include "workqueue.redis.generatesPassword" $) }}
{{- $_ := set $found "password" (not (empty (lookup "v1" "Secret" $.Release.Namespace $name))) }}
{{- end }}
{{- $was := dig "metadata" "annotations" "workqueue/values" "{}" . | fromJson }}
{{- range $key, $hash := include "workqueue.redis.made" $ | fromJson }}
{{- if ne $hash (get $was $key | default $hash) }}{{ $_ := set $found "changed" (append $found.changed $key) }}{{ end }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/*
Whether the pod of a StatefulSet has never been ready: (list $ name). It is not there, none of its containers ever started, or it has been unready
since it was initialized.
*/}}
{{- define "workqueue.redis.neverReady" -}}
{{- $pod := lookup "v1" "Pod" (index . 0).Release.Namespace (print (index . 1) "-0") }}
{{- $since := dict }}
{{- range dig "status" "conditions" list $pod }}{{ $_ := set $since (print .type .status) .lastTransitionTime }}{{ end }}
{{- if or (not $pod) (eq "Pending" (dig "status" "phase" "" $pod)) (and (hasKey $since "ReadyFalse") (eq $since.ReadyFalse (get $since "InitializedTrue"))) }}true{{ end }}
{{- end }}

{{/*
The events at which Helm makes Redis anew, in place of the one that is there. An upgrade does so if nothing can be lost: it is not there, it never was ready, or
it has other values and its queue is on a volume. A rollback cannot look; on a volume nothing is lost, so it makes Redis as its revision had it.
*/}}
{{- define "workqueue.redis.events" -}}
{{- $events := list "pre-install" }}
{{- if .Values.redis.persistence.enabled }}{{ $events = append $events "pre-rollback" }}{{ end }}
{{- $found := include "workqueue.redis.found" . | fromJson }}
{{- if and .Release.IsUpgrade (or $found.empty (not $found.password) (and $found.changed .Values.redis.persistence.enabled)) }}{{ $events = append $events "pre-upgrade" }}{{ end }}
{{- join "," $events }}
{{- end }}
