package gateway

import "slices"

// Routes are the methods and paths of the table, for tests.
func Routes() (all []string) {
	for _, r := range (&Gateway{}).routes() {
		all = append(all, r.method+" "+r.path)
	}
	slices.Sort(all)
	return all
}

// LookAgain has a certificate look at its files at the next connection.
func LookAgain(c *Certificate) { c.next = c.next.AddDate(-1, 0, 0) }
