package report

// CheckedCorpus is what `alia corpus check` found: which pairs training takes.
type CheckedCorpus struct {
	Source     string         `json:"source"`
	Target     string         `json:"target"`
	Rules      int            `json:"rules"` // version of the rules
	Pairs      int            `json:"pairs"`
	Kept       int            `json:"kept"`       // those held out for validation too
	Validation int            `json:"validation"` // pairs of val.*, or held out
	Tests      map[string]int `json:"tests"`      // pairs of each
	Dropped    map[string]int `json:"dropped"`    // by rule
	BlankLines int            `json:"blank_lines"`
	Copies     int            `json:"copies"` // pairs whose translation is the source
	// The characters of each language that say the same: lengths are compared by them.
	SourceWeight float64       `json:"source_weight"`
	TargetWeight float64       `json:"target_weight"`
	Samples      []DroppedPair `json:"samples"` // the first of each rule
}

// DroppedPair is a pair that training does not take.
type DroppedPair struct {
	Rule   string `json:"rule"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
}
