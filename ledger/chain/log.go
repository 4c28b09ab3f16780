package chain

import (
	"log/slog"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// cometLogger passes CometBFT's log lines to slog at a lower level, so that a
// terminal, which shows warnings and errors, has none of them and a log file has
// them all. CometBFT's errors are mostly peers that went away or, at a normal end,
// listeners that were closed. The error that halts a chain comes from [Node.Wait].
type cometLogger struct{ log *slog.Logger }

var _ cmtlog.Logger = cometLogger{}

func (l cometLogger) Debug(string, ...any)         {}
func (l cometLogger) Info(msg string, kv ...any)   { l.log.Debug(msg, kv...) }
func (l cometLogger) Warn(msg string, kv ...any)   { l.log.Info(msg, kv...) }
func (l cometLogger) Error(msg string, kv ...any)  { l.log.Info(msg, kv...) }
func (l cometLogger) With(kv ...any) cmtlog.Logger { return cometLogger{l.log.With(kv...)} }
