package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

var (
	requestsVersion  = schema.GroupVersion{Group: "ssp.kubevirt.io", Version: "v1alpha1"}
	vmsVersion       = schema.GroupVersion{Group: "kubevirt.io", Version: "v1"}
	templatesVersion = schema.GroupVersion{Group: "template.openshift.io", Version: "v1"}

	requestKind  = requestsVersion.WithKind("VirtualMachineTemplateRequest")
	vmKind       = vmsVersion.WithKind("VirtualMachine")
	templateKind = templatesVersion.WithKind("Template")
)

// Request is a VirtualMachineTemplateRequest, as far as the happy way goes.
type Request struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec"`
	Status            Status `json:"status,omitempty"`
}

type Spec struct {
	Source struct {
		VMName string `json:"vmName"`
	} `json:"source"`
	Target struct {
		OpenShiftTemplate *struct {
			Name string `json:"name,omitempty"`
		} `json:"openshiftTemplate,omitempty"`
	} `json:"target"`
}

type Status struct {
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	Conditions         []Condition  `json:"conditions,omitempty"`
	Source             *SourceSeen  `json:"source,omitempty"`
	TemplateRef        *TemplateRef `json:"templateRef,omitempty"`
	Parameters         int          `json:"parameters"`
	Warnings           []any        `json:"warnings"`
	LastRenderTime     string       `json:"lastRenderTime,omitempty"`
}

type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
	LastTransitionTime string `json:"lastTransitionTime"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
}

type SourceSeen struct {
	UID             string `json:"uid"`
	Generation      int64  `json:"generation"`
	ResourceVersion string `json:"resourceVersion"`
}

type TemplateRef struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

func (r *Request) ready() bool {
	for _, condition := range r.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

func (r *Request) templateName() string {
	if target := r.Spec.Target.OpenShiftTemplate; target != nil && target.Name != "" {
		return target.Name
	}
	return r.Name
}

func (r *Request) DeepCopyObject() runtime.Object {
	copied := *r
	r.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	copied.Status.Conditions = append([]Condition(nil), r.Status.Conditions...)
	return &copied
}

type RequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Request `json:"items"`
}

func (l *RequestList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = make([]Request, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].DeepCopyObject().(*Request)
	}
	return &copied
}
