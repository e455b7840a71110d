package node

import (
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/persistence"
)

// registries is how the node runs what a registry has.
var registries = seam.Take[seam.Registry[*turnstone.Registry, turnstone.ActivityInfo]]()

func init() {
	seam.Offer(seam.Store[*Node, persistence.Journal]{Of: func(n *Node) persistence.Journal { return n.store }})
}
