package consumer

import (
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// Result is the result of an activity, on its way from the slot to the instance. It was made under the lease Token, or under
// a grant of Epoch. Reply gets nil once the result is recorded, or the refusal: NotFound (the work was cancelled or
// answered), LeaseLost or Fenced (another process has the work). A refused result is void.
type Result struct {
	Key      persistence.WorkKey
	Token    persistence.Token
	Epoch    uint64
	Attempts uint32
	Message  *turnpb.Message
	Encoded  []byte
	Reply    func(error)
}
