package document

// Faults says what a translation of a text alone, as of a chat message, has lost or made up.
// [Codes] says that its placeholders, tags and addresses are not those of the source, in
// whatever sequence; [Numbers] says that of its digits.
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
