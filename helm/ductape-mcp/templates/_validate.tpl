{{/* Every combination that cannot work or is not safe, each in one sentence; all that apply are said at once. */}}

{{/* The port of a URL, as a number: (list url default). */}}
{{- define "ductape-mcp.port" -}}
{{- $host := regexReplaceAll "^[a-z]+://([^/]*).*$" (index . 0) "${1}" -}}
{{- default (index . 1 | toString) (regexFind ":[0-9]+$" $host | trimPrefix ":") -}}
{{- end -}}

{{- define "ductape-mcp.validate" -}}
{{- $problems := concat
  (include "ductape-mcp.problems.tls" . | fromJsonArray)
  (include "ductape-mcp.problems.people" . | fromJsonArray)
  (include "ductape-mcp.problems.network" . | fromJsonArray)
  (include "ductape-mcp.problems.replicas" . | fromJsonArray)
  (include "ductape-mcp.problems.pod" . | fromJsonArray)
  (include "ductape-mcp.problems.config" . | fromJsonArray)
  (include "ductape-mcp.problems.apis" . | fromJsonArray)
-}}
{{- if $problems -}}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) -}}
{{- end -}}
{{- end -}}

{{/* How many of the values are set. */}}
{{- define "ductape-mcp.count" -}}
{{- len (compact .) -}}
{{- end -}}

