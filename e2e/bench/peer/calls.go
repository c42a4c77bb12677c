package main

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// calls are the three calls of a request.
type calls interface {
	// vm reads the VM that the cache has seen at a version.
	vm(ctx context.Context, seen *metav1.PartialObjectMetadata) (object, error)
	// create posts the template and returns its uid.
	create(ctx context.Context, namespace string, template object) (string, error)
	// status writes the status of exactly the request that was judged.
	status(ctx context.Context, request *Request, status Status) error
}

// usual makes the calls by controller-runtime's client, as its users do: a VM is read live, answers are whole objects.
type usual struct{ client client.Client }

func (c usual) vm(ctx context.Context, seen *metav1.PartialObjectMetadata) (object, error) {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(vmKind)
	err := c.client.Get(ctx, client.ObjectKeyFromObject(seen), found)
	return found.Object, err
}

func (c usual) create(ctx context.Context, _ string, template object) (string, error) {
	made := &unstructured.Unstructured{Object: template}
	err := c.client.Create(ctx, made)
	return string(made.GetUID()), err
}

func (c usual) status(ctx context.Context, request *Request, status Status) error {
	judged := request.DeepCopyObject().(*Request)
	request.Status = status
	return c.client.Status().Patch(ctx, request, client.MergeFromWithOptions(judged, client.MergeFromWithOptimisticLock{}))
}

// raw makes the calls as atmpl does: by bytes, a VM from the API server's watch cache, answers by metadata alone.
type raw struct{ vms, templates, requests rest.Interface }

func newRaw(config *rest.Config, mgr manager.Manager) (*raw, error) {
	made := &raw{}
	for kind, into := range map[schema.GroupVersionKind]*rest.Interface{
		vmKind: &made.vms, templateKind: &made.templates, requestKind: &made.requests,
	} {
		codecs := serializer.NewCodecFactory(mgr.GetScheme())
		found, err := apiutil.RESTClientForGVK(kind, false, false, config, codecs, mgr.GetHTTPClient())
		if err != nil {
			return nil, err
		}
		*into = found
	}
	return made, nil
}

func (c *raw) vm(ctx context.Context, seen *metav1.PartialObjectMetadata) (object, error) {
	data, err := c.vms.Get().Namespace(seen.Namespace).Resource("virtualmachines").Name(seen.Name).
		Param("resourceVersion", seen.ResourceVersion).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	found := object{}
	return found, json.Unmarshal(data, &found)
}

func (c *raw) create(ctx context.Context, namespace string, template object) (string, error) {
	body, err := json.Marshal(template)
	if err != nil {
		return "", err
	}
	answer, err := c.templates.Post().Namespace(namespace).Resource("templates").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", metadataOnly).Body(body).Do(ctx).Raw()
	if err != nil {
		return "", err
	}
	made := &metav1.PartialObjectMetadata{}
	err = json.Unmarshal(answer, made)
	return string(made.UID), err
}

func (c *raw) status(ctx context.Context, request *Request, status Status) error {
	patch, err := json.Marshal([]object{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": request.ResourceVersion},
		{"op": "add", "path": "/status", "value": status},
	})
	if err != nil {
		return err
	}
	return c.requests.Patch(types.JSONPatchType).Namespace(request.Namespace).Resource("virtualmachinetemplaterequests").
		Name(request.Name).SubResource("status").SetHeader("Accept", metadataOnly).Body(patch).Do(ctx).Error()
}

func newCalls(form string, config *rest.Config, mgr manager.Manager) (calls, error) {
	switch form {
	case "usual":
		return usual{mgr.GetClient()}, nil
	case "raw":
		return newRaw(config, mgr)
	}
	return nil, fmt.Errorf("calls are `usual` or `raw`, not %q", form)
}
