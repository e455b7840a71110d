package turnstone

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/replay"
)

// Logger logs with the instance's identity and is silent while the code repeats what history already has. A turn
// that has to be run again may log a line again.
func (c *Context) Logger() *slog.Logger {
	return slog.New(replaySilent{Handler: c.env.logger.Handler(), rc: c.rc}).With(
		logkey.Target, logkey.TargetOrchestration, logkey.Instance, c.Instance(), logkey.Execution, c.Execution(),
		logkey.Orchestration, c.Name(), logkey.Version, c.Version())
}

// replaySilent drops records while its execution replays.
type replaySilent struct {
	slog.Handler
	rc *replay.Context
}

func (h replaySilent) Enabled(ctx context.Context, level slog.Level) bool {
	return !h.rc.Replaying() && h.Handler.Enabled(ctx, level)
}

func (h replaySilent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return replaySilent{Handler: h.Handler.WithAttrs(attrs), rc: h.rc}
}

func (h replaySilent) WithGroup(name string) slog.Handler {
	return replaySilent{Handler: h.Handler.WithGroup(name), rc: h.rc}
}

// logTextBytesMax bounds each text of an author's that the engine logs: a failure's text may be megabytes long.
const logTextBytesMax = 4096

// loggable is the text, or its beginning and how long it is.
func loggable(text string) string {
	if len(text) <= logTextBytesMax {
		return text
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:logTextBytesMax], ""), len(text))
}
