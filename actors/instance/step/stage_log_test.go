package step

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// scriptLog shows what is logged: the level, the message and why.
type scriptLog struct{ out *strings.Builder }

// Enabled implements slog.Handler, and so do the methods below.
func (*scriptLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *scriptLog) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprintf(h.out, "  log %s: %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == logkey.Reason || a.Key == logkey.Error {
			text, _, _ := strings.Cut(a.Value.String(), "\n")
			fmt.Fprintf(h.out, " (%s)", oneLine(text))
		}
		return true
	})
	h.out.WriteString("\n")
	return nil
}

func (h *scriptLog) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *scriptLog) WithGroup(string) slog.Handler { return h }
