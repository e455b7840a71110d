package consumer

import (
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Result is what an activity has come to, on its way from its slot to its instance. It is made under Token, or under a
// grant of Epoch. Reply gets nil once it is recorded, or the refusal: NotFound (the work was cancelled or answered),
// LeaseLost or Fenced (another owner has it); the result is then void.
type Result struct {
	Key      persistence.WorkKey
	Token    persistence.Token
	Epoch    uint64
	Attempts uint32
	Message  *turnpb.Message
	Encoded  []byte
	Reply    func(error)
}
