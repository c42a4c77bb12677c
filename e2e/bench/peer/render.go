package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type object = map[string]any

// render returns the template of a VM and its number of parameters: one for each scalar of the instance's spec, except
// those with the key `name`. The parameters' names are close to atmpl's.
func render(vm *unstructured.Unstructured, request *Request) (object, int) {
	spec, _, _ := unstructured.NestedMap(vm.Object, "spec")
	instance := spec["template"].(object)
	walk := &walker{}
	instance["spec"] = walk.value(instance["spec"], "", "")
	walk.parameters = append(walk.parameters, object{"name": "LABELS", "value": "{}", "description": "labels"})
	labels := object{"vm.kubevirt.io/template": request.Name}
	for key, value := range vm.GetLabels() {
		labels[key] = value
	}
	return object{
		"apiVersion": templateKind.GroupVersion().String(),
		"kind":       templateKind.Kind,
		"metadata": object{
			"name":      request.Name,
			"namespace": request.Namespace,
			"labels":    object{"template.kubevirt.io/type": "vm", "ssp.kubevirt.io/request-uid": string(request.UID)},
			"annotations": object{
				"openshift.io/display-name":         request.Name,
				"description":                       fmt.Sprintf("Made from VM %v in namespace %v.", vm.GetName(), vm.GetNamespace()),
				"tags":                              "kubevirt,virtualmachine",
				"ssp.kubevirt.io/source":            vm.GetNamespace() + "/" + vm.GetName(),
				"ssp.kubevirt.io/source-uid":        string(vm.GetUID()),
				"ssp.kubevirt.io/source-generation": fmt.Sprint(vm.GetGeneration()),
				"ssp.kubevirt.io/request":           request.Namespace + "/" + request.Name,
				"ssp.kubevirt.io/generator":         "peer",
			},
		},
		"labels": labels,
		"objects": []any{object{
			"apiVersion": vm.GetAPIVersion(),
			"kind":       vm.GetKind(),
			"metadata":   object{"generateName": vm.GetName() + "-", "labels": "${{LABELS}}"},
			"spec":       spec,
		}},
		"parameters": walk.parameters,
	}, len(walk.parameters)
}

type walker struct {
	parameters []any
}

func (w *walker) value(value any, key, path string) any {
	switch value := value.(type) {
	case object:
		for key := range maps.Keys(value) {
			value[key] = w.value(value[key], key, join(path, key))
		}
		return value
	case []any:
		for index, item := range value {
			value[index] = w.value(item, "", strings.TrimSuffix(path, "S")+strconv.Itoa(index))
		}
		return value
	case nil:
		return nil
	case string:
		if key == "name" {
			return value
		}
		if strings.ContainsAny(value, "\"\\\n\t") {
			return w.parameter(path, value, "${{%s}}")
		}
		return w.parameter(path, value, "${%s}")
	default: // a number or a boolean
		text, _ := json.Marshal(value)
		return w.parameter(path, string(text), "${{%s}}")
	}
}

func (w *walker) parameter(path, text, reference string) string {
	words := strings.ReplaceAll(strings.ToLower(path), "_", " ")
	w.parameters = append(w.parameters, object{"name": path, "displayName": words, "description": words, "value": text})
	return fmt.Sprintf(reference, path)
}

// join appends a key to a path, both in upper snake case.
func join(path, key string) string {
	var joined strings.Builder
	joined.WriteString(path)
	if path != "" {
		joined.WriteByte('_')
	}
	lower := false
	for _, letter := range key {
		if unicode.IsUpper(letter) && lower {
			joined.WriteByte('_')
		}
		lower = unicode.IsLower(letter) || unicode.IsDigit(letter)
		joined.WriteRune(unicode.ToUpper(letter))
	}
	return joined.String()
}
