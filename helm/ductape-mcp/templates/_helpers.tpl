{{/* Names, labels, images and the small sums that several templates need. */}}

{{- define "ductape-mcp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ductape-mcp.selectorLabels" -}}
app.kubernetes.io/name: ductape-mcp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Of the pod of helm test: another component, so that the Service never sends agents to it. */}}
{{- define "ductape-mcp.testLabels" -}}
app.kubernetes.io/name: ductape-mcp
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end -}}

{{- define "ductape-mcp.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ductape-mcp
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "ductape-mcp.labels" -}}
{{ include "ductape-mcp.selectorLabels" . }}
{{ include "ductape-mcp.commonLabels" . }}
{{- end -}}

{{/* (list root image): the digest wins over the tag. */}}
{{- define "ductape-mcp.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $repository := $image.repository -}}
{{- with $root.Values.global.imageRegistry -}}
{{- /* A first part with a dot or colon is the host that the mirror stands in for. */ -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default $root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The names by which clients in the cluster may call the Service, as a JSON list. */}}
{{- define "ductape-mcp.serviceNames" -}}
{{- $name := include "ductape-mcp.fullname" . -}}
{{- $full := printf "%s.%s.svc" $name .Release.Namespace -}}
{{- list $full (printf "%s.cluster.local" $full) (printf "%s.%s" $name .Release.Namespace) $name | toJson -}}
{{- end -}}

{{- define "ductape-mcp.publicUrl" -}}
{{- default (printf "https://%s" (include "ductape-mcp.serviceNames" . | fromJsonArray | first)) .Values.config.publicUrl -}}
{{- end -}}

{{- define "ductape-mcp.publicHost" -}}
{{- (include "ductape-mcp.publicUrl" . | urlParse).hostname -}}
{{- end -}}

{{/* Host of the people's server; empty where there is none. */}}
{{- define "ductape-mcp.peopleHost" -}}
{{- with .Values.config.peopleUrl }}{{ (urlParse .).hostname | lower }}{{ end -}}
{{- end -}}

{{- define "ductape-mcp.peopleSecret" -}}
{{- default (printf "%s-people-tls" (include "ductape-mcp.fullname" .)) .Values.people.tls.existingSecret -}}
{{- end -}}

{{- define "ductape-mcp.service" -}}
{{- .Files.Get "files/service.yaml" -}}
{{- end -}}

{{/* The most pods that run at one time: during a rollout one more than asked for. */}}
{{- define "ductape-mcp.maxReplicas" -}}
{{- add1 (ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled) -}}
{{- end -}}

{{- define "ductape-mcp.replicated" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{/* Name of the fleet key's Secret, empty where nothing needs one. */}}
{{- define "ductape-mcp.fleetSecret" -}}
{{- $tenants := dig "credentials" "tenants" dict .Values.config | toJson -}}
{{- if .Values.fleetKey.existingSecret -}}
{{- .Values.fleetKey.existingSecret -}}
{{- else if or (include "ductape-mcp.replicated" .) .Values.store.redis.url (contains "\"credentialIds\":" $tenants) -}}
{{- include "ductape-mcp.fullname" . }}-fleet
{{- end -}}
{{- end -}}

{{- define "ductape-mcp.tlsSecret" -}}
{{- default (printf "%s-tls" (include "ductape-mcp.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{/* A duration of the service, "500ms" or "25s" or "5m" or "1h", in whole seconds, rounded up. */}}
{{- define "ductape-mcp.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- if hasSuffix "ms" . -}}{{- div (add $number 999) 1000 -}}
{{- else if hasSuffix "m" . -}}{{- mul $number 60 -}}
{{- else if hasSuffix "h" . -}}{{- mul $number 3600 -}}
{{- else -}}{{- $number -}}
{{- end -}}
{{- end -}}

{{/* A memory quantity of the schema, Mi or Gi, in Mi. */}}
{{- define "ductape-mcp.mebibytes" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- ternary (mul $number 1024) $number (hasSuffix "Gi" .) -}}
{{- end -}}

{{/* (list root version kind): whether the cluster has the API, or the values say so. */}}
{{- define "ductape-mcp.hasApi" -}}
{{- $root := index . 0 -}}
{{- $version := index . 1 -}}
{{- if or ($root.Capabilities.APIVersions.Has (printf "%s/%s" $version (index . 2))) (has $version $root.Values.assumeApiVersions) -}}true{{- end -}}
{{- end -}}

{{/* Name of a profile of the Security Profiles Operator: those are cluster-wide. (list root container) */}}
{{- define "ductape-mcp.spoName" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s-%s" $root.Release.Namespace (include "ductape-mcp.fullname" $root) (index . 1) -}}
{{- end -}}

{{/* (list root container) */}}
{{- define "ductape-mcp.seccomp" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
{{- with $root.Values.seccomp -}}
type: {{ .type }}
{{- if .spo.enabled }}
localhostProfile: operator/{{ include "ductape-mcp.spoName" (list $root $container) }}.json
{{- else if eq .type "Localhost" }}
localhostProfile: {{ ternary .appProfile .proxyProfile (eq $container "app") }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The security context of a container. (list root user seccomp) */}}
{{- define "ductape-mcp.containerSecurity" -}}
{{- $root := index . 0 -}}
runAsNonRoot: true
{{- with index . 1 }}
runAsUser: {{ int . }}
{{- end }}
{{- with $root.Values.pod.runAsGroup }}
runAsGroup: {{ int . }}
{{- end }}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
procMount: Default
capabilities:
  drop: [ALL]
seccompProfile:
  {{- index . 2 | nindent 2 }}
{{- end -}}

{{/* The security context of a pod. */}}
{{- define "ductape-mcp.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.pod.runAsUser }}
runAsUser: {{ int . }}
{{- end }}
{{- with .Values.pod.runAsGroup }}
runAsGroup: {{ int . }}
{{- end }}
{{- with .Values.pod.fsGroup }}
fsGroup: {{ int . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- with .Values.pod.supplementalGroupsPolicy }}
supplementalGroupsPolicy: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- if and .Values.appArmorProfile (not .Values.tryout.enabled) }}
appArmorProfile:
  type: {{ .Values.appArmorProfile }}
{{- end }}
{{- end -}}

{{- define "ductape-mcp.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* A volume of an existing Secret or ConfigMap: one key under a fixed name, or all of it. (list source key path) */}}
{{- define "ductape-mcp.files" -}}
{{- $source := index . 0 -}}
{{- $key := index . 1 -}}
{{- if $source.existingSecret -}}
secret:
  secretName: {{ $source.existingSecret }}
{{- else -}}
configMap:
  name: {{ $source.existingConfigMap }}
{{- end }}
  defaultMode: 0440
  {{- if $key }}
  items:
    - key: {{ $key }}
      path: {{ index . 2 }}
  {{- end }}
{{- end -}}
