package text

// SourceParts returns what of a source text each of its tokens stands for, in the sequence of
// [BPE.Source]. Together they are the normalised text behind a space.
func (t *BPE) SourceParts(s string) (parts []string) {
	for _, id := range t.Source(s) {
		parts = append(parts, t.pieces[id])
	}
	return parts
}

// SourceParts returns what of a source text each of its tokens stands for, in the sequence of
// [Marian.Source]; "" for a code.
func (m *Marian) SourceParts(s string) (parts []string) {
	code, s := Code(s)
	if code != "" {
		parts = append(parts, "")
	}
	return append(parts, m.source.splitWritten(s)...)
}

// SourceParts returns what of a source text each of its tokens stands for, in the sequence of
// [Fairseq.Source]; "" for the language.
func (t *Fairseq) SourceParts(s string) []string {
	parts := t.Marian.target.splitWritten(s)
	if len(parts) == 0 {
		return nil
	}
	return append([]string{""}, parts...)
}

// splitWritten is Split with each piece as it is written.
func (m *SentencePiece) splitWritten(s string) (parts []string) {
	for _, p := range m.Split(s) {
		parts = append(parts, m.written(p))
	}
	return parts
}
