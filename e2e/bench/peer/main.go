// A controller for the same requests, made with controller-runtime as its documentation describes, and tuned by its
// options: no client-side rate limit, many workers, VMs cached by metadata only, managed fields not cached. It makes
// three calls per request with controller-runtime's client.
//
// It exists to compare speed, so it handles valid input only: no verification, one format, no options, no repair.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var (
	requestsVersion = schema.GroupVersion{Group: "ssp.kubevirt.io", Version: "v1alpha1"}
	vmKind          = schema.GroupVersionKind{Group: "kubevirt.io", Version: "v1", Kind: "VirtualMachine"}
	templateKind    = schema.GroupVersionKind{Group: "template.openshift.io", Version: "v1", Kind: "Template"}
)

// Request is a VirtualMachineTemplateRequest.
type Request struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		Source struct {
			VMName string `json:"vmName"`
		} `json:"source"`
		Target object `json:"target"`
	} `json:"spec"`
	Status Status `json:"status,omitempty"`
}

// Status is a request's status.
type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Source             map[string]any     `json:"source,omitempty"`
	TemplateRef        map[string]any     `json:"templateRef,omitempty"`
	Parameters         int                `json:"parameterCount"`
	Warnings           []any              `json:"warnings"`
	LastRenderTime     string             `json:"lastRenderTime,omitempty"`
}

// DeepCopyObject copies what this program changes: metadata and conditions.
func (r *Request) DeepCopyObject() runtime.Object {
	copied := *r
	r.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	copied.Status.Conditions = append([]metav1.Condition(nil), r.Status.Conditions...)
	return &copied
}

func (r *Request) isReady() bool {
	return len(r.Status.Conditions) > 0
}

// RequestList is a list of requests.
type RequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Request `json:"items"`
}

// DeepCopyObject copies the items.
func (l *RequestList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = make([]Request, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].DeepCopyObject().(*Request)
	}
	return &copied
}

const sourceIndex = "source" // requests by the name of their VM

func main() {
	kubeconfig := flag.String("config", "", "kubeconfig")
	workers := flag.Int("workers", 64, "requests that are reconciled at the same time")
	flag.Parse()
	log.SetLogger(zap.New(zap.Level(zapcore.InfoLevel), zap.RawZapOpts(uberzap.WithCaller(false)), zap.JSONEncoder(
		func(config *zapcore.EncoderConfig) { config.MessageKey = "message" },
	)))
	if err := run(*kubeconfig, *workers); err != nil {
		log.Log.Error(err, "failed")
		os.Exit(1)
	}
}

func run(kubeconfig string, workers int) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // no client-side rate limit: the API server has its own
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(requestsVersion.WithKind("VirtualMachineTemplateRequest"), &Request{})
	scheme.AddKnownTypeWithName(requestsVersion.WithKind("VirtualMachineTemplateRequestList"), &RequestList{})
	metav1.AddToGroupVersion(scheme, requestsVersion)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return err
	}
	r := &reconciler{client: mgr.GetClient()}
	vmName := func(request client.Object) []string { return []string{request.(*Request).Spec.Source.VMName} }
	if err = mgr.GetFieldIndexer().IndexField(context.Background(), &Request{}, sourceIndex, vmName); err != nil {
		return err
	}
	vm := &metav1.PartialObjectMetadata{}
	vm.SetGroupVersionKind(vmKind)
	byGeneration := builder.WithPredicates(predicate.GenerationChangedPredicate{}) // not for status changes
	err = ctrl.NewControllerManagedBy(mgr).
		Named("requests").
		For(&Request{}, byGeneration).
		WatchesMetadata(vm, handler.EnqueueRequestsFromMapFunc(r.requestsOf), byGeneration).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return err
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			log.Log.Info("ready")
		}
		return nil
	}))
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

type reconciler struct {
	client client.Client // reads requests and VMs' metadata from the cache, and VMs from the server
}

// requestsOf returns the unfinished requests for a VM.
func (r *reconciler) requestsOf(ctx context.Context, vm client.Object) []reconcile.Request {
	found := &RequestList{}
	err := r.client.List(ctx, found, client.InNamespace(vm.GetNamespace()), client.MatchingFields{sourceIndex: vm.GetName()})
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot list requests")
		return nil
	}
	var keys []reconcile.Request
	for _, request := range found.Items {
		if !request.isReady() {
			keys = append(keys, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&request)})
		}
	}
	return keys
}

func (r *reconciler) Reconcile(ctx context.Context, key reconcile.Request) (reconcile.Result, error) {
	request := &Request{}
	if err := r.client.Get(ctx, key.NamespacedName, request); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if request.isReady() {
		return reconcile.Result{}, nil
	}
	began := time.Now()
	vm := &unstructured.Unstructured{}
	vm.SetGroupVersionKind(vmKind)
	source := types.NamespacedName{Namespace: request.Namespace, Name: request.Spec.Source.VMName}
	if err := r.client.Get(ctx, source, vm); err != nil {
		return reconcile.Result{}, err
	}
	content, parameters := render(vm, request)
	template := &unstructured.Unstructured{Object: content}
	if err := r.client.Create(ctx, template); err != nil {
		return reconcile.Result{}, err
	}
	original := request.DeepCopyObject().(*Request)
	request.Status = statusOf(request, vm, template, parameters)
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	if err := r.client.Status().Patch(ctx, request, patch); err != nil {
		return reconcile.Result{}, err
	}
	log.FromContext(ctx).Info("Rendered", "vm", source.String(), "ms", time.Since(began).Milliseconds())
	return reconcile.Result{}, nil
}

func statusOf(request *Request, vm, template *unstructured.Unstructured, parameters int) Status {
	now := metav1.Now()
	return Status{
		ObservedGeneration: request.Generation,
		Conditions: []metav1.Condition{{
			Type: "Ready", Status: "True", Reason: "Rendered", ObservedGeneration: request.Generation, LastTransitionTime: now,
			Message: fmt.Sprintf("Template %s/%s is made from VM %s", request.Namespace, request.Name, vm.GetName()),
		}},
		Source: object{"uid": vm.GetUID(), "generation": vm.GetGeneration(), "resourceVersion": vm.GetResourceVersion()},
		TemplateRef: object{
			"apiVersion": template.GetAPIVersion(), "kind": template.GetKind(), "name": template.GetName(), "uid": template.GetUID(),
		},
		Parameters:     parameters,
		Warnings:       []any{},
		LastRenderTime: now.UTC().Format(time.RFC3339),
	}
}
