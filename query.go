package turnstone

import (
	"fmt"
	"strings"
)

// HandleQuery answers a query of this name with the variables of the code:
//
//	var shipped []string
//	turnstone.HandleQuery(ctx, "shipped", func(struct{}) ([]string, error) { return shipped, nil })
//
// A client asks with client.Query, at any time while the instance runs, and gets what the variables are after the last
// recorded turn: handle runs between two turns, never beside one, so it needs no lock. An instance that is not in memory runs
// again over its history first. A query is no event: it costs no commit, and nothing is recorded of it.
//
// handle must only read, and return at once. Of ctx it may use what only reads, such as [Context.Now] and [GetKV], and
// [Future.Ready] and [Future.Await] of futures that have resolved. A call that asks for something, changes something or waits
// ends the handler there, and the client gets an error that names the line. A variable that handle changes is a defect that
// is not found: the instance is then not what its history makes it.
//
// Register a handler before the code first waits: until then the instance has none. A later one of the same name replaces
// it. An execution that continues as new registers its own. Input and output go through the registry's [Codec]; an error of
// handle reaches the client as those of activities do.
func HandleQuery[I, O any](ctx *Context, name string, handle func(input I) (O, error)) {
	codec := ctx.env.codec
	ctx.rc.HandleQuery(name, func(input []byte) ([]byte, error) {
		in, err := decode[I](codec, input)
		if err != nil {
			return nil, sentFinal(codec, &DecodeError{What: "the input of query " + name, Err: err})
		}
		out, err := handle(in)
		if err != nil {
			return nil, sentByCode(codec, err)
		}
		data, err := encode(codec, out)
		if err != nil {
			return nil, sentFinal(codec, fmt.Errorf("cannot encode the answer of query %s: %w", name, err))
		}
		return data, nil
	})
}

// HandleQuery is the untyped form of [HandleQuery], for encoded values.
func (c *Context) HandleQuery(name string, handle func(input []byte) ([]byte, error)) {
	codec := c.env.codec
	c.rc.HandleQuery(name, func(input []byte) ([]byte, error) {
		out, err := handle(input)
		if err != nil {
			return nil, sentByCode(codec, err)
		}
		return out, nil
	})
}

// UnknownQueryError says that the code of an instance has no handler for a query.
type UnknownQueryError struct {
	// Query is the name that was asked for.
	Query string
	// Known are the names that the code has handlers for, sorted.
	Known []string
}

// Error names the query and what can be asked instead.
func (e *UnknownQueryError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("the code has no handler for query %q: it has none for any; register them with HandleQuery, before the code "+
			"first waits", e.Query)
	}
	return fmt.Sprintf("the code has no handler for query %q: it has handlers for %s", e.Query, strings.Join(e.Known, ", "))
}
