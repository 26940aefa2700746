{{- define "slipway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "slipway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "slipway.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "slipway.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "slipway.selector" -}}
app.kubernetes.io/name: {{ include "slipway.name" . }}
{{- if ne .Release.Name (include "slipway.name" .) }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "slipway.labels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "slipway.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "slipway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "slipway.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{/* Whether the agent talks to the API server, and so needs a token. */}}
{{- define "slipway.usesCluster" -}}
{{- if or .Values.events (gt (int .Values.replicas) 1) (eq .Values.builder "kubernetes") .Values.apply.namespaces .Values.apply.clusterWide .Values.apply.existingClusterRole .Values.apply.impersonate -}}
true
{{- end }}
{{- end }}

{{/* The Secret's keys become files here. */}}
{{- define "slipway.secrets" -}}/etc/slipway-secrets{{- end }}

{{/* What the values imply; what `config` says itself wins. */}}
{{- define "slipway.config" -}}
{{- $implied := dict "stateDirectory" "/var/lib/slipway" "listen" "0.0.0.0:8080" -}}
{{- $files := include "slipway.secrets" . -}}
{{- $git := dict -}}
{{- if .Values.git.existingSecret -}}
{{- if eq .Values.git.auth "ssh" -}}
{{- $_ := set $git "sshKey" (printf "%s/git/%s" $files .Values.git.secretKeys.identity) -}}
{{- if not .Values.git.knownHosts.configMap -}}
{{- $_ := set $git "knownHosts" (printf "%s/git/%s" $files .Values.git.secretKeys.knownHosts) -}}
{{- end -}}
{{- else if eq .Values.git.auth "basic" -}}
{{- $_ := set $git "passwordFile" (printf "%s/git/%s" $files .Values.git.secretKeys.password) -}}
{{- else -}}
{{- $_ := set $git "tokenFile" (printf "%s/git/%s" $files .Values.git.secretKeys.token) -}}
{{- end -}}
{{- end -}}
{{- if .Values.git.knownHosts.configMap -}}
{{- $_ := set $git "knownHosts" (printf "%s/known-hosts/%s" $files .Values.git.knownHosts.key) -}}
{{- end -}}
{{- if $git -}}{{- $_ := set $implied "git" $git -}}{{- end -}}
{{- if .Values.registry.existingSecret -}}
{{- $_ := set $implied "dockerConfig" (printf "%s/registry/config.json" $files) -}}
{{- end -}}
{{- if .Values.api.existingSecret -}}
{{- $_ := set $implied "api" (dict "tokenFile" (printf "%s/api/token" $files)) -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $_ := set $implied "leaderElection" (dict "enabled" true "name" (include "slipway.fullname" .)) -}}
{{- end -}}
{{- $cluster := dict -}}
{{- if not .Values.events -}}{{- $_ := set $cluster "events" false -}}{{- end -}}
{{- if eq .Values.builder "kubernetes" -}}
{{- $_ := set $implied "builder" "kubernetes" -}}
{{- $profile := default .Values.securityProfile .Values.builds.securityProfile -}}
{{- $builds := dict "image" (include "slipway.image" .) -}}
{{- with (include "slipway.profile.pod" $profile | fromYaml) -}}{{- $_ := set $builds "podSecurityContext" . -}}{{- end -}}
{{- with (include "slipway.profile.container" $profile | fromYaml) -}}{{- $_ := set $builds "securityContext" . -}}{{- end -}}
{{- $_ := set $cluster "builds" $builds -}}
{{- end -}}
{{- if $cluster -}}{{- $_ := set $implied "cluster" $cluster -}}{{- end -}}
{{- mergeOverwrite $implied (deepCopy .Values.config) | toYaml -}}
{{- end }}

{{/* The pod's security context of a profile, the argument. */}}
{{- define "slipway.profile.pod" -}}
{{- $user := dict "runAsNonRoot" true "runAsUser" 1000 "runAsGroup" 1000 "fsGroup" 1000 "fsGroupChangePolicy" "OnRootMismatch" -}}
{{- $runtime := dict "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- $root := dict "runAsUser" 0 "runAsGroup" 0 "runAsNonRoot" false -}}
{{- $context := dict -}}
{{- if has . (list "default" "user") -}}
{{- $context = $user -}}
{{- else if eq . "restricted" -}}
{{- $context = merge $user $runtime -}}
{{- else if has . (list "root" "hostUsers") -}}
{{- $context = merge $root $runtime -}}
{{- end -}}
{{- toYaml $context -}}
{{- end }}

{{/* The container's. newuidmap and newgidmap, not the agent, use SETUID and SETGID: it is not root, so only programs with file capabilities get them. */}}
{{- define "slipway.profile.container" -}}
{{- $context := dict -}}
{{- if eq . "default" -}}
{{- $_ := set $context "allowPrivilegeEscalation" true -}}
{{- $_ := set $context "capabilities" (dict "drop" (list "ALL") "add" (list "SETUID" "SETGID")) -}}
{{- else if has . (list "user" "restricted" "openshift") -}}
{{- $_ := set $context "allowPrivilegeEscalation" false -}}
{{- $_ := set $context "capabilities" (dict "drop" (list "ALL")) -}}
{{- else if eq . "root" -}}
{{- $_ := set $context "allowPrivilegeEscalation" false -}}
{{- else if eq . "hostUsers" -}}
{{- $_ := set $context "procMount" "Unmasked" -}}
{{- $_ := set $context "capabilities" (dict "add" (list "SYS_ADMIN")) -}}
{{- end -}}
{{- toYaml $context -}}
{{- end }}

{{- define "slipway.podSecurityContext" -}}
{{- $context := include "slipway.profile.pod" .Values.securityProfile | fromYaml -}}
{{- $merged := mergeOverwrite $context (deepCopy .Values.podSecurityContext) -}}
{{- if $merged -}}{{- toYaml $merged -}}{{- end -}}
{{- end }}

{{- define "slipway.securityContext" -}}
{{- $context := include "slipway.profile.container" .Values.securityProfile | fromYaml -}}
{{- $_ := set $context "readOnlyRootFilesystem" true -}}
{{- if and .Values.appArmorProfile (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) -}}
{{- $_ := set $context "appArmorProfile" (dict "type" .Values.appArmorProfile) -}}
{{- end -}}
{{- mergeOverwrite $context (deepCopy .Values.securityContext) | toYaml -}}
{{- end }}

{{/* What the agent and builds may reach; the ports of one more rule may follow. */}}
{{- define "slipway.egress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
# git over SSH and HTTPS, registries, and the package archives that builds use. Cloud metadata services and other
# link-local addresses stay out of reach.
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: ["169.254.0.0/16"]
    - ipBlock:
        cidr: ::/0
        except: ["fe80::/10", "fd00:ec2::254/128"]
  ports:
    - port: 22
      protocol: TCP
    - port: 80
      protocol: TCP
    - port: 443
      protocol: TCP
{{- end }}
