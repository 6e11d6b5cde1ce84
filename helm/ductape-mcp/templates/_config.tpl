{{/* config.yaml and the files of live/: what the values say and what only the chart knows. */}}

{{- define "ductape-mcp.secretFile" -}}
{{- if index . 1 }}{{ dict "file" (printf "/etc/ductape-mcp/secrets/%s/%s" (index . 0) (index . 1)) | toJson }}{{ end -}}
{{- end -}}

{{- define "ductape-mcp.socket" -}}unix:/run/ductape-mcp/socket/mcp.sock{{- end -}}

{{- define "ductape-mcp.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $publicHost := include "ductape-mcp.publicHost" . -}}
{{- $names := include "ductape-mcp.serviceNames" . | fromJsonArray -}}
{{- $hosts := without (concat (dig "http" "allowedHosts" list $config) $names | uniq) $publicHost -}}
{{- $mtls := dict "ca" (dict "file" "/etc/ductape-mcp/client-ca/ca.crt") -}}
{{- if and .Values.tryout.enabled (not (dig "auth" "mtls" "map" list $config)) -}}
{{- $_ := set $mtls "trustDomains" (list .Values.tryout.trustDomain) -}}
{{- $row := dict "uri" (printf "spiffe://%s/ns/*/sa/*" .Values.tryout.trustDomain) "tenant" "tryout" "roles" (list "tryout") "scopes" (list "ductape:write") -}}
{{- $_ := set $mtls "map" (list $row) -}}
{{- end -}}
{{- $own := dict
  "version" 1
  "publicUrl" (include "ductape-mcp.publicUrl" .)
  "listen" (include "ductape-mcp.socket" .)
  "ops" "0.0.0.0:9464"
  "live" "/etc/ductape-mcp/live"
  "http" (dict "allowedHosts" $hosts)
  "auth" (dict "mtls" $mtls)
-}}
{{- with include "ductape-mcp.fleetSecret" . -}}
{{- $_ := set $own "keys" (dict "fleet" (dict "file" (printf "/etc/ductape-mcp/secrets/fleet/%s" $.Values.fleetKey.key))) -}}
{{- end -}}
{{- if .Values.receipts.keySecret -}}
{{- $_ := set $own "receipts" (dict "keys" (dict "file" (printf "/etc/ductape-mcp/secrets/receipts/%s" .Values.receipts.key))) -}}
{{- else if .Values.tryout.enabled -}}
{{- $_ := set $own "receipts" (dict "keys" "boot") -}}
{{- end -}}
{{- $_ := set $own "audit" (dict "mode" (dig "audit" "mode" "strict" $config)) -}}
{{- if .Values.store.redis.url -}}
{{- $redis := dict -}}
{{- range $key, $value := .Values.store.redis -}}
{{- if $value }}{{ $_ := set $redis $key $value }}{{ end -}}
{{- end -}}
{{- range $key := list "password" "ca" "cert" "key" -}}
{{- with include "ductape-mcp.secretFile" (list "store" (index $.Values.store.secret (printf "%sKey" $key))) -}}
{{- $_ := set $redis $key (fromJson .) -}}
{{- end -}}
{{- end -}}
{{- $max := default (include "ductape-mcp.maxReplicas" .) .Values.store.maxReplicas | int -}}
{{- $_ := set $own "store" (dict "redis" $redis "maxReplicas" $max) -}}
{{- end -}}
{{- if .Values.tryout.enabled -}}
{{- $_ := set $own "backend" (dict "url" "http://127.0.0.1:4311") -}}
{{- end -}}
{{- mustMergeOverwrite $config $own | toYaml -}}
{{- end -}}

{{/* The policy of the try-out, where the values have none: its callers may read and write. */}}
{{- define "ductape-mcp.policy" -}}
{{- if and .Values.tryout.enabled (not .Values.live.policy.roles) (not .Values.live.policy.policies) -}}
version: 1
roles:
  tryout:
    allow:
      - name: try-out
        tool: ductape_*
        effect: [read, write]
        approval: none
{{- else -}}
{{- toYaml .Values.live.policy -}}
{{- end -}}
{{- end -}}

{{/* The largest body that nginx lets pass: more than the service takes, so that its own answer comes first. */}}
{{- define "ductape-mcp.maxBody" -}}
{{- $cap := dig "http" "maxBody" "1MiB" .Values.config -}}
{{- $number := regexFind "^[0-9]+" $cap | int64 -}}
{{- if hasSuffix "GiB" $cap -}}{{- $number = mul $number 1048576 -}}
{{- else if hasSuffix "MiB" $cap -}}{{- $number = mul $number 1024 -}}
{{- else if not (hasSuffix "KiB" $cap) -}}{{- $number = div (add $number 1023) 1024 -}}
{{- end -}}
{{- printf "%dk" (add $number 1024) -}}
{{- end -}}

{{- define "ductape-mcp.crlFile" -}}
{{- if or .Values.tls.crl.existingSecret .Values.tls.crl.existingConfigMap }}/etc/nginx/crl/crl.pem{{ end -}}
{{- end -}}

{{/* nginx's configuration: the template that image, compose and tests share, with the chart's paths. An optional name without a value takes its line along. */}}
{{- define "ductape-mcp.nginx" -}}
{{- $text := .Files.Get "files/ductape-mcp.conf.template" -}}
{{- $people := include "ductape-mcp.peopleHost" . -}}
{{- if not $people -}}
{{- $text = regexReplaceAll "(?s)\n *# <people>\n.*# </people>\n" $text "" -}}
{{- end -}}
{{- range $name, $value := dict
  "MCP_RUN_DIR" "/tmp/nginx"
  "MCP_ACCESS_LOG" "/dev/stdout"
  "MCP_LISTEN" "8443"
  "MCP_HEALTH_LISTEN" "18081"
  "MCP_UPSTREAM" (include "ductape-mcp.socket" .)
  "MCP_OPS" "127.0.0.1:9464"
  "MCP_TLS_CERT" "/etc/nginx/tls/tls.crt"
  "MCP_TLS_KEY" "/etc/nginx/tls/tls.key"
  "MCP_CLIENT_CA" "/etc/nginx/client-ca/ca.crt"
  "MCP_CLIENT_CRL" (include "ductape-mcp.crlFile" .)
  "MCP_MAX_BODY" (include "ductape-mcp.maxBody" .)
  "MCP_RATE" .Values.proxy.rate
  "MCP_BURST" (.Values.proxy.burst | int | toString)
  "MCP_CONNECTIONS" (.Values.proxy.connections | int | toString)
  "MCP_KEEPALIVE_MIN" "5s"
  "MCP_PEOPLE_HOST" $people
  "MCP_PEOPLE_LISTEN" "8444"
  "MCP_PEOPLE_TLS_CERT" "/etc/nginx/people-tls/tls.crt"
  "MCP_PEOPLE_TLS_KEY" "/etc/nginx/people-tls/tls.key"
-}}
{{- if $value -}}
{{- $text = replace (printf "${%s}" $name) $value $text -}}
{{- else -}}
{{- $text = regexReplaceAll (printf "(?m)^.*[$][{]%s[}].*\n" $name) $text "" -}}
{{- end -}}
{{- end -}}
{{- with regexFind "[$][{]MCP_[A-Z_]*[}]" $text -}}
{{- fail (printf "The chart has no value for %s of nginx's template; this is a fault of the chart." .) -}}
{{- end -}}
{{- $text -}}
{{- end -}}
