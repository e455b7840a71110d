package client

import (
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/seam"
)

// author is how the author's package checks and reads.
var author = seam.Take[seam.Author[turnstone.Handler, turnstone.Codec, *turnstone.Failure]]()

func init() { seam.Offer(seam.History[*Reader]{Turns: (*Reader).segments}) }
