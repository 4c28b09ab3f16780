package format

import "github.com/alia-network/alia/work"

func exportCTranslate2(t *work.Translator) (map[string][]byte, error) { return nil, nil }
func exportMarian(t *work.Translator) (map[string][]byte, error)      { return nil, nil }
func importMarian(read Files) (*work.Translator, error)               { return nil, nil }
