// Validates an OLM bundle with the validators of operator-framework: `olm FOLDER` prints errors and warnings.
package main

import (
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	validator "github.com/operator-framework/api/pkg/validation/interfaces"
)

// All that need no image: MultipleArchitecturesValidator pulls it.
var validators = validator.Validators{
	validation.PackageManifestValidator,
	validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator,
	validation.BundleValidator,
	validation.OperatorHubV2Validator,
	validation.StandardCategoriesValidator,
	validation.StandardCapabilitiesValidator,
	validation.ObjectValidator,
	validation.OperatorGroupValidator,
	validation.AlphaDeprecatedAPIsValidator,
	validation.GoodPracticesValidator,
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: olm FOLDER")
		os.Exit(2)
	}
	bundle, err := manifests.GetBundleFromDir(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := 0
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, finding := range result.Errors {
			fmt.Println("error:", finding.Error())
			status = 1
		}
		for _, finding := range result.Warnings {
			fmt.Println("warning:", finding.Error())
		}
	}
	os.Exit(status)
}
