//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"sync"
)

// Enabled reports whether this build has failpoints.
const Enabled = true

// armed is what the environment asked for, read once at the first hit.
var armed = sync.OnceValue(func() *set {
	s, err := parse(os.Getenv(Environment))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Environment, err)
		os.Exit(2)
	}
	return s
})

// Hit marks a point: if the environment names it and this is the hit it asks for, its action happens before Hit
// returns. Safe for concurrent use; hits of one name are counted across goroutines.
func Hit(name string) {
	if p := armed().points[name]; p != nil {
		p.hit()
	}
}
