package node

import (
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/persistence"
)

// registries has the functions with which the node runs a registry's handlers.
var registries = seam.Take[seam.Registry[*turnstone.Registry, turnstone.ActivityInfo]]()

func init() {
	seam.Offer(seam.Store[*Node, persistence.Journal]{Of: func(n *Node) persistence.Journal { return n.store }})
}
