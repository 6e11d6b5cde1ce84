{{/* Where the pods may connect to: one row for each used row of the service's own table of outbound connections. */}}

{{/* A row: { name, purpose, ports, cidrs, fqdns, pods, internet, proxied }. As JSON, in an object. */}}
{{- define "ductape-mcp.egressRows" -}}
{{- $root := . -}}
{{- $rows := list -}}
{{- $proxy := eq .Values.networkPolicy.flavor "egressProxy" -}}
{{- range $name, $row := (include "ductape-mcp.service" . | fromYaml).outbound -}}
{{- $used := not $row.usedWith -}}
{{- range $path := $row.usedWith -}}
{{- $value := $root.Values -}}
{{- range splitList "." $path -}}
{{- $value = index (default dict $value) . -}}
{{- end -}}
{{- $used = or $used (not (empty $value)) -}}
{{- end -}}
{{- $replaced := and $root.Values.tryout.enabled (eq $name "backend") -}}
{{- if and $used (not $replaced) (not (and $proxy $row.proxied)) -}}
{{- $rows = append $rows (merge (dict "name" $name "purpose" $row.purpose) (index $root.Values.networkPolicy.egress $name)) -}}
{{- end -}}
{{- end -}}
{{- if and $proxy (not .Values.tryout.enabled) -}}
{{- $rows = append $rows (merge (dict "name" "proxy" "purpose" "The way out to the internet") .Values.networkPolicy.egress.proxy) -}}
{{- end -}}
{{- dict "rows" $rows | toJson -}}
{{- end -}}

{{/* A NetworkPolicyPeer from { podLabels, namespaceLabels } or { cidr }. */}}
{{- define "ductape-mcp.peer" -}}
{{- if .cidr -}}
ipBlock:
  cidr: {{ .cidr }}
{{- else -}}
{{- with .namespaceLabels -}}
namespaceSelector:
  matchLabels:
    {{- toYaml . | nindent 4 }}
{{ end -}}
{{- if or .podLabels (not .namespaceLabels) -}}
podSelector:
  {{- with .podLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- else }} {}
  {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same for Cilium's endpoint selectors; without namespaceLabels the own namespace. */}}
{{- define "ductape-mcp.ciliumEndpoint" -}}
{{- if or .podLabels .namespaceLabels -}}
matchLabels:
  {{- range $key, $value := .podLabels }}
  {{ $key | quote }}: {{ $value | quote }}
  {{- end }}
  {{- range $key, $value := .namespaceLabels }}
  {{ printf "k8s:io.cilium.k8s.namespace.labels.%s" $key | quote }}: {{ $value | quote }}
  {{- end }}
{{- else -}}
{}
{{- end -}}
{{- end -}}
