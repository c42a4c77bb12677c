// A controller for the same requests, made with controller-runtime as its documentation has it, and tuned by its
// options: no client-side rate limit, many workers, VMs cached by metadata only, managed fields kept out of the caches.
// Three calls a request; calls.go has them in two forms.
//
// Only the happy way is here: no proof, no other formats, no options, nothing repaired. It is a yardstick for speed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

const bySource = "source" // the index of requests by the VM they name

func main() {
	kubeconfig := flag.String("config", "", "kubeconfig")
	workers := flag.Int("workers", 64, "requests in work at once")
	form := flag.String("calls", "usual", "how calls are made: usual, by controller-runtime's client; raw, as atmpl makes them")
	flag.Parse()
	log.SetLogger(zap.New(zap.Level(zapcore.InfoLevel), zap.RawZapOpts(uberzap.WithCaller(false)), zap.JSONEncoder(
		func(config *zapcore.EncoderConfig) { config.MessageKey = "message" },
	)))
	if err := run(*kubeconfig, *workers, *form); err != nil {
		log.Log.Error(err, "failed")
		os.Exit(1)
	}
}

func run(kubeconfig string, workers int, form string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // no client-side rate limit: the API server has its own

	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(requestKind, &Request{})
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
	if r.calls, err = newCalls(form, config, mgr); err != nil {
		return err
	}
	err = mgr.GetFieldIndexer().IndexField(context.Background(), &Request{}, bySource, func(found client.Object) []string {
		return []string{found.(*Request).Spec.Source.VMName}
	})
	if err != nil {
		return err
	}
	vm := &metav1.PartialObjectMetadata{}
	vm.SetGroupVersionKind(vmKind)
	err = ctrl.NewControllerManagedBy(mgr).
		Named("requests").
		For(&Request{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})). // our own status is no news
		WatchesMetadata(vm, handler.EnqueueRequestsFromMapFunc(r.requestsOf), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return err
	}
	// Runs once the caches are filled, as the controller itself does.
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
	client client.Client // reads what is cached from the caches
	calls  calls
}

// requestsOf returns the requests that name a VM.
func (r *reconciler) requestsOf(ctx context.Context, vm client.Object) []reconcile.Request {
	found := &RequestList{}
	err := r.client.List(ctx, found, client.InNamespace(vm.GetNamespace()), client.MatchingFields{bySource: vm.GetName()})
	if err != nil {
		log.FromContext(ctx).Error(err, "cannot list")
		return nil
	}
	var keys []reconcile.Request
	for _, request := range found.Items {
		if !request.ready() {
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
	if request.ready() {
		return reconcile.Result{}, nil
	}
	began := time.Now()
	seen := &metav1.PartialObjectMetadata{}
	seen.SetGroupVersionKind(vmKind)
	source := types.NamespacedName{Namespace: request.Namespace, Name: request.Spec.Source.VMName}
	if err := r.client.Get(ctx, source, seen); err != nil {
		return reconcile.Result{}, err
	}
	vm, err := r.calls.vm(ctx, seen)
	if err != nil {
		return reconcile.Result{}, err
	}
	template, parameters, err := render(vm, request)
	if err != nil {
		return reconcile.Result{}, err
	}
	uid, err := r.calls.create(ctx, request.Namespace, template)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.calls.status(ctx, request, statusOf(request, seen, uid, parameters)); err != nil {
		return reconcile.Result{}, err
	}
	log.FromContext(ctx).Info("Rendered", "vm", source.String(), "template", request.templateName(), "ms", time.Since(began).Milliseconds())
	return reconcile.Result{}, nil
}

func statusOf(request *Request, vm *metav1.PartialObjectMetadata, uid string, parameters int) Status {
	now := time.Now().UTC().Format(time.RFC3339)
	return Status{
		ObservedGeneration: request.Generation,
		Conditions: []Condition{{
			Type:               "Ready",
			Status:             "True",
			ObservedGeneration: request.Generation,
			LastTransitionTime: now,
			Reason:             "Rendered",
			Message:            fmt.Sprintf("Template %s/%s is made from VM %s/%s", request.Namespace, request.templateName(), vm.Namespace, vm.Name),
		}},
		Source:         &SourceSeen{UID: string(vm.UID), Generation: vm.Generation, ResourceVersion: vm.ResourceVersion},
		TemplateRef:    &TemplateRef{APIVersion: templatesVersion.String(), Kind: "Template", Name: request.templateName(), UID: uid},
		Parameters:     parameters,
		Warnings:       []any{},
		LastRenderTime: now,
	}
}
