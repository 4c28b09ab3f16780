package daemon

// The unexported names that the tests use.
var ServeOn = serve

const (
	Patience  = patience
	LastWords = lastWords
)
