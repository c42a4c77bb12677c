{{/*
The objects are those of the kustomize manifests, in files/. These templates only change what values.yaml offers, so the
chart and the manifests cannot diverge.
*/}}

{{/* The file names of a folder, without kustomization.yaml. */}}
{{- define "atmpl.files" -}}
{{- range $path, $_ := .root.Files.Glob (printf "files/%s/*.yaml" .folder) }}
{{- if ne (base $path) "kustomization.yaml" }}
{{ $path }}
{{- end }}
{{- end }}
{{- end }}

{{/* One object: in `namespace`, or the one of the release, and with Helm's labels. */}}
{{- define "atmpl.object" -}}
{{- $object := .object }}
{{- $namespace := .root.Release.Namespace }}
{{- if or .namespace (hasKey $object.metadata "namespace") }}
{{- $_ := set $object.metadata "namespace" (.namespace | default $namespace) }}
{{- end }}
{{- range $object.subjects }}
{{- $_ := set . "namespace" $namespace }}
{{- end }}
{{- $labels := dict "app.kubernetes.io/managed-by" .root.Release.Service "app.kubernetes.io/instance" .root.Release.Name "app.kubernetes.io/version" .root.Chart.AppVersion "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) }}
{{- $_ := set $object.metadata "labels" (merge (dict) ($object.metadata.labels | default dict) $labels) }}
{{ toYaml $object }}
{{- end }}

{{/* All objects of a file, in `namespace` if it is not empty. */}}
{{- define "atmpl.file" -}}
{{- range $document := splitList "\n---\n" (.root.Files.Get .path) }}
---
{{- include "atmpl.object" (dict "object" (fromYaml $document) "root" $.root "namespace" $.namespace) }}
{{- end }}
{{- end }}
