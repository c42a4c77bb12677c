package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type object = map[string]any

// render returns the template of a VM, and how many parameters it has: every scalar leaf of its instance's spec but
// those called `name` is one. The names are near atmpl's, without its rules for the rare cases.
func render(vm object, request *Request) (object, int, error) {
	metadata, _ := vm["metadata"].(object)
	spec, _ := vm["spec"].(object)
	instance, _ := spec["template"].(object)
	if metadata == nil || instance == nil {
		return nil, 0, fmt.Errorf("a VM without metadata or spec.template")
	}
	walk := &walker{}
	instance["spec"] = walk.value(instance["spec"], "", "")
	walk.parameters = append(walk.parameters, object{"name": "LABELS", "value": "{}", "description": "labels"})
	labels := object{"vm.kubevirt.io/template": request.templateName()}
	if own, found := metadata["labels"].(object); found {
		maps.Copy(labels, own)
	}
	source := fmt.Sprintf("%v/%v", metadata["namespace"], metadata["name"])
	return object{
		"apiVersion": templatesVersion.String(),
		"kind":       "Template",
		"metadata": object{
			"name":      request.templateName(),
			"namespace": request.Namespace,
			"labels":    object{"template.kubevirt.io/type": "vm", "ssp.kubevirt.io/request-uid": string(request.UID)},
			"annotations": object{
				"openshift.io/display-name":         request.templateName(),
				"description":                       fmt.Sprintf("Made from the virtual machine %v in namespace %v.", metadata["name"], metadata["namespace"]),
				"tags":                              "kubevirt,virtualmachine",
				"ssp.kubevirt.io/source":            source,
				"ssp.kubevirt.io/source-uid":        metadata["uid"],
				"ssp.kubevirt.io/source-generation": fmt.Sprint(metadata["generation"]),
				"ssp.kubevirt.io/request":           request.Namespace + "/" + request.Name,
				"ssp.kubevirt.io/generator":         "peer",
			},
		},
		"labels": labels,
		"objects": []any{object{
			"apiVersion": vm["apiVersion"],
			"kind":       "VirtualMachine",
			"metadata":   object{"generateName": fmt.Sprintf("%v-", metadata["name"]), "labels": "${{LABELS}}"},
			"spec":       spec,
		}},
		"parameters": walk.parameters,
	}, len(walk.parameters), nil
}

type walker struct {
	parameters []any
}

func (w *walker) value(value any, key, path string) any {
	switch value := value.(type) {
	case object:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			value[key] = w.value(value[key], key, join(path, key))
		}
		return value
	case []any:
		singular := strings.TrimSuffix(path, "S")
		for index, item := range value {
			value[index] = w.value(item, "", singular+strconv.Itoa(index))
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

func (w *walker) parameter(path, text, form string) string {
	said := strings.ReplaceAll(strings.ToLower(path), "_", "-")
	w.parameters = append(w.parameters, object{
		"name": path, "displayName": strings.ReplaceAll(said, "-", " "), "description": said, "value": text,
	})
	return fmt.Sprintf(form, path)
}

// join appends a key to a path, both in upper snake case.
func join(path, key string) string {
	var made strings.Builder
	made.WriteString(path)
	if path != "" {
		made.WriteByte('_')
	}
	lower := false
	for _, letter := range key {
		if unicode.IsUpper(letter) && lower {
			made.WriteByte('_')
		}
		lower = unicode.IsLower(letter) || unicode.IsDigit(letter)
		made.WriteRune(unicode.ToUpper(letter))
	}
	return made.String()
}
