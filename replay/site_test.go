package replay

import "testing"

// TestF30_a_module_whose_path_begins_like_a_package_of_the_engine_is_the_authors: a package is told by its whole path.
func TestF30_a_module_whose_path_begins_like_a_package_of_the_engine_is_the_authors(t *testing.T) {
	for function, engine := range map[string]bool{
		"iter.Pull[...].func1":                   true,
		"runtime.goexit":                         true,
		"time.goFunc":                            true,
		"github.com/turnstone-dev/turnstone.All": true,
		"github.com/turnstone-dev/turnstone.(*Activity[...]).Call":      true,
		"github.com/turnstone-dev/turnstone/replay.(*Future).Await":     true,
		"iter.example.com/orders.Run":                                   false,
		"runtime.example.com/orders.(*Shop).Run.func1":                  false,
		"time.example.com/v2.Run":                                       false,
		"example.com/iter.Run":                                          false,
		"github.com/turnstone-dev/turnstone.shop/orders.Run":            false,
		"github.com/turnstone-dev/turnstone/replay.example/v2.(*T).Run": false,
		"main.main": false,
		"":          false,
	} {
		if s := newSite(function, "file.go", 1); s.engine != engine {
			t.Errorf("%q, of package %q: of the engine is %t", function, packageOf(function), s.engine)
		}
	}
}
