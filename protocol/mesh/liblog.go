package mesh

import (
	"context"
	"log/slog"
	"sync"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
	"go.uber.org/zap/zapcore"
)

// debugHandler logs every message at level debug. The messages of the libraries
// are about streams and dials; a user can do nothing about them.
type debugHandler struct{ slog.Handler }

func (h debugHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h debugHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{h.Handler.WithAttrs(attrs)}
}

func (h debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{h.Handler.WithGroup(name)}
}

// zapHandler passes the messages of the DHT, which logs by zap, to a handler.
type zapHandler struct{ slog.Handler }

func (h zapHandler) Enabled(zapcore.Level) bool {
	return h.Handler.Enabled(context.Background(), slog.LevelDebug)
}

func (h zapHandler) With(fields []zapcore.Field) zapcore.Core {
	return zapHandler{h.WithAttrs(attrsOf(fields))}
}

func (h zapHandler) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if h.Enabled(e.Level) {
		return c.AddCore(e, h)
	}
	return c
}

func (h zapHandler) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, slog.LevelDebug, e.Message, 0)
	r.AddAttrs(slog.String("logger", e.LoggerName))
	r.AddAttrs(attrsOf(fields)...)
	return h.Handle(context.Background(), r)
}

func (h zapHandler) Sync() error { return nil }

func attrsOf(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	var attrs []slog.Attr
	for k, v := range values.Fields { // order-free: attributes of one message
		attrs = append(attrs, slog.Any(k, v))
	}
	return attrs
}

var libraryLogOnce sync.Once

// libraryLog sends the messages of libp2p and of the DHT to log, at level debug.
// The libraries have one log for the whole process, so the first mesh's log gets
// the messages of all meshes. Without it they write to standard error.
func libraryLog(log *slog.Logger) {
	libraryLogOnce.Do(func() {
		h := debugHandler{log.Handler()}
		gologshim.SetDefaultHandler(h)
		golog.SetPrimaryCore(zapHandler{h})
	})
}
