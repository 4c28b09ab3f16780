package document

// Faults says what a translation has lost or made up: [Codes], [Numbers], both or nothing. It is
// for a text without a document, such as a chat message. Codes: the placeholders, tags and
// addresses are not those of the source, in whatever sequence. Numbers: the digits are not.
func Faults(source, translation string) (all []Reason) {
	a, b := placeholders(source), placeholders(translation)
	count := map[string]int{}
	for _, p := range a {
		if p.Kind == Code {
			count[p.Text]++
		}
	}
	for _, p := range b {
		if p.Kind == Code {
			count[p.Text]--
		}
	}
	for _, n := range count { // order-free: is there one
		if n != 0 {
			all = append(all, Codes)
			break
		}
	}
	if !sameDigits(a, b) {
		all = append(all, Numbers)
	}
	return all
}
