package chain

import (
	"log/slog"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// cometLogger gives CometBFT's log lines to slog, one level down: what it calls
// information is of use only when looking for a fault, and its errors are
// mostly peers that went away.
type cometLogger struct{ log *slog.Logger }

var _ cmtlog.Logger = cometLogger{}

func (l cometLogger) Debug(string, ...any)         {}
func (l cometLogger) Info(msg string, kv ...any)   { l.log.Debug(msg, kv...) }
func (l cometLogger) Warn(msg string, kv ...any)   { l.log.Warn(msg, kv...) }
func (l cometLogger) Error(msg string, kv ...any)  { l.log.Warn(msg, kv...) }
func (l cometLogger) With(kv ...any) cmtlog.Logger { return cometLogger{l.log.With(kv...)} }
