// Prints the health of each object on standard input as two words: what kstatus computes, and what Flux computes.
// The options are Flux's healthCheckExprs; without --current, Flux uses its fork of kstatus.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	fork "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	var expressions kustomize.HealthCheckExpressions
	flag.StringVar(&expressions.Current, "current", "", "CEL `expression`")
	flag.StringVar(&expressions.Failed, "failed", "", "CEL `expression`")
	flag.StringVar(&expressions.InProgress, "in-progress", "", "CEL `expression`")
	flag.Parse()
	if err := run(&expressions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(expressions *kustomize.HealthCheckExpressions) error {
	flux := fork.Compute
	if expressions.Current != "" {
		evaluator, err := cel.NewStatusEvaluator(expressions)
		if err != nil {
			return err
		}
		flux = func(object *unstructured.Unstructured) (*fork.Result, error) {
			return evaluator.Evaluate(context.Background(), object)
		}
	}
	objects := json.NewDecoder(os.Stdin)
	for {
		var object unstructured.Unstructured
		if err := objects.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		byKstatus, err := status.Compute(&object)
		if err != nil {
			return err
		}
		byFlux, err := flux(&object)
		if err != nil {
			return err
		}
		fmt.Println(byKstatus.Status, byFlux.Status)
	}
}
