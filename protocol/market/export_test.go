package market

// Known is the number of miners that the book remembers.
func (b *Book) Known() int { return len(b.crowd.known) }

// The bounds of what the book remembers of miners that left.
const (
	MaxGone     = maxGone
	ForgetMiner = forgetMiner
)