{{- define "ductape-mcp.problems.tls" -}}
{{- $p := list -}}
{{- with .Values.tls -}}
{{- $server := include "ductape-mcp.count" (list .existingSecret .certManager.enabled) | int -}}
{{- if eq $server 0 -}}
{{- $p = append $p "The server has no certificate: set tls.existingSecret to a Secret with tls.crt and tls.key, or tls.certManager.enabled." -}}
{{- else if eq $server 2 -}}
{{- $p = append $p "tls.existingSecret and tls.certManager.enabled are both set: choose one of them." -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- $p = append $p "tls.certManager.enabled needs tls.certManager.issuerRef.name." -}}
{{- end -}}
{{- $ca := include "ductape-mcp.count" (list .clientCA.existingSecret .clientCA.existingConfigMap .clientCA.clusterTrustBundle) | int -}}
{{- if eq $ca 0 -}}
{{- $p = append $p "Mutual TLS has no CA for the agents' certificates: set tls.clientCA.existingSecret, existingConfigMap or clusterTrustBundle." -}}
{{- else if gt $ca 1 -}}
{{- $p = append $p "tls.clientCA names more than one source: choose one of existingSecret, existingConfigMap and clusterTrustBundle." -}}
{{- end -}}
{{- if and .crl.existingSecret .crl.existingConfigMap -}}
{{- $p = append $p "tls.crl.existingSecret and tls.crl.existingConfigMap are both set: choose one of them." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tlsRoute.enabled (not .Values.tlsRoute.parentRefs) -}}
{{- $p = append $p "tlsRoute.enabled needs tlsRoute.parentRefs, the gateways that take the route." -}}
{{- end -}}
{{- if and .Values.tlsRoute.enabled (not .Values.tlsRoute.hostnames) (not .Values.config.publicUrl) -}}
{{- $p = append $p "tlsRoute.enabled needs tlsRoute.hostnames or config.publicUrl, the name that clients ask for." -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{/* The server for approvers: config.peopleUrl is its switch. */}}
{{- define "ductape-mcp.problems.people" -}}
{{- $p := list -}}
{{- $url := default "" .Values.config.peopleUrl -}}
{{- $signIn := hasKey (dig "auth" dict .Values.config) "people" -}}
{{- if and $signIn (not $url) -}}
{{- $p = append $p "config.auth.people needs config.peopleUrl, the URL under which approvers find the page." -}}
{{- end -}}
{{- if $url -}}
{{- if not $signIn -}}
{{- $p = append $p "config.peopleUrl needs config.auth.people: without an authorization server nobody can sign in to approve." -}}
{{- end -}}
{{- if not (hasPrefix "https://" $url) -}}
{{- $p = append $p "config.peopleUrl must begin with https://: it is the URL of nginx, which speaks TLS only." -}}
{{- end -}}
{{- $host := include "ductape-mcp.peopleHost" . -}}
{{- if or (eq $host (include "ductape-mcp.publicHost" .)) (has $host (include "ductape-mcp.serviceNames" . | fromJsonArray)) -}}
{{- $p = append $p (printf "config.peopleUrl has the host %s, which is that of the agents: give it one of its own." $host) -}}
{{- end -}}
{{- with .Values.people.tls -}}
{{- $server := include "ductape-mcp.count" (list .existingSecret .certManager.enabled) | int -}}
{{- if eq $server 0 -}}
{{- $p = append $p "config.peopleUrl has no certificate: set people.tls.existingSecret to a Secret with tls.crt and tls.key, or people.tls.certManager.enabled." -}}
{{- else if eq $server 2 -}}
{{- $p = append $p "people.tls.existingSecret and people.tls.certManager.enabled are both set: choose one of them." -}}
{{- end -}}
{{- if and .certManager.enabled (not .certManager.issuerRef.name) -}}
{{- $p = append $p "people.tls.certManager.enabled needs people.tls.certManager.issuerRef.name." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.people.tlsRoute.enabled (not .Values.people.tlsRoute.parentRefs) -}}
{{- $p = append $p "people.tlsRoute.enabled needs people.tlsRoute.parentRefs, the gateways that take the route." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.ingress.peopleFrom) -}}
{{- $p = append $p "config.peopleUrl is set and networkPolicy.ingress.peopleFrom lets nobody in: name the networks of the approvers, or the gateway that passes their connections on." -}}
{{- end -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{- define "ductape-mcp.problems.network" -}}
{{- $p := list -}}
{{- $policy := .Values.networkPolicy -}}
{{- $flavor := $policy.flavor -}}
{{- $proxy := dig "outbound" "proxy" "" .Values.config -}}
{{- if and (eq $flavor "egressProxy") (not $proxy) (not .Values.tryout.enabled) -}}
{{- $p = append $p "networkPolicy.flavor egressProxy needs config.outbound.proxy, the address of the proxy." -}}
{{- end -}}
{{- if $policy.enabled -}}
{{- if and $proxy (ne $flavor "egressProxy") -}}
{{- $p = append $p (printf "config.outbound.proxy is set, so networkPolicy.flavor must be egressProxy, not %s: the pods could reach everything but the proxy." $flavor) -}}
{{- end -}}
{{- $wanted := dict "proxy" (list $proxy "config.outbound.proxy" 80) "backend" (list (dig "backend" "url" "https://api.ductape.app" .Values.config) "config.backend.url" 443) "store" (list .Values.store.redis.url "store.redis.url" 6379) "witness" (list (dig "audit" "witness" "url" "" .Values.config) "config.audit.witness.url" 443) "notifications" (list (dig "outbound" "notifications" "url" "" .Values.config) "config.outbound.notifications.url" 443) -}}
{{- range (include "ductape-mcp.egressRows" . | fromJson).rows -}}
{{- if not (or .cidrs .pods .fqdns .internet) -}}
{{- if eq .name "backend" -}}
{{- $p = append $p "networkPolicy.egress.backend names no way to the Ductape backend: set its cidrs, pods or internet, or use flavor cilium with fqdns, or flavor egressProxy with config.outbound.proxy." -}}
{{- else if eq .name "proxy" -}}
{{- $p = append $p "networkPolicy.egress.proxy names no way to the egress proxy: set its cidrs or pods." -}}
{{- else -}}
{{- $p = append $p (printf "networkPolicy.egress.%s names no way there, and the configuration uses it (%s): set its cidrs, pods or internet, or use flavor cilium with fqdns." .name .purpose) -}}
{{- end -}}
{{- end -}}
{{- $row := .name -}}
{{- range .cidrs -}}
{{- if hasSuffix "/0" . -}}
{{- $p = append $p (printf "networkPolicy.egress.%s.cidrs holds %s, which opens the cluster's own networks too: use internet, which leaves them out." $row .) -}}
{{- end -}}
{{- end -}}
{{- if and .fqdns (ne $flavor "cilium") -}}
{{- $p = append $p (printf "networkPolicy.egress.%s.fqdns needs networkPolicy.flavor cilium: a Kubernetes NetworkPolicy cannot match names." .name) -}}
{{- end -}}
{{- $target := get $wanted .name -}}
{{- if and $target (first $target) -}}
{{- $port := include "ductape-mcp.port" (list (first $target) (last $target)) | int -}}
{{- $open := false -}}
{{- range .ports -}}{{- if eq (int .) $port -}}{{- $open = true -}}{{- end -}}{{- end -}}
{{- if not $open -}}
{{- $p = append $p (printf "%s has port %d, which networkPolicy.egress.%s.ports does not name." (index $target 1) $port .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{/* DPoP is in use where the values ask for it; a token that is bound all the same is refused without a store that all replicas share. */}}
{{- define "ductape-mcp.usesDpop" -}}
{{- $oauth := dig "auth" "oauth" "issuers" list .Values.config -}}
{{- if hasKey (dig "auth" dict .Values.config) "dpop" -}}true{{- end -}}
{{- range $oauth -}}
{{- if has (default "none" .requireBinding) (list "dpop" "any") -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ductape-mcp.problems.replicas" -}}
{{- $p := list -}}
{{- $max := include "ductape-mcp.maxReplicas" . | int -}}
{{- if and (include "ductape-mcp.replicated" .) (include "ductape-mcp.usesDpop" .) (not .Values.store.redis.url) -}}
{{- $p = append $p "DPoP with more than one replica needs store.redis.url: each replica would accept a used proof once more." -}}
{{- end -}}
{{- if and (include "ductape-mcp.replicated" .) .Values.config.peopleUrl (not .Values.store.redis.url) -}}
{{- $p = append $p "Approvals (config.peopleUrl) with more than one replica need store.redis.url: what one replica asks for, another would not know." -}}
{{- end -}}
{{- if and (include "ductape-mcp.replicated" .) (hasKey .Values.config "replay") (not .Values.store.redis.url) -}}
{{- $p = append $p "config.replay with more than one replica needs store.redis.url: each replica would execute a repeated call once more." -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $p = append $p "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and .Values.store.maxReplicas (lt (int .Values.store.maxReplicas) $max) -}}
{{- $p = append $p (printf "store.maxReplicas is %d, and %d pods can run during a rollout: raise it, or limits are exceeded while the store is lost." (int .Values.store.maxReplicas) $max) -}}
{{- end -}}
{{- if .Values.store.redis.url -}}
{{- if hasPrefix "redis://" .Values.store.redis.url -}}
{{- $p = append $p "store.redis.url must begin with rediss://: what replicas share crosses the network with TLS only." -}}
{{- end -}}
{{- if not .Values.store.secret.existingSecret -}}
{{- $p = append $p "store.redis.url needs store.secret.existingSecret with the password or client certificate of the store." -}}
{{- end -}}
{{- with .Values.store.secret -}}
{{- if ne (empty .certKey) (empty .keyKey) -}}
{{- $p = append $p "store.secret.certKey and store.secret.keyKey belong together: set both or neither." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.store.redis.username (not .Values.store.secret.passwordKey) -}}
{{- $p = append $p "store.redis.username needs store.secret.passwordKey." -}}
{{- end -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{- define "ductape-mcp.problems.pod" -}}
{{- $p := list -}}
{{- with .Values.seccomp -}}
{{- if and (eq .type "Localhost") (not .spo.enabled) (not (and .appProfile .proxyProfile)) -}}
{{- $p = append $p "seccomp.type Localhost needs seccomp.appProfile and seccomp.proxyProfile, or seccomp.spo.enabled." -}}
{{- end -}}
{{- if and .spo.enabled (ne .type "Localhost") -}}
{{- $p = append $p "seccomp.spo.enabled needs seccomp.type Localhost: the profiles would be installed and not used." -}}
{{- end -}}
{{- if and (ne .type "Localhost") (or .appProfile .proxyProfile) -}}
{{- $p = append $p "seccomp.appProfile and seccomp.proxyProfile need seccomp.type Localhost." -}}
{{- end -}}
{{- end -}}
{{- range $name, $resources := dict "resources" .Values.resources "proxy.resources" .Values.proxy.resources -}}
{{- if ne $resources.requests.memory $resources.limits.memory -}}
{{- $p = append $p (printf "%s.requests.memory must be %s, the same as its limit: memory that is not reserved is taken away under load." $name $resources.limits.memory) -}}
{{- end -}}
{{- end -}}
{{- $drain := include "ductape-mcp.seconds" (dig "http" "drainTimeout" (include "ductape-mcp.service" . | fromYaml).drainTimeout .Values.config) | int -}}
{{- $needed := add $drain .Values.pod.preStopSeconds | int -}}
{{- if le (int .Values.pod.terminationGracePeriodSeconds) $needed -}}
{{- $p = append $p (printf "pod.terminationGracePeriodSeconds is %d, and preStopSeconds with config.http.drainTimeout already take %d: raise it, or calls are cut." (int .Values.pod.terminationGracePeriodSeconds) $needed) -}}
{{- end -}}
{{- range $key, $_ := include "ductape-mcp.selectorLabels" . | fromYaml -}}
{{- if hasKey $.Values.pod.labels $key -}}
{{- $p = append $p (printf "pod.labels.%s is one of the labels by which the Service finds its pods: choose another one." $key) -}}
{{- end -}}
{{- end -}}
{{- $old := semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version -}}
{{- if and $old (kindIs "bool" .Values.pod.hostUsers) -}}
{{- $p = append $p (printf "pod.hostUsers needs Kubernetes 1.33 or newer, and this is %s." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and $old .Values.pod.supplementalGroupsPolicy -}}
{{- $p = append $p (printf "pod.supplementalGroupsPolicy needs Kubernetes 1.33 or newer, and this is %s." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and .Values.openshift.scc.enabled (ne .Values.seccomp.type "Localhost") -}}
{{- $p = append $p "openshift.scc.enabled is for seccomp.type Localhost; RuntimeDefault works under restricted-v2." -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- $p = append $p "monitoring.podMonitor and monitoring.serviceMonitor are both enabled: everything would be scraped twice." -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{- define "ductape-mcp.problems.config" -}}
{{- $p := list -}}
{{- if hasPrefix "http://" (default "" .Values.config.publicUrl) -}}
{{- $p = append $p "config.publicUrl must begin with https://: it is the URL of nginx, which speaks TLS only." -}}
{{- end -}}
{{- if not (or .Values.receipts.keySecret .Values.tryout.enabled) -}}
{{- $p = append $p (printf "Nothing signs receipts and checkpoints: set receipts.keySecret to a Secret whose key %s holds an Ed25519 key; openssl genpkey -algorithm ed25519 makes one." .Values.receipts.key) -}}
{{- end -}}
{{- $secrets := keys .Values.secrets -}}
{{- range regexFindAll "\"file\":\"[^\"]*\"" (toJson .Values.config) -1 | uniq -}}
{{- $file := . | trimPrefix "\"file\":\"" | trimSuffix "\"" -}}
{{- $name := regexFind "^/etc/ductape-mcp/secrets/[^/]+/[^/]+$" $file | dir | base -}}
{{- if not (has $name $secrets) -}}
{{- /* What is no path may be the secret itself. */ -}}
{{- $shown := ternary (printf "the file %s" $file) "a file without its path" (regexMatch "^/[a-z0-9._-]+/" $file) -}}
{{- $p = append $p (printf "config names %s, which no mount brings: name its Secret in secrets.NAME.existingSecret and write /etc/ductape-mcp/secrets/NAME/KEY." $shown) -}}
{{- end -}}
{{- end -}}
{{- range $name, $source := .Values.secrets -}}
{{- if has $name (list "fleet" "receipts" "store") -}}
{{- $p = append $p (printf "secrets.%s has a name that the chart uses itself: choose another one." $name) -}}
{{- end -}}
{{- if ne (include "ductape-mcp.count" (list $source.existingSecret $source.existingConfigMap) | int) 1 -}}
{{- $p = append $p (printf "secrets.%s needs one of existingSecret and existingConfigMap." $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.live.existingConfigMap (or .Values.live.limits .Values.live.revocations .Values.live.kill .Values.live.scan .Values.live.policy.roles .Values.live.policy.policies) -}}
{{- $p = append $p "live.existingConfigMap is set, so live.policy, live.limits, live.revocations, live.kill and live.scan have no effect: remove them." -}}
{{- end -}}
{{- if and (hasKey (dig "auth" dict .Values.config) "apiKeys") (not .Values.live.keysSecret) -}}
{{- $p = append $p "config.auth.apiKeys needs live.keysSecret, the Secret with keys.yaml." -}}
{{- end -}}
{{- if and .Values.live.keysSecret (not (hasKey (dig "auth" dict .Values.config) "apiKeys")) -}}
{{- $p = append $p "live.keysSecret has no effect without config.auth.apiKeys." -}}
{{- end -}}
{{- range $name, $value := .Values.otel -}}
{{- if hasSuffix "_HEADERS" $name -}}
{{- $p = append $p (printf "otel.%s would be a secret that everybody reads in the pod's definition: let a collector in the cluster add it." $name) -}}
{{- else if regexMatch "^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@" $value -}}
{{- $p = append $p (printf "otel.%s holds a user name or password, which everybody would read in the pod's definition: let a collector in the cluster add it." $name) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "\"https?://[^/?#\"]*@" (toJson .Values.config) -}}
{{- $p = append $p "config has a URL with a user name or password: write it without, since everybody reads a ConfigMap; where the service takes a credential it takes a file." -}}
{{- end -}}
{{- if and .Values.tryout.enabled (hasKey (dig "backend" dict .Values.config) "url") -}}
{{- $p = append $p "tryout.enabled makes the emulator the backend, and config.backend.url names another one: remove one of them." -}}
{{- end -}}
{{- if and .Values.tryout.enabled (dig "outbound" "proxy" "" .Values.config) -}}
{{- $p = append $p "tryout.enabled makes the emulator in the pod the backend, which no proxy reaches: remove config.outbound.proxy." -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}

{{- define "ductape-mcp.problems.apis" -}}
{{- $p := list -}}
{{- range list
  (list .Values.people.tls.certManager.enabled "people.tls.certManager.enabled" "cert-manager.io/v1" "Certificate" "cert-manager")
  (list .Values.people.tlsRoute.enabled "people.tlsRoute.enabled" .Values.tlsRoute.apiVersion "TLSRoute" "the Gateway API")
  (list .Values.tls.certManager.enabled "tls.certManager.enabled" "cert-manager.io/v1" "Certificate" "cert-manager")
  (list .Values.tlsRoute.enabled "tlsRoute.enabled" .Values.tlsRoute.apiVersion "TLSRoute" "the Gateway API")
  (list .Values.monitoring.podMonitor.enabled "monitoring.podMonitor.enabled" "monitoring.coreos.com/v1" "PodMonitor" "the Prometheus operator")
  (list .Values.monitoring.serviceMonitor.enabled "monitoring.serviceMonitor.enabled" "monitoring.coreos.com/v1" "ServiceMonitor" "the Prometheus operator")
  (list .Values.monitoring.rules.enabled "monitoring.rules.enabled" "monitoring.coreos.com/v1" "PrometheusRule" "the Prometheus operator")
  (list (and .Values.networkPolicy.enabled (eq .Values.networkPolicy.flavor "cilium")) "networkPolicy.flavor cilium" "cilium.io/v2" "CiliumNetworkPolicy" "Cilium")
  (list .Values.seccomp.spo.enabled "seccomp.spo.enabled" "security-profiles-operator.x-k8s.io/v1" "SeccompProfile" "the Security Profiles Operator 1.0")
  (list .Values.openshift.scc.enabled "openshift.scc.enabled" "security.openshift.io/v1" "SecurityContextConstraints" "OpenShift")
  (list (not (empty .Values.tls.clientCA.clusterTrustBundle)) "tls.clientCA.clusterTrustBundle" (ternary "certificates.k8s.io/v1" "certificates.k8s.io/v1beta1" (semverCompare ">=1.37.0-0" .Capabilities.KubeVersion.Version)) "ClusterTrustBundle" "its feature gate")
-}}
{{- if and (first .) (not (include "ductape-mcp.hasApi" (list $ (index . 2) (index . 3)))) -}}
{{- $p = append $p (printf "%s needs %s: the cluster has no %s of %s. With helm template add %s to assumeApiVersions." (index . 1) (index . 4) (index . 3) (index . 2) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- toJson $p -}}
{{- end -}}
