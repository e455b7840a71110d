package replay

import (
	"testing"
	"time"
	"unsafe"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// TestStructSizes holds the size class of what a long history has many of, and of what each instance has. The runtime
// needs 8 bytes of its own for what is larger than 512 bytes.
func TestStructSizes(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, most uintptr
	}{
		{"Future", unsafe.Sizeof(Future{}), 192},
		{"details", unsafe.Sizeof(details{}), 128},
		{"Machine", unsafe.Sizeof(Machine{}), 1024 - 8},
	} {
		if c.got > c.most {
			t.Errorf("%s takes %d bytes, more than %d", c.what, c.got, c.most)
		}
	}
}

// TestPlainOperationsHaveNoDetails holds that what most code asks for is one allocation.
func TestPlainOperationsHaveNoDetails(t *testing.T) {
	tag := "t"
	var plain, tagged, shared *Future
	m := New(Config{Instance: "i", Execution: 1, Func: func(c *Context, _ []byte) ([]byte, error) {
		c.Activity("a", nil, ActivityOptions{})
		c.Timer(time.Hour)
		c.Dequeue("q")
		c.Go(func(c *Context) (any, error) { return shared.Await() })
		c.Go(func(c *Context) (any, error) { return shared.Await() })
		plain = c.WaitEvent("e", turnpb.WaitMode_WAIT_MODE_BUFFERED)
		tagged = c.Activity("a", nil, ActivityOptions{Tag: &tag})
		shared = c.WaitEvent("s", turnpb.WaitMode_WAIT_MODE_BUFFERED)
		c.All(plain)
		return nil, nil
	}})
	defer m.Close()
	m.Advance(Input{TimeMs: 1, Messages: []*turnpb.Message{
		{Kind: &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: "o"}}}}})
	if plain == nil || shared.details().waiters == nil || tagged.details().tag == nil {
		t.Fatal("the code did not wait for its operations")
	}
	for f := plain.owner.first; f != nil; f = f.next {
		if has := f.more != nil; has != (f == tagged || f == shared) {
			t.Errorf("%s %q with event %d: details %t", f.kind, f.name, f.event, has)
		}
	}
	if noDetails.own || noDetails.told || noDetails.waiters != nil || noDetails.instance != "" || noDetails.policy != 0 {
		t.Errorf("what futures without details read was written: %+v", noDetails)
	}
}
