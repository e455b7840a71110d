package turnstone

// SideEffect gives a value that compute computes once: it is recorded with the turn, and when the code runs again over its
// history, the recorded value is given and compute does not run. It costs no turn and needs no worker. It is for what is
// cheap, not deterministic and harmless, such as reading a setting of the process or a random number of a library's own:
//
//	region, err := turnstone.SideEffect(ctx, func() string { return os.Getenv("REGION") })
//
// compute may run more than once: a turn that is not committed runs again. So it must not touch the world, and it must not
// fail; what may do either is an activity. A panic of it holds the instance: the turn is not recorded, and is tried again later. It must return at once, and must not use ctx: that is reported like any misuse
// of the context. The value goes through the registry's [Codec]. A value that it refuses is a programmer's error, which
// is a panic, too; the error is a [*DecodeError] if it gives bytes that it cannot read as a T. Code whose T was changed so that the
// recorded value is none is held.
func SideEffect[T any](ctx *Context, compute func() T) (T, error) {
	codec := ctx.env.codec
	data := ctx.rc.SideEffect(func() []byte {
		data, err := encode(codec, compute())
		if err != nil {
			panic("cannot encode the value of a side effect: " + err.Error())
		}
		return data
	})
	return decodeFor[T](ctx.rc, codec, "the value of a side effect", data)
}

// SideEffect is the untyped form of [SideEffect], for encoded values.
func (c *Context) SideEffect(compute func() []byte) []byte { return c.rc.SideEffect(compute) }
